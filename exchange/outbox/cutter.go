// Package outbox carries a region's accepted entries to the shared ledger:
// it cuts them into batches, signs each batch once, proposes it and, after a
// refusal, takes the bad entry out and cuts again.
//
// What is accepted is in the journal already; nothing here can lose it. A cut
// is in the journal before anyone else sees it, so that a resend after a crash
// is byte-identical and can't look like a fork.
package outbox

import (
	"errors"
	"fmt"
	"slices"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Cutter makes signed batches. The caller knows the last seq and preamble.
type Cutter struct {
	Ledger  sm.Digest
	Region  peers.Region
	Keys    func() []*sm.BatchKey // held here; the directory says which signs
	Secrets *envelope.Secrets
}

// Room of a batch: what an entry adds to its size besides header and body.
// A wrap is a key and its tag, one for each recipient and one for the origin.
const (
	batchRoom     = 1 << 10 // preamble, signature, lengths
	recipientRoom = 256     // the SM2 ciphertext of S and its frame, per region
	wrapRoom      = 64
	itemRoom      = 8
)

// Fit returns how many of the first entries go into one batch.
func Fit(entries []exchange.Pending) int {
	size := batchRoom
	regions := map[peers.Region]bool{}
	for i, e := range entries {
		h, err := exchange.ParseHeader(e.Header)
		if err != nil {
			return max(i, 1) // alone in its batch it is refused alone
		}
		size += len(e.Header) + len(e.Body) + itemRoom
		for _, r := range append(h.Recipients, h.Origin) {
			size += wrapRoom
			if !regions[r] {
				regions[r] = true
				size += recipientRoom
			}
		}
		if i > 0 && (size > exchange.MaxBatch || i == exchange.MaxBatchItems) {
			return i
		}
	}
	return len(entries)
}

// Cut makes the batch with this seq after the preamble with digest previous.
// It draws new wrap secrets: two cuts of the same entries differ.
func (c *Cutter) Cut(entries []exchange.Pending, seq uint64, previous sm.Digest, dir *peers.Directory) (exchange.Batch, error) {
	b := exchange.Batch{Items: make([]exchange.Item, len(entries))}
	items := make([]envelope.Item, len(entries))
	keys := map[string]*sm.DecryptionPublic{}
	sealed := false
	for i, e := range entries {
		h, err := exchange.ParseHeader(e.Header)
		if err != nil {
			return b, fmt.Errorf("entry %s: %w", e.ID, err)
		}
		b.Items[i] = exchange.Item{Header: e.Header, Body: e.Body}
		items[i] = envelope.Item{EntryID: e.ID, Key: e.Key}
		if h.Class == exchange.ClassGovernance {
			continue
		}
		sealed = true
		for _, r := range append(h.Recipients, h.Origin) {
			key, ok := dir.Decryption(r)
			if !ok {
				return b, fmt.Errorf("entry %s: no decryption key for region %s", e.ID, r)
			}
			keys[string(r)] = key
			items[i].Recipients = append(items[i].Recipients, string(r))
		}
	}
	key, err := c.signer(dir)
	if err != nil {
		return b, err
	}
	leaves := ledger.LeafHashes(len(entries), func(i int) []byte { return entries[i].Header })
	p := exchange.Preamble{
		Ledger: c.Ledger, Origin: c.Region, Key: key.Public().ID(), Seq: seq,
		Previous: previous, N: len(entries), Root: ledger.RootOf(leaves),
	}
	if sealed {
		wraps, err := envelope.Wrap(c.Secrets, c.Ledger, string(c.Region), seq, items, keys)
		if err != nil {
			return b, fmt.Errorf("wrap batch %d: %w", seq, err)
		}
		parsed, err := envelope.ParseWraps(wraps)
		if err != nil {
			return b, fmt.Errorf("wrap batch %d: %w", seq, err)
		}
		b.Wraps, p.WrapsDigest = wraps, parsed.Digest()
	}
	b.Preamble, b.RawPreamble = p, p.Marshal()
	if b.Signature, err = key.Sign(sm.LabelBatch, c.Ledger, b.RawPreamble); err != nil {
		return b, fmt.Errorf("sign batch %d: %w", seq, err)
	}
	return b, nil
}

// errFenced says that another node signs for the region now, or none: it ends
// when the directory takes a key in that this node holds.
var errFenced = errors.New("outbox: no batch key that this node holds is in force")

// signer is the key that the directory took in last, of those held.
func (c *Cutter) signer(dir *peers.Directory) (*sm.BatchKey, error) {
	held := c.Keys()
	for _, public := range slices.Backward(dir.BatchKeys(c.Region)) {
		for _, k := range held {
			if k.Public().Equal(public) {
				return k, nil
			}
		}
	}
	return nil, errFenced
}
