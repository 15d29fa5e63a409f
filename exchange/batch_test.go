package exchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// The batch vector of docs/formats/batch.md: one clear entry, so that it holds
// no random bytes but the signature's.
const vectorBatchKey = "04b74f7e46f0aade4a6d4f055d7200108354e876608e60a06ad73f760fd76b1995" +
	"6e4e2f0e17398e9b222fe9832d944bcef254d526a0516f6b6869da9d614e1cbd"

func TestBatchVector(t *testing.T) {
	raw := vector(t, "batch.hex")
	b, err := ParseBatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	point, err := hex.DecodeString(vectorBatchKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sm.ParsePublic[sm.Batch](point)
	if err != nil {
		t.Fatal(err)
	}
	if b.Preamble.Key != key.ID() {
		t.Error("another key")
	}
	if err := key.Verify(sm.LabelBatch, b.Preamble.Ledger, b.RawPreamble, b.Signature); err != nil {
		t.Error(err)
	}
	want := Preamble{
		Ledger: filled(0x99), Origin: "120000", Key: key.ID(), Seq: 7, Previous: filled(0xaa), N: 1,
		Root: ledger.LeafHash(b.Items[0].Header),
	}
	if b.Preamble != want {
		t.Errorf("preamble: %+v", b.Preamble)
	}
	if !bytes.Equal(want.Marshal(), b.RawPreamble) {
		t.Error("the preamble is written differently")
	}
	h, err := ParseHeader(b.Items[0].Header)
	if err != nil || h.BodyDigest != sm.Sum(b.Items[0].Body) || string(b.Items[0].Body) != "clear" {
		t.Errorf("item: %+v, %v", h, err)
	}
	if again, err := b.Marshal(); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("written as %x, %v", again, err)
	}
}

func TestABatchHasOneSpelling(t *testing.T) {
	raw := vector(t, "batch.hex")
	for i := range raw {
		if _, err := ParseBatch(raw[:i]); err == nil {
			t.Errorf("%d bytes were taken for a batch", i)
		}
	}
	const seqAt, countAt = 2 + 1 + 32 + 6 + 16, 2 + 1 + 32 + 6 + 16 + 8 + 32
	for name, spoil := range map[string]func([]byte) []byte{
		"another version":   func(b []byte) []byte { b[2] = 2; return b },
		"number 0":          func(b []byte) []byte { clear(b[seqAt : seqAt+8]); return b },
		"no items":          func(b []byte) []byte { b[countAt+1] = 0; return b },
		"more than 256":     func(b []byte) []byte { b[countAt] = 2; return b },
		"two items, not":    func(b []byte) []byte { b[countAt+1] = 2; return b },
		"origin":            func(b []byte) []byte { b[2+1+32] = '0'; return b },
		"long signature":    func(b []byte) []byte { b[2+preambleSize] = maxSignature + 1; return b },
		"no signature":      func(b []byte) []byte { b[2+preambleSize] = 0; return b },
		"something behind":  func(b []byte) []byte { return append(b, 0) },
		"more than 256 KiB": func(b []byte) []byte { return append(b, make([]byte, MaxBatch)...) },
	} {
		_, err := ParseBatch(spoil(bytes.Clone(raw)))
		var rejection *Rejection
		if !errors.As(err, &rejection) || rejection.Code != CodeMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyASnapshotMayLackABody(t *testing.T) {
	b, err := ParseBatch(vector(t, "batch.hex"))
	if err != nil {
		t.Fatal(err)
	}
	b.Items[0].Body = nil
	raw, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseBatch(raw); err == nil {
		t.Error("taken from Raft")
	}
	got, err := ParseStoredBatch(raw)
	if err != nil || got.Items[0].Body != nil {
		t.Errorf("from a snapshot: %v", err)
	}
}

func TestBatchLimits(t *testing.T) {
	b, err := ParseBatch(vector(t, "batch.hex"))
	if err != nil {
		t.Fatal(err)
	}
	sized := func(bodies ...int) ([]byte, error) {
		batch := b
		batch.Items = nil
		for _, n := range bodies {
			batch.Items = append(batch.Items, Item{Header: b.Items[0].Header, Body: make([]byte, n)})
		}
		batch.Preamble.N = len(bodies)
		batch.RawPreamble = batch.Preamble.Marshal()
		return batch.Marshal()
	}
	for _, n := range []int{1, MaxBody} {
		raw, err := sized(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseBatch(raw); err != nil {
			t.Errorf("body of %d: %v", n, err)
		}
	}
	raw, err := sized(MaxBody + 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseBatch(raw); err == nil {
		t.Error("a body over its limit was taken")
	}
	if _, err := sized(MaxBody, MaxBody, MaxBody, MaxBody); err == nil {
		t.Error("a batch over its limit was written")
	}
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "n")
		b := Batch{Preamble: Preamble{
			Ledger: filled(1), Origin: "120000", Seq: rapid.Uint64Min(1).Draw(t, "seq"), N: n, Root: filled(2),
		}}
		b.RawPreamble = b.Preamble.Marshal()
		b.Signature = rapid.SliceOfN(rapid.Byte(), 1, maxSignature).Draw(t, "signature")
		b.Wraps = rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "wraps")
		for range n {
			h := drawHeader(t)
			raw, err := h.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			b.Items = append(b.Items, Item{Header: raw, Body: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "body")})
		}
		raw, err := b.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseBatch(raw)
		if err != nil || !reflect.DeepEqual(got, b) {
			t.Fatalf("%+v came back as %+v, %v", b, got, err)
		}
	})
}

// Bytes that are a batch are written back as the same bytes, and what Raft may
// carry a snapshot may too.
func FuzzParseBatch(f *testing.F) {
	f.Add(vector(f, "batch.hex"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		stored, storedErr := ParseStoredBatch(raw)
		if storedErr == nil {
			if again, err := stored.Marshal(); err != nil || !bytes.Equal(again, raw) {
				t.Errorf("a second spelling: %x, %v", again, err)
			}
		}
		if _, err := ParseBatch(raw); err == nil && storedErr != nil {
			t.Errorf("only Raft takes it: %v", storedErr)
		}
	})
}

func FuzzParsePreamble(f *testing.F) {
	b, err := ParseBatch(vector(f, "batch.hex"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.RawPreamble)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePreamble(raw)
		if err == nil && !bytes.Equal(p.Marshal(), raw) {
			t.Error("a second spelling")
		}
	})
}
