package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// FuzzSplitObject holds the pieces of an object to what encoding/json finds in
// it.
func FuzzSplitObject(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"a":1}`, "{\"a\"\t:\r\n-1.5e3 , \"b\" : null}", `{"a":"\"}\\","b":{"c":["}",{}]},"d":true}`,
		`{"\u540d":"\ud83d\ude97\n","":[]}`, `{"a":1,"\u0061":2}`, `{"\ud800":1}`, `[{}]`, `"{"`, `7`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var element json.RawMessage
		if json.NewDecoder(bytes.NewReader(raw)).Decode(&element) != nil || !utf8.Valid(element) {
			return // nothing that is handed on
		}
		const most = 50
		members, err := splitObject(element, most)
		var want map[string]json.RawMessage
		if json.Unmarshal(element, &want) != nil || want == nil {
			if err == nil {
				t.Fatalf("%q is not an object", element)
			}
			return
		}
		if errors.Is(err, errMembers) && len(members) == 0 {
			return
		}
		if err != nil {
			if !errors.Is(err, errObject) {
				t.Fatal(err)
			}
			return
		}
		if len(members) != len(want) {
			t.Fatalf("%q has %d members, %d were found", element, len(want), len(members))
		}
		for _, m := range members {
			value, ok := want[string(m.name)]
			if !ok || !bytes.Equal(value, m.value) {
				t.Fatalf("%q: %q is %q, want %q", element, m.name, m.value, value)
			}
			var text string
			if m.value[0] == '"' && (json.Unmarshal(value, &text) != nil || string(unquote(m.value)) != text) {
				t.Fatalf("%q reads %q, want %q", m.value, unquote(m.value), text)
			}
		}
	})
}

func TestSplitObjectRefuses(t *testing.T) {
	for text, want := range map[string]error{
		`{"a":1,"a":2}`:       errObject,
		`{"a":1,"\u0061":2}`:  errObject,
		`{"\ud800":1}`:        errObject, // half a character
		`[]`:                  errObject,
		`{"a":1,"b":2,"c":3}`: errMembers,
	} {
		if _, err := splitObject([]byte(text), 2); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}
