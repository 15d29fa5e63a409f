package main

import (
	"context"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
)

// benchGate stands where the outbox stands in a region's node: it cuts what
// comes into signed batches at the outbox's pace and proposes them, with nothing
// in a journal.
type benchGate struct {
	cutter   outbox.Cutter
	ledger   exchange.Ledger
	proposer exchange.Proposer
	in       chan benchItem

	pace     outbox.Pace
	waiting  []benchItem
	since    time.Time // when the first of these could have left
	underWay int       // batches
	landed   chan gateLanding
	seq      uint64 // of the last batch
	previous sm.Digest
}

// benchItem is an entry and where its answer goes.
type benchItem struct {
	entry  exchange.Pending
	answer func(error)
}

// gateLanding is the end of a batch's way.
type gateLanding struct {
	took time.Duration
	err  error
}

// run cuts and proposes until ctx ends or a batch is not accepted.
func (g *benchGate) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.seq, g.previous = g.ledger.LastBatch(g.cutter.Region)
	g.landed = make(chan gateLanding)
	for {
		var leave <-chan time.Time
		if wait, ok := g.pace.Wait(len(g.waiting), g.underWay); ok && len(g.waiting) > 0 {
			leave = time.After(time.Until(g.since.Add(wait)))
		}
		select {
		case item := <-g.in:
			g.take(item)
		case l := <-g.landed:
			if l.err != nil {
				return l.err
			}
			g.underWay--
			g.since = time.Now()
			g.pace.Landed(l.took)
		case <-leave:
			if err := g.cut(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take notes an item, and those that have come with it.
func (g *benchGate) take(item benchItem) {
	if len(g.waiting) == 0 {
		g.since = time.Now()
	}
	g.waiting = append(g.waiting, item)
	for len(g.in) > 0 {
		g.waiting = append(g.waiting, <-g.in)
	}
}

// cut sends as many of the waiting items as fit into one batch.
func (g *benchGate) cut(ctx context.Context) error {
	entries := make([]exchange.Pending, min(len(g.waiting), exchange.MaxBatchItems))
	for i := range entries {
		entries[i] = g.waiting[i].entry
	}
	n := outbox.Fit(entries)
	b, err := g.cutter.Cut(entries[:n], g.seq+1, g.previous, g.ledger.Directory())
	if err != nil {
		return err
	}
	raw, err := b.Marshal()
	if err != nil {
		return err
	}
	g.seq, g.previous = g.seq+1, sm.Sum(b.RawPreamble)
	items := append([]benchItem(nil), g.waiting[:n]...)
	g.waiting = append(g.waiting[:0], g.waiting[n:]...)
	g.since = time.Now()
	g.underWay++
	g.pace.Left(n)
	sent := time.Now()
	wait := g.proposer.Start(ctx, raw)
	go func() {
		err := answer(items, wait)
		select {
		case g.landed <- gateLanding{time.Since(sent), err}:
		case <-ctx.Done():
		}
	}()
	g.cutter.Secrets.Prepare()
	return nil
}

// answer answers a batch's items when this node has applied it.
func answer(items []benchItem, wait func() (exchange.BatchResult, error)) error {
	result, err := wait()
	if err == nil && result.Rejection != nil {
		err = result.Rejection
	}
	for _, item := range items {
		item.answer(err)
	}
	return err
}
