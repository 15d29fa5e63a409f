package outbox_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
)

const (
	tianjin = peers.Region("120000")
	beijing = peers.Region("110000")
	hebei   = peers.Region("130000")
	shanxi  = peers.Region("140000")
)

// founding is the ground that all tests stand on; its keys are made once.
type founding struct {
	directory *peers.Directory
	batch     *sm.BatchKey
	sealer    exchange.Sealer
}

var founded = sync.OnceValue(func() founding {
	c := consortium.Found(beijing, tianjin, hebei, shanxi)
	f := founding{batch: c.Batch[tianjin], directory: c.Directory()}
	f.sealer = exchange.Sealer{
		Ledger: c.Genesis.LedgerID(), Region: tianjin, Rand: rand.Reader,
		Secret: must(exchange.NewIDSecret(bytes.Repeat([]byte{7}, 32))),
	}
	return f
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// entry authors a sealed record with a body of about size bytes.
func entry(order uint64, size int, to ...peers.Region) exchange.Pending {
	f := founded()
	id := f.sealer.Secret.EntryID(exchange.KindPenalty, binary.BigEndian.AppendUint64(nil, order), 0)
	authored, key, err := f.sealer.Seal(exchange.ClassRecord, exchange.KindPenalty, id, to, time.Unix(1_730_000_000, 0),
		make([]byte, size), []byte("author"))
	if err != nil {
		panic(err)
	}
	return exchange.Pending{Order: order, ID: id, Header: authored.Header, Body: authored.Body, Key: key, Slot: order}
}

// region is journal and casebook of one region: the events in memory, and the
// part of the fold that the outbox asks. It outlives a drain, as disks do.
type region struct {
	exchange.Journal  // what the outbox does not call
	exchange.Casebook // likewise

	mu      sync.Mutex
	entries []exchange.Pending
	cut     map[exchange.EntryID]bool
	refused map[exchange.EntryID]exchange.Code
	cuts    []exchange.BatchCut
	last    exchange.Position
	behind  bool          // it has not read the ledger
	moved   chan struct{} // closed and replaced at every event
}

func newRegion() *region {
	return &region{cut: map[exchange.EntryID]bool{}, refused: map[exchange.EntryID]exchange.Code{}, moved: make(chan struct{})}
}

// accept authors n more entries.
func (r *region) accept(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		r.entries = append(r.entries, entry(uint64(len(r.entries)+1), 200, beijing))
	}
	r.move(1)
}

func (r *region) move(n int) {
	r.last += exchange.Position(n)
	close(r.moved)
	r.moved = make(chan struct{})
}

func (r *region) Append(_ context.Context, events ...exchange.Event) (exchange.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		switch {
		case e.Cut != nil:
			r.cuts = append(r.cuts, *e.Cut)
			for _, id := range e.Cut.Items {
				r.cut[id] = true
			}
		case e.Refused != nil:
			r.void(e.Refused)
		}
	}
	r.move(len(events))
	return r.last, nil
}

// void gives back the entries of the refused cut and of all later ones.
func (r *region) void(refused *exchange.BatchRefused) {
	r.cuts = slices.DeleteFunc(r.cuts, func(c exchange.BatchCut) bool {
		if must(exchange.ParsePreamble(c.Preamble)).Seq < refused.Seq {
			return false
		}
		for _, id := range c.Items {
			delete(r.cut, id)
		}
		return true
	})
	if !refused.Item.IsZero() {
		r.refused[refused.Item] = refused.Code
	}
}

func (r *region) Last() exchange.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *region) Position() exchange.Position { return r.Last() }

func (r *region) Followed() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.behind {
		return 0
	}
	return math.MaxUint64
}

// follow reads the ledger: what is there waits no more.
func (r *region) follow(l *sharedLedger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range l.entries {
		r.cut[id] = true
	}
	r.behind = false
	r.move(1)
}

func (r *region) WaitFor(ctx context.Context, at exchange.Position) error {
	for {
		r.mu.Lock()
		last, moved := r.last, r.moved
		r.mu.Unlock()
		if last >= at {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *region) Pending(after uint64, limit int) (out []exchange.Pending, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		if _, refused := r.refused[e.ID]; e.Order > after && !r.cut[e.ID] && !refused && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (r *region) Cuts() ([]exchange.BatchCut, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cuts), nil
}

func (r *region) Authored(id exchange.EntryID) (exchange.Pending, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		if e.ID == id {
			return e, nil
		}
	}
	return exchange.Pending{}, exchange.ErrNotFound
}

// sharedLedger judges batches as Apply does, in the order in which they are
// proposed, and answers after latency.
type sharedLedger struct {
	exchange.Ledger // what the outbox does not call

	latency time.Duration
	bad     map[exchange.EntryID]bool
	// script, if set, answers in the place of Apply: lost is never answered.
	script func(p exchange.Preamble) (answer *exchange.Rejection, lost bool)

	mu       sync.Mutex
	seq      uint64
	preamble sm.Digest
	entries  []exchange.EntryID
	foreign  uint64   // entries of other regions
	sizes    []int    // of the batches accepted
	proposed [][]byte // all, as they came
}

// others adds entries of other regions.
func (l *sharedLedger) others(n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.foreign += n
}

// Head leaves out what is judged and not answered yet, and so all of ours.
func (l *sharedLedger) Head() exchange.Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return exchange.Head{Size: l.foreign}
}

