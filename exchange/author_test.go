package exchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const sampleAgency = "11120000000000001X"

func sampleDigest(b byte) *sm.Digest {
	d := sm.Digest(bytes.Repeat([]byte{b}, sm.DigestSize))
	return &d
}

func sampleKeyID() *sm.KeyID {
	var id sm.KeyID
	copy(id[:], bytes.Repeat([]byte{0x22}, len(id)))
	return &id
}

// authorVectors are the blocks of docs/formats/author.md, in its order.
var authorVectors = []struct {
	name string
	Author
}{
	{"a file's row", Author{Kind: AuthorRegion, Agency: sampleAgency, File: sampleDigest(0x11), Row: 300}},
	{"a signed file's row", Author{Kind: AuthorRegion, Agency: sampleAgency, File: sampleDigest(0x11), Row: 1,
		FileSignature: []byte{0x30, 0x00}, Key: sampleKeyID()}},
	{"a statement", Author{Kind: AuthorRegion, Agency: sampleAgency}},
	{"an agency's own", Author{Kind: AuthorAgency, Agency: sampleAgency, Key: sampleKeyID(), Signature: []byte{0x30, 0x00}}},
}

func sampleAcks() Acknowledgement {
	return Acknowledgement{Acks: []RecordAck{
		{Record: *sampleDigest(0x33), State: AckRead, At: 1_780_000_000},
		{Record: *sampleDigest(0x44), State: AckRefused, At: 1_780_000_001, Code: "BAD_AUTHOR"},
	}}
}

func TestAuthorAndAcknowledgementVectors(t *testing.T) {
	vectors := formatVectors(t, "author.md")
	if len(vectors) != len(authorVectors) {
		t.Fatalf("author.md has %d vectors, not %d", len(vectors), len(authorVectors))
	}
	for i, v := range authorVectors {
		raw, err := v.Marshal()
		if err != nil || !bytes.Equal(raw, vectors[i]) {
			t.Errorf("%s: written as %x, %v", v.name, raw, err)
		}
		got, err := ParseAuthor(vectors[i])
		if diff := cmp.Diff(v.Author, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +read):\n%s", v.name, err, diff)
		}
	}

	vectors = formatVectors(t, "acknowledgement.md")
	if len(vectors) != 1 {
		t.Fatalf("acknowledgement.md has %d vectors, not 1", len(vectors))
	}
	want := sampleAcks()
	if raw, err := want.Marshal(); err != nil || !bytes.Equal(raw, vectors[0]) {
		t.Errorf("acknowledgement: written as %x, %v", raw, err)
	}
	got, err := ParseAcknowledgement(vectors[0])
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("acknowledgement: %v (-want +read):\n%s", err, diff)
	}
}

// formatVectors reads the fenced hexadecimal blocks below "## Vectors".
func formatVectors(t *testing.T, page string) [][]byte {
	t.Helper()
	text, err := os.ReadFile("../docs/formats/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Vectors\n")
	var vectors [][]byte
	for i, block := range strings.Split(section, "```") {
		if i%2 == 1 {
			raw, err := hex.DecodeString(strings.Join(strings.Fields(block), ""))
			if err != nil {
				t.Fatalf("%s: %v", page, err)
			}
			vectors = append(vectors, raw)
		}
	}
	return vectors
}

func TestABlockOfNeitherKindIsRefused(t *testing.T) {
	file, agency := authorVectors[0].Author, authorVectors[3].Author
	for name, change := range map[string]func(file, agency *Author) *Author{
		"unknown kind":                func(f, _ *Author) *Author { f.Kind = "clerk"; return f },
		"no agency":                   func(f, _ *Author) *Author { f.Agency = ""; return f },
		"file without row":            func(f, _ *Author) *Author { f.Row = 0; return f },
		"row without file":            func(f, _ *Author) *Author { f.File = nil; return f },
		"region with an agency's key": func(f, _ *Author) *Author { f.Key = sampleKeyID(); return f },
		"file signature without key":  func(f, _ *Author) *Author { f.FileSignature = []byte{1}; return f },
		"signature without file": func(f, _ *Author) *Author {
			f.File, f.Row, f.FileSignature, f.Key = nil, 0, []byte{1}, sampleKeyID()
			return f
		},
		"region with a signature":       func(f, _ *Author) *Author { f.Signature = []byte{1}; return f },
		"agency without key":            func(_, a *Author) *Author { a.Key = nil; return a },
		"agency without signature":      func(_, a *Author) *Author { a.Signature = nil; return a },
		"agency with a file":            func(_, a *Author) *Author { a.File = sampleDigest(1); return a },
		"agency with a row":             func(_, a *Author) *Author { a.Row = 1; return a },
		"agency with a file signature":  func(_, a *Author) *Author { a.FileSignature = []byte{1}; return a },
		"longer than a block may be":    func(_, a *Author) *Author { a.Signature = make([]byte, maxAuthor); return a },
		"an agency's block as region's": func(_, a *Author) *Author { a.Kind = AuthorRegion; return a },
	} {
		f, a := file, agency
		raw, err := change(&f, &a).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseAuthor(raw)
		requireMalformed(t, name, err)
	}
}

