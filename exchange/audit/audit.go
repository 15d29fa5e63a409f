// Package audit re-derives a ledger from what a node shows of it: signatures,
// leaves, roots, cosignatures and the directory by which they are judged. It
// believes nothing but a genesis, and says what it found different first.
//
// It reads no network: its caller feeds it batches and checkpoints in order.
package audit

import (
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Batch is an accepted batch as far as an auditor sees it: no sealed body, and
// so no wraps either.
type Batch struct {
	First     uint64 // leaf index of item 0
	Preamble  []byte
	Signature []byte
	Headers   [][]byte
	Clear     map[int][]byte // bodies of governance entries, by item
}

// Difference is the first thing that is not what it ought to be.
type Difference struct {
	Index uint64 // leaf, or the size of a checkpoint
	Code  string
	Cause error
}

func (d *Difference) Error() string { return fmt.Sprintf("%s at %d: %v", d.Code, d.Index, d.Cause) }
func (d *Difference) Unwrap() error { return d.Cause }

// Codes of differences.
const (
	CodeBatch      = "BATCH"      // malformed, not contiguous, out of its origin's sequence
	CodeKey        = "KEY"        // signed by no batch key of its origin
	CodeSignature  = "SIGNATURE"  // the signature does not hold
	CodeRoot       = "ROOT"       // the preamble's root is not that of the headers
	CodeHeader     = "HEADER"     // malformed, or of another origin
	CodeRef        = "REF"        // refers to what is not behind it
	CodeGovernance = "GOVERNANCE" // a clear body is missing, another, or does not apply
	CodeCheckpoint = "CHECKPOINT" // states another root or directory than the entries make
	CodeWitness    = "WITNESS"    // too few valid cosignatures
)

// Auditor folds a ledger. It is not safe for concurrent use.
type Auditor struct {
	ledger    sm.Digest
	tree      *ledger.Tree
	directory *peers.Directory
	before    peers.WitnessSet // as of the last checkpoint
	origins   map[peers.Region]last
	whole     bool // from the first entry on: sequences are known
	counts    Counts
}

// last is the last accepted batch of an origin.
type last struct {
	seq      uint64
	digest   sm.Digest
	anchored uint64 // size at which its last anchor is bound
}

// Counts are what was verified.
type Counts struct {
	Entries     uint64 `json:"entries"`
	Batches     uint64 `json:"batches"`
	Checkpoints uint64 `json:"checkpoints"`
	Governance  uint64 `json:"governance"`
}

// New starts at the first entry of the ledger that the genesis founds.
func New(g *peers.Genesis) (*Auditor, error) {
	d, err := peers.NewDirectory(g)
	if err != nil {
		return nil, err
	}
	return &Auditor{
		ledger: d.Ledger(), tree: ledger.NewTree(), directory: d, before: d.Witnesses(),
		origins: map[peers.Region]last{}, whole: true,
	}, nil
}

// Size is the number of entries that the tree has.
func (a *Auditor) Size() uint64 { return a.tree.Size() }

// Counts are what was verified so far.
func (a *Auditor) Counts() Counts { return a.counts }

// Directory is as of Size.
func (a *Auditor) Directory() *peers.Directory { return a.directory }

// Batch takes the next batch, with the witnessed checkpoints of sizes behind its
// first entry and up to its last, ascending: one may lie inside, for a change of
// the witnesses has a checkpoint of its own. Its error is a *Difference.
func (a *Auditor) Batch(b *Batch, stated ...peers.Checkpoint) error {
	p, err := exchange.ParsePreamble(b.Preamble)
	if err == nil {
		err = a.sequence(b, &p)
	}
	if err != nil {
		return &Difference{b.First, CodeBatch, err}
	}
	key, ok := a.directory.BatchKey(p.Origin, p.Key)
	if !ok {
		return &Difference{b.First, CodeKey, fmt.Errorf("key %s is not a batch key of %s in force there", p.Key, p.Origin)}
	}
	if err := key.Verify(sm.LabelBatch, a.ledger, b.Preamble, b.Signature); err != nil {
		return &Difference{b.First, CodeSignature, fmt.Errorf("batch %d of %s: %w", p.Seq, p.Origin, err)}
	}
	leaves := ledger.LeafHashes(len(b.Headers), func(i int) []byte { return b.Headers[i] })
	if ledger.RootOf(leaves) != p.Root {
		return &Difference{b.First, CodeRoot, fmt.Errorf("batch %d of %s", p.Seq, p.Origin)}
	}
	for i, leaf := range leaves {
		if a.directory, err = a.header(b, i, p.Origin, a.directory); err != nil {
			return err
		}
		if err := a.tree.Append(leaf, nil); err != nil {
			return &Difference{b.First, CodeBatch, err}
		}
		for len(stated) > 0 && stated[0].Size <= a.Size() {
			if err := a.checkpoint(stated[0]); err != nil {
				return err
			}
			stated = stated[1:]
		}
	}
	a.origins[p.Origin] = last{p.Seq, sm.Sum(b.Preamble), a.origins[p.Origin].anchored}
	a.counts.Batches++
	a.counts.Entries += uint64(len(leaves))
	return nil
}

// sequence checks that the batch stands where it says.
func (a *Auditor) sequence(b *Batch, p *exchange.Preamble) error {
	before := a.origins[p.Origin]
	switch {
	case p.Ledger != a.ledger:
		return errors.New("signed for another ledger")
	case b.First != a.Size():
		return fmt.Errorf("begins at %d, %d is next", b.First, a.Size())
	case len(b.Headers) != p.N:
		return fmt.Errorf("%d headers, the preamble says %d", len(b.Headers), p.N)
	case (before.seq > 0 || a.whole) && (p.Seq != before.seq+1 || p.Previous != before.digest):
		return fmt.Errorf("batch %d of %s does not follow its batch %d", p.Seq, p.Origin, before.seq)
	}
	return nil
}

// header checks one entry and folds it into the directory if it is governance.
func (a *Auditor) header(b *Batch, item int, origin peers.Region, d *peers.Directory) (*peers.Directory, error) {
	index := b.First + uint64(item)
	h, err := exchange.ParseHeader(b.Headers[item])
	switch {
	case err != nil:
		return d, &Difference{index, CodeHeader, err}
	case h.Origin != origin:
		return d, &Difference{index, CodeHeader, fmt.Errorf("of %s in a batch of %s", h.Origin, origin)}
	case h.Ref != nil && h.Ref.Index >= b.First:
		return d, &Difference{index, CodeRef, fmt.Errorf("refers to entry %d", h.Ref.Index)}
	case h.Class != exchange.ClassGovernance:
		return d, nil
	}
	body, ok := b.Clear[item]
	if !ok || sm.Sum(body) != h.BodyDigest {
		return d, &Difference{index, CodeGovernance, errors.New("its clear body is missing or another")}
	}
	if h.Kind == peers.KindAnchor {
		return d, a.anchor(index, origin, body)
	}
	after, err := d.With(index, origin, h.Kind, body)
	if err != nil {
		return d, &Difference{index, CodeGovernance, fmt.Errorf("%s: %w", h.Kind, err)}
	}
	a.counts.Governance++
	return after, nil
}

// anchor checks that a region states one set for each size.
func (a *Auditor) anchor(index uint64, origin peers.Region, body []byte) error {
	at := a.origins[origin]
	taken, err := peers.TakeAnchor(at.anchored, index, body)
	if err != nil {
		return &Difference{index, CodeGovernance, err}
	}
	at.anchored = taken.Size
	a.origins[origin] = at
	a.counts.Governance++
	return nil
}

// checkpoint compares a witnessed checkpoint with the present size. Behind a
// change of the witnesses those before it may still have signed.
func (a *Auditor) checkpoint(c peers.Checkpoint) error {
	differs := func(code, format string, args ...any) error {
		return &Difference{c.Size, code, fmt.Errorf(format, args...)}
	}
	switch {
	case c.Ledger != a.ledger:
		return differs(CodeCheckpoint, "of another ledger")
	case c.Size != a.Size():
		return differs(CodeCheckpoint, "the entries are %d, it was passed by", a.Size())
	case c.Root != a.tree.Root():
		return differs(CodeCheckpoint, "states root %s, the entries make %s", c.Root, a.tree.Root())
	case c.Directory != a.directory.Root():
		return differs(CodeCheckpoint, "states directory %s, the entries make %s", c.Directory, a.directory.Root())
	}
	now := a.directory.Witnesses()
	_, err := c.Verify(now)
	if err != nil {
		_, err = c.Verify(a.before)
	}
	if err != nil {
		return differs(CodeWitness, "%w", err)
	}
	a.before = now
	a.counts.Checkpoints++
	return nil
}
