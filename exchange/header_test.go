package exchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// vector reads a file of hexadecimal digits from testdata.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// filled is the digest whose bytes are all b.
func filled(b byte) sm.Digest { return sm.Digest(bytes.Repeat([]byte{b}, sm.DigestSize)) }

func pointer[T any](v T) *T { return &v }

// headerVectors are those of docs/formats/header.md.
var headerVectors = map[string]Header{
	"header-record.hex": {
		Class: ClassRecord, Kind: KindPenalty, ID: filled(0x11), Origin: "120000",
		Recipients: []peers.Region{"110000", "130000"}, IssuedAt: 1790000000,
		Commitment: pointer(filled(0x22)), BodyDigest: filled(0x33),
	},
	"header-follow-up.hex": {
		Class: ClassFollowUp, Kind: "withdrawal", ID: filled(0x44), Origin: "120000",
		Recipients: []peers.Region{"110000"}, IssuedAt: 1790000001,
		Ref:        &Ref{Index: 258, ID: filled(0x11)},
		Commitment: pointer(filled(0x55)), BodyDigest: filled(0x66),
	},
	"header-governance.hex": {
		Class: ClassGovernance, Kind: KindAgencyKey, ID: filled(0x77), Origin: "120000", IssuedAt: 0,
		BodyDigest: filled(0x88),
	},
}

func TestHeaderVectors(t *testing.T) {
	for name, want := range headerVectors {
		raw := vector(t, name)
		got, err := ParseHeader(raw)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s reads as %+v, %v", name, got, err)
		}
		again, err := want.Marshal()
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%s is written as %x, %v", name, again, err)
		}
	}
}

func TestAHeaderHasOneSpelling(t *testing.T) {
	raw := vector(t, "header-follow-up.hex")
	const kindAt, recipientsAt = 2, 2 + 1 + len("withdrawal") + 32 + 6
	for name, spoil := range map[string]func([]byte) []byte{
		"another version":       func(b []byte) []byte { b[0] = 2; return b },
		"no such class":         func(b []byte) []byte { b[1] = 5; return b },
		"a record with a ref":   func(b []byte) []byte { b[1] = byte(ClassRecord); return b },
		"clear with commitment": func(b []byte) []byte { b[1] = byte(ClassGovernance); return b },
		"kind in capitals":      func(b []byte) []byte { b[kindAt+1] = 'W'; return b },
		"no kind": func(b []byte) []byte {
			return append(append(b[:kindAt:kindAt], 0), b[kindAt+1+len("withdrawal"):]...)
		},
		"origin is no region":      func(b []byte) []byte { b[kindAt+1+len("withdrawal")+32] = 'x'; return b },
		"origin among recipients":  func(b []byte) []byte { b[recipientsAt+2] = '2'; return b },
		"recipients cut":           func(b []byte) []byte { b[recipientsAt] = 5; return b },
		"time before 1970":         func(b []byte) []byte { b[recipientsAt+7] = 0x80; return b },
		"ref cut":                  func(b []byte) []byte { b[recipientsAt+7+8] = 39; return b },
		"something behind":         func(b []byte) []byte { return append(b, 0) },
		"the last byte is missing": func(b []byte) []byte { return b[:len(b)-1] },
		"too long":                 func(b []byte) []byte { return append(b, make([]byte, MaxHeader)...) },
		"nothing":                  func([]byte) []byte { return nil },
	} {
		_, err := ParseHeader(spoil(bytes.Clone(raw)))
		var rejection *Rejection
		if !errors.As(err, &rejection) || rejection.Code != CodeMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range raw {
		if _, err := ParseHeader(raw[:i]); err == nil {
			t.Errorf("%d bytes were taken for a header", i)
		}
	}
}

// An origin learns that a header is malformed before it signs.
func TestMarshalRefusesWhatParseWould(t *testing.T) {
	for name, change := range map[string]func(*Header){
		"recipients descend":    func(h *Header) { h.Recipients = []peers.Region{"130000", "110000"} },
		"a recipient twice":     func(h *Header) { h.Recipients = []peers.Region{"110000", "110000"} },
		"the origin receives":   func(h *Header) { h.Recipients = []peers.Region{"120000"} },
		"no commitment":         func(h *Header) { h.Commitment = nil },
		"a ref in a record":     func(h *Header) { h.Ref = &Ref{} },
		"a kind with a space":   func(h *Header) { h.Kind = "a b" },
		"a kind of 65 bytes":    func(h *Header) { h.Kind = strings.Repeat("a", 65) },
		"a kind of 300 bytes":   func(h *Header) { h.Kind = strings.Repeat("a", 300) },
		"origin of five digits": func(h *Header) { h.Origin = "12000" },
		"51 recipients": func(h *Header) {
			h.Recipients = nil
			for i := range 51 {
				h.Recipients = append(h.Recipients, peers.Region(fmt.Sprint(130000+i)))
			}
		},
	} {
		h := headerVectors["header-record.hex"]
		change(&h)
		if raw, err := h.Marshal(); err == nil {
			t.Errorf("%s: %x", name, raw)
		}
	}
}

func TestConcernsRegion(t *testing.T) {
	record, clear := headerVectors["header-record.hex"], headerVectors["header-governance.hex"]
	for region, want := range map[peers.Region]bool{"110000": true, "120000": true, "130000": true, "140000": false} {
		if record.ConcernsRegion(region) != want {
			t.Errorf("record and %s", region)
		}
		if !clear.ConcernsRegion(region) {
			t.Errorf("governance and %s", region)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHeader(t)
		raw, err := h.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseHeader(raw)
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("%+v came back as %+v, %v", h, got, err)
		}
	})
}

func drawHeader(t *rapid.T) Header {
	digest := func(name string) sm.Digest {
		return filled(rapid.Byte().Draw(t, name))
	}
	h := Header{
		Class: Class(rapid.Uint8Range(1, 4).Draw(t, "class")), Kind: rapid.StringMatching(`[a-z0-9-]{1,64}`).Draw(t, "kind"),
		ID: digest("id"), Origin: "120000", IssuedAt: rapid.Int64Min(0).Draw(t, "issued"), BodyDigest: digest("body"),
	}
	if h.Class == ClassGovernance {
		return h
	}
	for i := range rapid.IntRange(0, 30).Draw(t, "recipients") {
		h.Recipients = append(h.Recipients, peers.Region(fmt.Sprint(130000+i)))
	}
	h.Commitment = pointer(digest("commitment"))
	if h.Class == ClassFollowUp {
		h.Ref = &Ref{Index: rapid.Uint64().Draw(t, "index"), ID: digest("ref")}
	}
	return h
}

// Bytes that are a header are written back as the same bytes.
func FuzzParseHeader(f *testing.F) {
	for name := range headerVectors {
		f.Add(vector(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := ParseHeader(raw)
		if err != nil {
			return
		}
		if again, err := h.Marshal(); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("a second spelling: %x, %v", again, err)
		}
	})
}