func (l *sharedLedger) Directory() *peers.Directory { return founded().directory }

func (l *sharedLedger) LastBatch(peers.Region) (uint64, sm.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq, l.preamble
}

var errLost = errors.New("no answer")

func (l *sharedLedger) Start(ctx context.Context, raw []byte) func() (exchange.BatchResult, error) {
	result, err := l.apply(raw)
	answer := time.After(l.latency)
	return func() (exchange.BatchResult, error) {
		select {
		case <-answer:
			return result, err
		case <-ctx.Done():
			return exchange.BatchResult{}, ctx.Err()
		}
	}
}

func (l *sharedLedger) apply(raw []byte) (exchange.BatchResult, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proposed = append(l.proposed, raw)
	b, err := exchange.ParseBatch(raw)
	if err != nil {
		return exchange.BatchResult{}, err
	}
	p := b.Preamble
	result := exchange.BatchResult{Origin: p.Origin, Seq: p.Seq, N: p.N}
	if l.script != nil {
		answer, lost := l.script(p)
		if result.Rejection = answer; lost {
			err = errLost
		}
		if lost || answer != nil {
			return result, err
		}
	}
	switch {
	case p.Seq == l.seq && sm.Sum(b.RawPreamble) == l.preamble:
		result.Replayed = true
		return result, nil
	case p.Seq <= l.seq:
		result.Rejection = &exchange.Rejection{Code: exchange.CodeBatchFork, Item: -1}
		return result, nil
	case p.Seq != l.seq+1 || p.Previous != l.preamble:
		result.Rejection = &exchange.Rejection{Code: exchange.CodeSeqGap, Item: -1, Expected: l.seq + 1}
		return result, nil
	}
	var ids []exchange.EntryID
	for i, item := range b.Items {
		h := must(exchange.ParseHeader(item.Header))
		if l.bad[h.ID] {
			result.Rejection = &exchange.Rejection{Code: exchange.CodeBadRef, Item: i}
			return result, nil
		}
		ids = append(ids, h.ID)
	}
	l.seq, l.preamble = p.Seq, sm.Sum(b.RawPreamble)
	l.entries, l.sizes = append(l.entries, ids...), append(l.sizes, len(ids))
	return result, nil
}

// contextVault opens only what it sealed in the same context.
type contextVault struct{ exchange.Vault }

func (contextVault) SealJointly(slots []uint64, context sm.Digest, plaintext []byte) ([]byte, error) {
	return append(fmt.Appendf(nil, "%d %s ", slots, context), plaintext...), nil
}

func (contextVault) OpenJointly(slots []uint64, context sm.Digest, sealed []byte) ([]byte, error) {
	plaintext, ok := bytes.CutPrefix(sealed, fmt.Appendf(nil, "%d %s ", slots, context))
	if !ok {
		return nil, errors.New("sealed under other slots or in another context")
	}
	return plaintext, nil
}

// drain runs an outbox between the two until stop, which returns Run's error.
func drain(t *testing.T, r *region, l *sharedLedger) (d *outbox.Drain, stop func() error) {
	t.Helper()
	f := founded()
	d = outbox.New(outbox.Config{
		Cutter: outbox.Cutter{Ledger: f.sealer.Ledger, Region: tianjin, Keys: holding(f.batch), Secrets: envelope.NewSecrets(rand.Reader)},
		Clock:  time.Now, Journal: r, Vault: contextVault{}, Casebook: r, Ledger: l, Proposer: l,
		CaughtUp: func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return d, func() error { cancel(); return <-ended }
}

// wantAll demands that the ledger holds just the region's entries that were
// not refused, in the order in which they were accepted.
func wantAll(t *testing.T, r *region, l *sharedLedger) {
	t.Helper()
	var want []exchange.EntryID
	for _, e := range r.entries {
		if _, refused := r.refused[e.ID]; !refused {
			want = append(want, e.ID)
		}
	}
	if !slices.Equal(l.entries, want) {
		t.Errorf("the ledger has %d entries, not the %d accepted ones in their order", len(l.entries), len(want))
	}
}

// holding is a node whose keys stay.
func holding[K any](keys ...K) func() []K { return func() []K { return keys } }
