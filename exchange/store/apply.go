package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// errApplied answers items of an entry that was applied before, which happens
// only when Raft replays its log at start-up: nobody waits for them.
var errApplied = errors.New("store: this Raft entry was applied before")

// apply judges the items of one Raft entry, one by one and in order.
func (st *state) apply(index, term uint64, items [][]byte, stored bool) []any {
	results := make([]any, len(items))
	st.awaitBacklog()

	st.mu.RLock()
	err, known, directory := st.failed, st.applied.index, st.directory
	st.mu.RUnlock()
	if err == nil && index <= known && !stored {
		err = errApplied
	}
	if err != nil {
		return all(results, err)
	}
	candidates := st.foreseenAs(index, items)
	if candidates == nil {
		candidates = st.candidates(items, stored, directory)
	}

	st.mu.Lock()
	grown := false
	for i, c := range candidates {
		result, err := st.judge(c)
		if err != nil {
			st.mu.Unlock()
			st.fail(fmt.Errorf("store: apply %d: %w", index, err))
			return all(results, err)
		}
		results[i] = result
		grown = grown || result.Rejection == nil && !result.Replayed
		st.count(&result)
	}
	if !stored {
		st.applied.index, st.applied.term = index, term
	}
	if grown {
		st.applied.root = st.tree.Root()
		close(st.changed)
		st.changed = make(chan struct{})
	}
	full := st.applied.size-st.durable.size >= flushEntries
	st.mu.Unlock()

	for _, r := range results {
		if r, ok := r.(exchange.BatchResult); ok && !stored {
			st.refusals.note(index, &r)
		}
	}
	signal(st.wake)
	if full {
		signal(st.urgent)
	}
	return results
}

func all(results []any, err error) []any {
	for i := range results {
		results[i] = err
	}
	return results
}

func (st *state) count(r *exchange.BatchResult) {
	switch {
	case r.Rejection != nil:
		st.stats.Refused[r.Rejection.Code]++
	case r.Replayed:
		st.stats.Replayed++
	default:
		st.stats.Batches++
		st.stats.Entries += uint64(r.N)
	}
}

// worthPreparing spares the costly part for batches that will be refused or
// answered as replays without it.
func (st *state) worthPreparing(c *candidate, directory *peers.Directory) (key *sm.BatchPublic, ok bool) {
	if c.malformed != nil || c.batch.Preamble.Ledger != st.ledger {
		return nil, false
	}
	p := &c.batch.Preamble
	st.mu.RLock()
	seen := p.Seq <= st.origins[p.Origin].seq
	st.mu.RUnlock()
	if seen {
		return nil, false
	}
	return directory.BatchKey(p.Origin, p.Key)
}

// judge gives the verdict on one batch in the order of docs/formats/batch.md,
// and takes it onto the ledger if that is the verdict. An error is a fault of
// this node's storage, not a verdict. The caller holds the lock.
func (st *state) judge(c *candidate) (exchange.BatchResult, error) {
	if c.malformed != nil {
		return exchange.BatchResult{Rejection: c.malformed}, nil
	}
	p := &c.batch.Preamble
	result := exchange.BatchResult{Origin: p.Origin, Seq: p.Seq, N: p.N}
	refused := func(r *exchange.Rejection) (exchange.BatchResult, error) {
		result.Rejection = r
		return result, nil
	}
	if p.Ledger != st.ledger {
		return refused(refuse(exchange.CodeWrongLedger, -1, "made for another ledger"))
	}
	if !st.directory.Exchanges(p.Origin) {
		return refused(refuse(exchange.CodeUnknownOrigin, -1, "the origin is not a member that writes"))
	}
	key, ok := st.directory.BatchKey(p.Origin, p.Key)
	if !ok {
		return refused(refuse(exchange.CodeUnknownKey, -1, "not the origin's batch key"))
	}

	before := st.origins[p.Origin]
	if p.Seq <= before.seq {
		r, err := st.rowOf(p.Origin, p.Seq)
		if err != nil {
			return result, err
		}
		if r.preamble == c.digest {
			result.First, result.Replayed = r.first, true
			return result, nil
		}
	}
	c.prepare(key, st.config.Verified)
	switch {
	case !c.signed:
		return refused(refuse(exchange.CodeBadSignature, -1, "the signature does not hold"))
	case p.Seq <= before.seq:
		return refused(refuse(exchange.CodeBatchFork, -1, "another batch was accepted as number %d", p.Seq))
	case p.Seq != before.seq+1 || p.Previous != before.preamble:
		r := refuse(exchange.CodeSeqGap, -1, "number %d is expected, after the last accepted batch", before.seq+1)
		r.Expected = before.seq + 1
		return refused(r)
	case c.contents != nil:
		return refused(c.contents)
	}
	if r := c.checkHeaders(st.directory); r != nil {
		return refused(r)
	}
	if r, err := st.checkRefs(c); r != nil || err != nil {
		result.Rejection = r
		return result, err
	}
	directories, anchored, r, err := st.govern(c)
	if r != nil || err != nil {
		result.Rejection = r
		return result, err
	}
	result.First = st.applied.size
	return result, st.take(c, directories, anchored)
}

