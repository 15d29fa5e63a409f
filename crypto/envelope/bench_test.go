package envelope_test

import (
	"crypto/rand"
	"testing"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// A penalty record with its author block is about 1 KiB.
var penalty = make([]byte, 900)

func BenchmarkSeal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := envelope.Seal(rand.Reader, ledger, penalty, author); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	sealed, err := envelope.Seal(rand.Reader, ledger, penalty, author)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := envelope.Open(sealed.Key, ledger, sealed.Ciphertext, sealed.Commitment); err != nil {
			b.Fatal(err)
		}
	}
}

// fullBatch is 256 records for the origin and one other region.
func fullBatch(b *testing.B) (regions, []envelope.Item) {
	recipients := make([][]string, envelope.MaxItems)
	for i := range recipients {
		recipients[i] = []string{"beijing", "tianjin"}
	}
	return newRegions(b, "beijing", "tianjin"), newItems(b, recipients...)
}

func BenchmarkWrap256(b *testing.B) {
	r, items := fullBatch(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 7, items, r.public); err != nil {
			b.Fatal(err)
		}
	}
}

// What Apply does with the wraps of a batch.
func BenchmarkParseAndDigest256(b *testing.B) {
	r, items := fullBatch(b)
	raw, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 7, items, r.public)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var sum sm.Digest
	for b.Loop() {
		w, err := envelope.ParseWraps(raw)
		if err != nil {
			b.Fatal(err)
		}
		sum = w.Digest()
	}
	_ = sum
}

func BenchmarkUnlock256(b *testing.B) {
	r, items := fullBatch(b)
	w := wrap(b, r, items)
	b.ReportAllocs()
	for b.Loop() {
		u, err := w.Unlock(r.private["tianjin"], ledger, "beijing", 7, "tianjin")
		if err != nil {
			b.Fatal(err)
		}
		for i, item := range items {
			if _, err := u.Key(i, item.EntryID); err != nil {
				b.Fatal(err)
			}
		}
	}
}
