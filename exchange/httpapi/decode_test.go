package httpapi

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

func TestDecodeJSONIsStrict(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"acks":[{"id":"a","state":"read"}]}`:      true,
		` {"acks":[]} ` + "\n":                      true,
		`{"acks":[],"acks":[]}`:                     false,
		`{"acks":[{"id":"a","id":"b"}]}`:            false,
		`{"acks":[],"ACKS":[]}`:                     false,
		"{\"ack\u017f\":[]}":                        false,
		`{"acks":[],"more":1}`:                      false,
		`{"acks":[]}{"acks":[]}`:                    false,
		`{"acks":[]} x`:                             false,
		`{"acks":{}}`:                               false,
		`{"acks":[{"id":1}]}`:                       false,
		`{"acks":[{"id":"` + "\xff" + `"}]}`:        false,
		`{"acks":` + strings.Repeat("[", 9):         false,
		strings.Repeat("[", 1000):                   false,
		strings.Repeat(`{"acks":`, 9) + "1":         false,
		"":                                          false,
		`{`:                                         false,
		`{"acks"`:                                   false,
		`{"acks":[{"id":"a","at":"2026-02-30T"}]}`:  false,
		`{"acks":[{"id":"a","reason":"x","b":{}}]}`: false,
	} {
		var v Acks
		if got := decodeJSON([]byte(body), &v) == nil; got != ok {
			t.Errorf("%.60q: %v, want %v", body, got, ok)
		}
	}
}

// Of a call with a thousand acks the sender learns where it is wrong, and never
// hears what it wrote.
func TestBadJSONSaysWhere(t *testing.T) {
	for body, want := range map[string]string{
		`{"acks":[{"id":"a","state":7}]}`:                  "member acks.state has the wrong type",
		`{"acks":[{"id":"a","at":"2026-04-02 09:00:00"}]}`: "a time must be written as 2026-04-02T09:00:00+08:00, with its zone",
		`{"acks":[{"id":"a","at":"2026-04-02T09:00:00"}]}`: "a time must be written as 2026-04-02T09:00:00+08:00, with its zone",
		`{"acks":[{"id":"a","name":"x"}]}`:                 "there is an unknown member",
		`{"acks":[],"acks":[]}`:                            "a repeated or unknown member (byte 17)",
		`{"acks":[]]`:                                      "a syntax error (byte 11)",
		`{"acks":[]} {}`:                                   "something follows the value (byte 14)",
		`{"acks":` + strings.Repeat("[", 9):                "it is nested too deeply (byte 16)",
		"\xff":                                             "it is not UTF-8",
		`[1]`:                                              "a value has the wrong type",
	} {
		var v Acks
		var e *exchange.Error
		if err := decodeJSON([]byte(body), &v); !errors.As(err, &e) || !strings.HasSuffix(e.Text.EN, ": "+want) {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
}

// Whatever is taken stands for itself: written again it is taken again and
// says the same.
func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"acks":[{"id":"a","state":"read","at":"2026-04-02T09:00:00+08:00","reason":"C"}]}`))
	f.Add([]byte(`{"bound_at":"2026-04-02T09:00:00Z","proof":"p"}`))
	f.Add([]byte(`{"name":"n","label":"l","public_key":"AAAA"}`))
	f.Add([]byte(`{"a":{"a":[1e9,null,true,"\u0000"]}}`))
	f.Add([]byte(`[[[[[[[[]]]]]]]]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, into := range []any{new(Acks), new(Binding), new(NewKey)} {
			if decodeJSON(raw, into) != nil {
				continue
			}
			again, err := json.Marshal(into)
			if err != nil {
				t.Fatalf("%q was taken and can't be written: %v", raw, err)
			}
			if err := decodeJSON(again, into); err != nil {
				t.Fatalf("%q: written again as %q it is refused", raw, again)
			}
		}
	})
}

// A stream from a server that is not what it says must end in an error or an
// end, never in a panic.
func FuzzReadEvents(f *testing.F) {
	f.Add(": open\n\nid: 7\nevent: reminder\ndata: {\"id\":\"r\",\"seq\":7}\n\n:\n\n")
	f.Add("data: {\n\n")
	f.Add("id\ndata\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		if err := readEvents(strings.NewReader(text), func(_ exchange.Reminder, _ string) error { return nil }); err == nil {
			t.Error("a stream ends with io.EOF at least")
		}
	})
}