// checkRefs looks up each ref by its position. The leaf must lie before the
// batch. Whether its body was erased on this node plays no part: nodes erase
// at different times.
func (st *state) checkRefs(c *candidate) (*exchange.Rejection, error) {
	origin := c.batch.Preamble.Origin
	for i := range c.headers {
		ref := c.headers[i].Ref
		if ref == nil {
			continue
		}
		if ref.Index >= st.applied.size {
			return refuse(exchange.CodeBadRef, i, "no such leaf"), nil
		}
		target, err := st.header(ref.Index)
		switch {
		case err != nil:
			return nil, err
		case target.ID != ref.ID:
			return refuse(exchange.CodeBadRef, i, "the leaf there has another id"), nil
		case target.Origin != origin && !slices.Contains(target.Recipients, origin):
			return refuse(exchange.CodeBadRef, i, "the origin is no party to the entry referred to"), nil
		}
	}
	return nil, nil
}

// govern folds the batch's governance entries. It returns the directory behind
// each that changes it, and where the origin's last anchor is bound.
func (st *state) govern(c *candidate) (directories []*peers.Directory, anchored uint64, r *exchange.Rejection, err error) {
	directory := st.directory
	anchored = st.origins[c.batch.Preamble.Origin].anchored
	for i := range c.headers {
		h := &c.headers[i]
		if h.Class != exchange.ClassGovernance {
			continue
		}
		index := st.applied.size + uint64(i)
		body := c.batch.Items[i].Body
		after := directory
		var err error
		if h.Kind == peers.KindAnchor {
			var a peers.Anchor
			a, err = peers.TakeAnchor(anchored, index, body)
			anchored = a.Size
		} else if after, err = directory.With(index, h.Origin, h.Kind, body); err == nil {
			directories = append(directories, after)
			err = supported(after)
		}
		var rejection *peers.Rejection
		switch {
		case errors.As(err, &rejection):
			return nil, 0, refuse(exchange.Code(rejection.Code), i, "%s", rejection.Reason), nil
		case err != nil:
			return nil, 0, nil, err
		}
		directory = after
	}
	return directories, anchored, nil, nil
}

// supported fails when the regions have brought a format into force that this
// binary lacks: it would judge differently from the others.
func supported(d *peers.Directory) error {
	for _, f := range d.Policy().Formats {
		if !slices.Contains(exchange.Formats, f) {
			return fmt.Errorf("format %q is in force and this binary lacks it: install a newer one", f)
		}
	}
	return nil
}

// take puts an accepted batch onto the ledger.
func (st *state) take(c *candidate, directories []*peers.Directory, anchored uint64) error {
	b, first := &c.batch, st.applied.size
	if err := st.grow(c.leaves); err != nil {
		return err
	}

	a := &accepted{
		raw: c.raw, items: b.Items, headers: c.headers, since: time.Now(),
		info: &exchange.BatchInfo{
			RawPreamble: b.RawPreamble, Preamble: b.Preamble, Signature: b.Signature, Wraps: b.Wraps, First: first,
		},
		row: row{
			first: first, origin: b.Preamble.Origin, seq: b.Preamble.Seq, n: len(b.Items), preamble: c.digest,
			signature: crc32.Checksum(b.Signature, castagnoli), length: len(c.raw), stream: st.applied.stream,
			erased: c.erased,
		},
	}
	st.pending = append(st.pending, a)
	st.backlog += len(a.raw)
	for _, d := range directories {
		st.governed = append(st.governed, d.Next()-1)
		st.directory = d
	}
	st.directories = append(st.directories, directories...)
	st.origins[b.Preamble.Origin] = last{b.Preamble.Seq, c.digest, anchored}
	st.applied.size += uint64(len(b.Items))
	st.applied.batches++
	st.applied.stream += 4 + uint64(a.row.length)
	return nil
}

// grow appends leaves to the tree; a shadow has none.
func (st *state) grow(leaves []sm.Digest) error {
	if st.tree == nil {
		return nil
	}
	st.tiles.mu.Lock()
	defer st.tiles.mu.Unlock()
	for _, leaf := range leaves {
		if err := st.tree.Append(leaf, st.tiles.add); err != nil {
			return err
		}
	}
	return nil
}
