package receipt

import (
	"errors"
	"fmt"
	"slices"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Verdict is what a receipt shows. Every field was checked or follows from what
// was.
type Verdict struct {
	State     State
	Checks    []Check
	Ledger    sm.Digest
	Header    exchange.Header
	Batch     exchange.Preamble // zero for a ticket
	Index     uint64            // witnessed only
	Witnesses []peers.Region    // that cosigned the checkpoint
	Of        int               // regions that could have
	Size      uint64            // of the checkpoint
	Doubtful  bool              // the batch key was revoked later, and the entry lies in the time it is suspected of
	After     int64             // Unix seconds: the entry was not yet witnessed then; 0: not known
	By        int64             // Unix seconds: it was then
	Author    *exchange.Author  // disclosed only
	// AuthorDoubtful says of the agency's key what Doubtful says of the region's.
	AuthorDoubtful bool
	Record         []byte           // disclosed only, canonical
	Penalty        *schemas.Penalty // disclosed only, if it is one
}

// Verify checks a receipt file against a genesis. The verdict is of the checks
// that hold; the error, if any, is a *Failure naming the first that does not.
// A provisional receipt has no failure: what it is its State says.
func Verify(raw []byte, g *peers.Genesis) (Verdict, error) {
	v := verification{genesis: g}
	r, err := Parse(raw)
	if err == nil && r.State() == "" {
		err = errForm
	}
	if !v.did(stepForm, err) {
		return v.Verdict, v.failure
	}
	v.State = r.State()
	v.receipt(&r)
	if v.failure != nil {
		return v.Verdict, v.failure
	}
	return v.Verdict, nil
}

// verification runs the steps of one receipt and stops at the first that fails.
type verification struct {
	Verdict
	genesis *peers.Genesis
	failure *Failure

	founded   *peers.Directory
	witnesses peers.History
	covering  peers.Checkpoint
}

// did notes the outcome of a step and reports whether to go on.
func (v *verification) did(s step, err error) bool {
	if err != nil {
		v.failure = s.fail(err)
		return false
	}
	v.Checks = append(v.Checks, Check{s.code, s.holds})
	return true
}

func (v *verification) receipt(r *Receipt) {
	var err error
	v.founded, err = peers.NewDirectory(v.genesis)
	if !v.did(stepGenesis, err) {
		return
	}
	v.Ledger = v.founded.Ledger()
	if v.Header, err = exchange.ParseHeader(r.Entry); err != nil {
		v.failure = stepForm.fail(err)
		return
	}
	if r.Checkpoint != "" && !v.checkpoint(r) {
		return
	}
	if r.Leaf != nil && !v.leaf(r) {
		return
	}
	if r.Ticket != nil {
		v.ticket(r)
	} else {
		v.batch(r)
	}
	if v.failure == nil && r.Disclosed != nil {
		v.disclosed(r.Disclosed)
	}
}

func (v *verification) checkpoint(r *Receipt) bool {
	var err error
	v.witnesses, err = peers.FollowHandovers(v.Ledger, v.founded.Witnesses(), r.Handovers)
	if len(r.Handovers) > 0 && !v.did(stepHandover, err) || err != nil {
		return false
	}
	v.covering, v.Witnesses, err = v.witnesses.Judge(r.Checkpoint)
	if err == nil && v.witnesses.Size() >= v.covering.Size {
		err = errors.New("a handover lies behind the checkpoint")
	}
	if !v.did(stepCheckpoint, err) {
		return false
	}
	v.Size, v.By = v.covering.Size, signedBy(v.covering, len(v.Witnesses)/2)
	v.Of = len(v.witnesses.At(v.covering.Size).Regions())
	return true
}

func (v *verification) leaf(r *Receipt) bool {
	v.Index = r.Leaf.Index
	leaf := ledger.LeafHash(r.Entry)
	if !v.did(stepLeaf, ledger.VerifyInclusion(v.Index, v.covering.Size, leaf, r.Leaf.Path, v.covering.Root)) {
		return false
	}
	if r.Before == "" {
		return true
	}
	before, by, err := v.witnesses.Judge(r.Before)
	if err == nil && before.Size > v.Index {
		err = fmt.Errorf("it has %d entries, this is entry %d", before.Size, v.Index)
	}
	if !v.did(stepBefore, err) {
		return false
	}
	v.After = signedBy(before, (len(by)-1)/2)
	return true
}

// signedBy is the i-th earliest time of a checkpoint's cosignatures. Of the
// middle ones at least one honest clock lies on either side, as long as the
// liars are fewer than half of the quorum.
func signedBy(c peers.Checkpoint, i int) int64 {
	times := make([]int64, len(c.Cosignatures))
	for j := range times {
		times[j] = c.Cosignatures[j].Time
	}
	slices.Sort(times)
	return times[i]
}

// batch checks the origin's signature over the batch, and that the entry is in
// it.
func (v *verification) batch(r *Receipt) {
	p, err := exchange.ParsePreamble(r.Batch.Preamble)
	switch {
	case err != nil:
	case p.Ledger != v.Ledger:
		err = errors.New("it was signed for another ledger")
	case p.Origin != v.Header.Origin:
		err = errors.New("it is another region's")
	case r.Batch.Item < 0 || v.State == Witnessed && uint64(r.Batch.Item) > v.Index:
		err = errors.New("the entry has no such place in it")
	default:
		err = ledger.VerifyInclusion(uint64(r.Batch.Item), uint64(p.N), ledger.LeafHash(r.Entry), r.Batch.Path, p.Root)
	}
	if err != nil {
		v.failure = stepBatch.fail(err)
		return
	}
	v.Batch = p
	first := v.Index - uint64(r.Batch.Item) // what a batch key signs is judged by the batch's first leaf
	key, err := v.batchKey(r.Key, p.Origin, func(k peers.Validity) bool { return k.At(first) })
	if err == nil && key.ID() != p.Key {
		err = errors.New("the batch names another key")
	}
	if !v.did(stepKey, err) {
		return
	}
	v.did(stepBatch, key.Verify(sm.LabelBatch, v.Ledger, r.Batch.Preamble, r.Batch.Signature))
}

func (v *verification) ticket(r *Receipt) {
	key, err := v.batchKey(r.Key, v.Header.Origin, peers.Validity.InForce)
	if v.did(stepKey, err) {
		v.did(stepTicket, key.Verify(sm.LabelTicket, v.Ledger, r.Entry, r.Ticket))
	}
}

func (v *verification) disclosed(d *Disclosed) {
	if v.Header.Commitment == nil {
		v.failure = stepContent.fail(errors.New("the entry commits to nothing"))
		return
	}
	opened := envelope.Opened{Salt: d.Salt, Record: d.Record, Author: d.Author}
	if !v.did(stepContent, opened.Verify(*v.Header.Commitment)) {
		return
	}
	author, err := exchange.ParseAuthor(d.Author)
	if err == nil {
		err = v.author(d, &author)
	}
	if !v.did(stepAuthor, err) {
		return
	}
	v.Author, v.Record = &author, d.Record
	if v.Header.Kind == exchange.KindPenalty {
		if v.Penalty, err = schemas.DecodePenalty(d.Record); err != nil {
			v.failure = stepContent.fail(err)
		}
	}
}