func TestAnAcknowledgementThatSaysNothingOrTooMuchIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Acknowledgement){
		"empty":         func(a *Acknowledgement) { a.Acks = nil },
		"too many":      func(a *Acknowledgement) { a.Acks = make([]RecordAck, MaxAcks+1) },
		"unknown state": func(a *Acknowledgement) { a.Acks[1].State = "seen" },
		"no state":      func(a *Acknowledgement) { a.Acks[0].State = "" },
		"long code":     func(a *Acknowledgement) { a.Acks[1].Code = strings.Repeat("X", 65) },
	} {
		a := sampleAcks()
		change(&a)
		raw, err := a.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseAcknowledgement(raw)
		requireMalformed(t, name, err)
	}
	full := Acknowledgement{Acks: repeated(sampleAcks().Acks[0], MaxAcks)}
	raw, err := full.Marshal()
	if err != nil || len(raw) > MaxBody {
		t.Fatalf("a full statement takes %d bytes, %v", len(raw), err)
	}
	if _, err := ParseAcknowledgement(raw); err != nil {
		t.Errorf("a full statement: %v", err)
	}
}

func repeated(ack RecordAck, n int) []RecordAck {
	acks := make([]RecordAck, n)
	for i := range acks {
		acks[i] = ack
	}
	return acks
}

// One value, one spelling: what is signed must not have a twin.
func TestASecondSpellingIsRefused(t *testing.T) {
	good, err := authorVectors[2].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseAuthor(good); err != nil {
		t.Fatal(err)
	}
	kind, agency := good[1:9], good[9:]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, raw := range map[string][]byte{
		"empty":             {},
		"cut":               good[:len(good)-1],
		"trailing byte":     join(good, []byte{0}),
		"keys in disorder":  join(good[:1], agency, kind),
		"duplicate key":     join([]byte{0xa3}, kind, kind, agency),
		"unknown key":       join([]byte{0xa3}, kind, agency, []byte{0x08, 0x00}),
		"key as text":       join([]byte{0xa3}, kind, agency, []byte{0x61, '4', 0x01}),
		"indefinite length": join([]byte{0xbf}, kind, agency, []byte{0xff}),
		"long head":         join([]byte{0xb8, 2}, kind, agency),
		"absent as zero":    join([]byte{0xa3}, kind, agency, []byte{0x04, 0x00}),
		"absent as null":    join([]byte{0xa3}, kind, agency, []byte{0x03, 0xf6}),
		"tagged":            join([]byte{0xc1}, good),
	} {
		_, err := ParseAuthor(raw)
		requireMalformed(t, name, err)
	}
}

func requireMalformed(t *testing.T, name string, err error) {
	t.Helper()
	if r := (*Rejection)(nil); !errors.As(err, &r) || r.Code != CodeMalformed {
		t.Errorf("%s: %v", name, err)
	}
}

func FuzzAuthor(f *testing.F) {
	for _, v := range authorVectors {
		raw, err := v.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseAuthor(raw)
		if err != nil {
			return
		}
		if again, err := a.Marshal(); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("read %x, written %x, %v", raw, again, err)
		}
	})
}

func FuzzAcknowledgement(f *testing.F) {
	acks := sampleAcks()
	raw, err := acks.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ParseAcknowledgement(raw)
		if err != nil {
			return
		}
		if again, err := a.Marshal(); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("read %x, written %x, %v", raw, again, err)
		}
	})
}
