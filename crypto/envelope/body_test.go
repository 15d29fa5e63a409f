package envelope_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
)

var (
	ledger = sm.Sum([]byte("a ledger"))
	record = []byte("canonical record bytes")
	author = []byte("author block")
)

func seal(t testing.TB) envelope.Sealed {
	t.Helper()
	sealed, err := envelope.Seal(rand.Reader, ledger, record, author)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestBodyOpensToWhatWasSealed(t *testing.T) {
	sealed := seal(t)
	if sealed.Digest != sm.Sum(sealed.Ciphertext) {
		t.Error("digest is not of the ciphertext")
	}
	o, err := envelope.Open(sealed.Key, ledger, sealed.Ciphertext, sealed.Commitment)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(o.Record, record) || !bytes.Equal(o.Author, author) {
		t.Errorf("%q %q", o.Record, o.Author)
	}
	if _, err := envelope.Open(sealed.Key, sm.Digest{}, sealed.Ciphertext, sealed.Commitment); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("on another ledger: %v", err)
	}
	if _, err := envelope.Open(sm.ContentKey{}, ledger, sealed.Ciphertext, sealed.Commitment); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("with another key: %v", err)
	}
	for i := range sealed.Ciphertext {
		bad := bytes.Clone(sealed.Ciphertext)
		bad[i] ^= 1
		if _, err := envelope.Open(sealed.Key, ledger, bad, sealed.Commitment); !errors.Is(err, envelope.ErrOpen) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

// A sealer who puts one thing in the body and commits to another must be found
// out by whoever opens it, though every tag is right.
func TestOpenAlwaysChecksTheCommitment(t *testing.T) {
	sealed := seal(t)
	lie := envelope.Commit([32]byte{}, record, author)
	if _, err := envelope.Open(sealed.Key, ledger, sealed.Ciphertext, lie); !errors.Is(err, envelope.ErrCommitment) {
		t.Fatal(err)
	}
}

func TestCommitmentFixesTheBorderOfRecordAndAuthor(t *testing.T) {
	var salt [32]byte
	if envelope.Commit(salt, []byte("ab"), []byte("c")) == envelope.Commit(salt, []byte("a"), []byte("bc")) {
		t.Fatal("one commitment for two contents")
	}
}

func TestDisclosureProvesOneRecordWithoutAKey(t *testing.T) {
	sealed := seal(t)
	o, err := envelope.Open(sealed.Key, ledger, sealed.Ciphertext, sealed.Commitment)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil || len(fields) != 3 {
		t.Fatalf("a disclosure has salt, record and author only: %s", b)
	}
	var received envelope.Opened
	if err := json.Unmarshal(b, &received); err != nil {
		t.Fatal(err)
	}
	if err := received.Verify(sealed.Commitment); err != nil {
		t.Fatal(err)
	}
	received.Record[0] ^= 1
	if err := received.Verify(sealed.Commitment); !errors.Is(err, envelope.ErrCommitment) {
		t.Fatalf("another record: %v", err)
	}
}

func TestBodyLimit(t *testing.T) {
	room := envelope.MaxBody - 53
	full, err := envelope.Seal(rand.Reader, ledger, make([]byte, room-10), make([]byte, 10))
	if err != nil || len(full.Ciphertext) != envelope.MaxBody {
		t.Fatalf("%d %v", len(full.Ciphertext), err)
	}
	if _, err := envelope.Open(full.Key, ledger, full.Ciphertext, full.Commitment); err != nil {
		t.Fatal(err)
	}
	if _, err := envelope.Seal(rand.Reader, ledger, make([]byte, room), make([]byte, 1)); !errors.Is(err, envelope.ErrTooLarge) {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := envelope.Seal(rand.Reader, ledger, make([]byte, 1<<20), nil); !errors.Is(err, envelope.ErrTooLarge) {
		t.Errorf("a megabyte: %v", err)
	}
	if _, err := envelope.Seal(rand.Reader, ledger, nil, author); err == nil {
		t.Error("an empty record")
	}
}

// The vector of docs/formats/body.md.
func TestBodyVector(t *testing.T) {
	sealed, err := envelope.Seal(counter(), ledger, record, author)
	if err != nil {
		t.Fatal(err)
	}
	const (
		ciphertext = "01324c9fdcf6354c4bb6ffa1b017c92c7a288ab6181fa627fdda7a2a51f7b09713" +
			"2caf9df4183af0ad7f4c36d7106c21de654e0a977ca479aafee4491b7a3267a2" +
			"d4ff4f6037fc2401a30c5eff92f2c3a5ce2d741303d4"
		commitment = "4ab02e1253b60447bed827c41257adaa8aa707eb58b9a847132012d0e2a54615"
	)
	if got := hex.EncodeToString(sealed.Ciphertext); got != ciphertext {
		t.Errorf("ciphertext %s", got)
	}
	if got := sealed.Commitment.String(); got != commitment {
		t.Errorf("commitment %s", got)
	}
}

// counter is the "random" source of the vectors: the bytes 00, 01, 02 … ff, 00.
func counter() *counting { return new(counting) }

type counting struct{ next byte }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = c.next
		c.next++
	}
	return len(b), nil
}

func FuzzOpen(f *testing.F) {
	var key sm.ContentKey
	sealed, err := envelope.Seal(rand.Reader, ledger, record, author)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed.Ciphertext)
	f.Add([]byte{1})
	// Bytes of the plaintext are fuzzed too: they are what a dishonest sealer
	// chooses.
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := envelope.Open(key, ledger, b, sealed.Commitment); err == nil {
			t.Fatal("opened without its key")
		}
		ct := key.AppendSeal([]byte{1}, [12]byte{}, b, sm.Message(sm.LabelBody, ledger, []byte{1}))
		o, err := envelope.Open(key, ledger, ct, sealed.Commitment)
		if err == nil && o.Verify(sealed.Commitment) != nil {
			t.Fatal("opened against its commitment")
		}
	})
}
