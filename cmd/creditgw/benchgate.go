package main

import (
	"context"
	"errors"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
)

// benchGate stands where the outbox stands in a region's node: it cuts what
// comes into signed batches and proposes them, with nothing in a journal.
type benchGate struct {
	cutter   outbox.Cutter
	ledger   exchange.Ledger
	proposer exchange.Proposer
	in       chan benchItem
	carry    []benchItem // did not fit into the last batch
	usual    int         // items that a batch held lately
}

// benchItem is an entry and where its answer goes.
type benchItem struct {
	entry  exchange.Pending
	answer func(error)
}

const (
	// gateWindow is how many batches are in flight: the outbox's.
	gateWindow = 4
	// gateLinger is how long a batch waits for as many items as batches held
	// lately. One client alone never waits.
	gateLinger = time.Millisecond
)

type gateFlight struct {
	items []benchItem
	wait  func() (exchange.BatchResult, error)
}

// run cuts and proposes until ctx ends or a batch is not accepted.
func (g *benchGate) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The sender and the one that is being landed count: two less than the window.
	flights := make(chan gateFlight, gateWindow-2)
	landed := make(chan struct{})
	go func() {
		defer close(landed)
		for f := range flights {
			if err := f.land(); err != nil {
				cancel(err)
			}
		}
	}()
	err := g.propose(ctx, flights)
	close(flights)
	<-landed
	return errors.Join(err, context.Cause(ctx))
}

func (g *benchGate) propose(ctx context.Context, flights chan<- gateFlight) error {
	seq, previous := g.ledger.LastBatch(g.cutter.Region)
	for {
		items, err := g.gather(ctx)
		if err != nil {
			return nil // ctx has ended, and holds the cause
		}
		entries := make([]exchange.Pending, len(items))
		for i, item := range items {
			entries[i] = item.entry
		}
		n := outbox.Fit(entries)
		g.carry = items[n:]
		b, err := g.cutter.Cut(entries[:n], seq+1, previous, g.ledger.Directory())
		if err != nil {
			return err
		}
		raw, err := b.Marshal()
		if err != nil {
			return err
		}
		seq, previous = seq+1, sm.Sum(b.RawPreamble)
		flights <- gateFlight{items: items[:n], wait: g.proposer.Start(ctx, raw)}
	}
}

// gather takes what is waiting, and waits a little for the usual number.
func (g *benchGate) gather(ctx context.Context) ([]benchItem, error) {
	items := g.carry
	if len(items) == 0 {
		select {
		case item := <-g.in:
			items = []benchItem{item}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	linger := time.NewTimer(gateLinger)
	defer linger.Stop()
	for len(items) < exchange.MaxBatchItems {
		if len(items) >= g.usual && len(g.in) == 0 {
			break
		}
		select {
		case item := <-g.in:
			items = append(items, item)
			continue
		case <-linger.C:
		case <-ctx.Done():
		}
		break
	}
	g.usual = max(len(items), g.usual*3/4)
	return items, nil
}

// land answers a batch's items when this node has applied it.
func (f *gateFlight) land() error {
	result, err := f.wait()
	if err == nil && result.Rejection != nil {
		err = result.Rejection
	}
	for _, item := range f.items {
		item.answer(err)
	}
	return err
}
