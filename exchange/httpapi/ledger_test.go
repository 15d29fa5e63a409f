package httpapi_test

import (
	"context"
	"errors"
	"testing"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
)

// memoryLedger is one batch of n leaves over the real tree.
type memoryLedger struct {
	entries   []exchange.Entry
	leaves    []sm.Digest
	directory *peers.Directory
}

func newLedger(t *testing.T, n int) *memoryLedger {
	t.Helper()
	directory := consortium.Found("110000", "120000", "130000", "140000").Directory()
	l := &memoryLedger{directory: directory}
	batch := &exchange.BatchInfo{Preamble: exchange.Preamble{Origin: "120000", Seq: 1, N: n}, RawPreamble: []byte("preamble"), Signature: []byte("signature")}
	for i := range n {
		h := exchange.Header{Class: exchange.ClassRecord, Kind: exchange.KindPenalty, ID: sm.Sum([]byte{byte(i)}), Origin: "120000",
			Recipients: []peers.Region{"110000"}, IssuedAt: received.Unix(), Commitment: &recordID, BodyDigest: recordID}
		raw, err := h.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		l.entries = append(l.entries, exchange.Entry{Index: uint64(i), RawHeader: raw, Header: h, Batch: batch})
		l.leaves = append(l.leaves, ledger.LeafHash(raw))
	}
	batch.Preamble.Root = ledger.RootOf(l.leaves)
	return l
}

func (l *memoryLedger) Head() exchange.Head {
	return exchange.Head{Size: uint64(len(l.leaves)), Root: ledger.RootOf(l.leaves)}
}
func (l *memoryLedger) Entries(from uint64, limit int) ([]exchange.Entry, error) {
	from = min(from, uint64(len(l.entries)))
	return l.entries[from:min(from+uint64(limit), uint64(len(l.entries)))], nil
}
func (l *memoryLedger) Directory() *peers.Directory { return l.directory }
func (l *memoryLedger) WaitSize(ctx context.Context, size uint64) error {
	if size <= uint64(len(l.leaves)) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}
func (l *memoryLedger) RootAt(size uint64) (sm.Digest, error) {
	return ledger.RootOf(l.leaves[:size]), nil
}
func (l *memoryLedger) Inclusion(index, size uint64) ([]sm.Digest, error) {
	return ledger.InclusionOf(l.leaves[:size], index)
}
func (l *memoryLedger) node(level uint, index uint64) (sm.Digest, error) {
	first, end := index<<level, (index+1)<<level
	if end > uint64(len(l.leaves)) {
		return sm.Digest{}, errors.New("incomplete node")
	}
	return ledger.RootOf(l.leaves[first:end]), nil
}
func (l *memoryLedger) Consistency(from, to uint64) ([]sm.Digest, error) {
	return ledger.Consistency(from, to, l.node)
}
