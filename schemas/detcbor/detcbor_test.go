package detcbor_test

import (
	"bytes"
	"testing"

	"github.com/xinqiao/creditgw/schemas/detcbor"
)

type value struct {
	Name  string   `cbor:"name,omitempty"`
	Parts []uint64 `cbor:"parts,omitempty"`
	Below *value   `cbor:"below,omitempty"`
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	want := value{Name: "京", Parts: []uint64{1, 1 << 40}, Below: &value{Name: "x"}}
	raw, err := detcbor.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got value
	if err := detcbor.Decoding(detcbor.Limits{}).Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if again, err := detcbor.Marshal(got); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("%x again is %x: %v", raw, again, err)
	}
}

func TestOtherSpellingsAreRefused(t *testing.T) {
	strict := detcbor.Decoding(detcbor.Limits{Levels: 4, Elements: 16, Pairs: 16})
	for name, raw := range map[string]string{
		"a key twice":           "\xa2\x64name\x61a\x64name\x61b",
		"an unknown key":        "\xa1\x65other\x61a",
		"an indefinite map":     "\xbf\x64name\x61a\xff",
		"an indefinite text":    "\xa1\x64name\x7f\x61a\xff",
		"a tag":                 "\xa1\x64name\xc0\x61a",
		"a bignum":              "\xa1\x65parts\x81\xc2\x41\x01",
		"text that is not text": "\xa1\x64name\x61\xff",
		"bytes behind it":       "\xa0\xa0",
		"an array too long":     "\xa1\x65parts\x91" + string(make([]byte, 17)),
		"too deep":              "\xa1\x65below\xa1\x65below\xa1\x65below\xa1\x65below\xa1\x65below\xa0",
	} {
		var v value
		if err := strict.Unmarshal([]byte(raw), &v); err == nil {
			t.Errorf("%s was read: %+v", name, v)
		}
	}
	long := "\xb1"
	for i := range 17 {
		long += string([]byte{byte(i), 0})
	}
	if err := strict.Unmarshal([]byte(long), new(map[int]int)); err == nil {
		t.Error("a map too long was read")
	}
	// What is left has to be marshalled again: a long form of a number, an order.
	for name, raw := range map[string]string{
		"a long length": "\xa1\x64name\x78\x01a",
		"another order": "\xa2\x65parts\x81\x01\x64name\x61a",
	} {
		var v value
		if err := strict.Unmarshal([]byte(raw), &v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if again, err := detcbor.Marshal(v); err != nil || string(again) == raw {
			t.Errorf("%s: it is the one spelling, %v", name, err)
		}
	}
}
