package peers

import (
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func TestAnchorVector(t *testing.T) {
	a := Anchor{Size: 42}
	for i := range a.Root {
		a.Root[i] = 7
	}
	body := must(a.Encode())
	golden(t, "anchor.hex", hexLine(body))
	if back, err := ParseAnchor(body); err != nil || back != a {
		t.Errorf("reads back as %+v, %v", back, err)
	}
}

// An anchor is bound behind the region's last one, and not behind itself.
func TestTakeAnchor(t *testing.T) {
	body := func(size uint64) []byte { return must(Anchor{Size: size, Root: sm.Digest{1}}.Encode()) }
	for _, c := range []struct {
		last, index, size uint64
		code              string
	}{
		{0, 5, 1, ""}, {0, 5, 5, ""}, {3, 5, 4, ""},
		{3, 5, 3, CodeAnchor}, {3, 5, 2, CodeAnchor}, {0, 5, 6, CodeAnchor},
	} {
		a, err := TakeAnchor(c.last, c.index, body(c.size))
		if c.code != "" {
			wantCode(t, err, c.code)
		} else if err != nil || a.Size != c.size {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := (Anchor{Root: sm.Digest{1}}).Encode(); err == nil {
		t.Error("an anchor of nothing")
	}
}

func FuzzParseAnchor(f *testing.F) {
	f.Add(must(Anchor{Size: 42, Root: sm.Digest{1}}.Encode()))
	f.Fuzz(func(t *testing.T, body []byte) {
		if a, err := ParseAnchor(body); err == nil && string(must(a.Encode())) != string(body) {
			t.Error("a second spelling was taken")
		}
	})
}
