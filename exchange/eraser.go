package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Bodies are the sealed bodies on this node.
type Bodies interface {
	// Erase destroys the bodies of these entries and their wrapped keys. It
	// returns when they are gone from the disk; erasing again is no error.
	Erase(indexes ...uint64) error
}

// RaftLog is this node's own copy of the log from which the ledger was made.
type RaftLog interface {
	// Forget has the log drop every entry up to the last one with a batch that
	// holds says true of, and returns when what was dropped is overwritten,
	// with the index of the first entry that is still there. An error means that
	// the log still needs such an entry; it is tried again.
	Forget(ctx context.Context, holds func(batch []byte) bool) (first uint64, err error)
}

// errNotYet says that something has to happen elsewhere first.
var errNotYet = errors.New("not yet")

// Eraser carries out orders to erase: it states for this region that a record
// is not served any more, destroys every copy on this node, and states that.
// The casebook stopped serving when it folded the order.
type Eraser struct {
	Sealer  Sealer
	Node    string // for the statement's scope
	Clock   Clock
	Backups time.Duration // how long backups are kept; 0: none are made

	// Real timers. Interval is the least time between two statements of a kind,
	// and between two tries of what is not possible yet. Round is how long an
	// order that is not urgent may wait for others: each round cuts the log.
	Interval, Round time.Duration

	Casebook Casebook
	Journal  Journal
	Vault    Vault
	Slots    *Slots
	Ledger   Ledger
	Bodies   Bodies
	Log      RaftLog
	Logger   *slog.Logger
}

// Run works until ctx ends or a part fails. What waited when the node stopped
// is due at once.
func (e *Eraser) Run(ctx context.Context) error {
	since := time.Now().Add(-e.Round) // when the first of those that wait for a round came
	var told time.Time                // when the log last heard that something has to wait
	for {
		seen := e.Casebook.Position()
		left, err := e.Casebook.PendingErasures(1, func(*PendingErasure) bool { return true })
		if err != nil {
			return err
		}
		if len(left) == 0 {
			if err := e.Casebook.WaitFor(ctx, seen+1); err != nil {
				return err
			}
			since = time.Now()
			continue
		}
		if err := e.stopped(ctx); err != nil {
			return err
		}
		due := time.Since(since) >= e.Round
		err = e.round(ctx, due)
		switch {
		case errors.Is(err, errNotYet):
			if time.Since(told) > time.Minute {
				e.Logger.Warn("erasing waits", "reason", err)
				told = time.Now()
			}
		case err != nil:
			return err
		case due:
			since = time.Now()
		}
		select {
		case <-time.After(e.Interval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopped states what this region has stopped serving.
func (e *Eraser) stopped(ctx context.Context) error {
	pending, err := e.Casebook.PendingErasures(MaxErasures, func(p *PendingErasure) bool { return !p.Stopped && !p.Local })
	if err != nil || len(pending) == 0 {
		return err
	}
	return e.report(ctx, &Report{Records: refsOf(pending), At: e.Clock().Unix()})
}

// round erases what is urgent, and when due what is not.
func (e *Eraser) round(ctx context.Context, due bool) error {
	for {
		pending, err := e.Casebook.PendingErasures(MaxErasures, func(p *PendingErasure) bool {
			return (p.Stopped || p.Local) && p.Settled && (p.Now || due)
		})
		if err != nil || len(pending) == 0 {
			return err
		}
		if err := e.erase(ctx, pending); err != nil {
			return err
		}
	}
}

// erase destroys every copy on this node, and states it. Each step is safe to
// repeat.
func (e *Eraser) erase(ctx context.Context, pending []PendingErasure) error {
	if err := e.keep(ctx, pending); err != nil {
		return err
	}
	var slots, leaves []uint64
	var shared []PendingErasure
	local := LocalErased{At: e.Clock().Unix(), Scope: e.scope(0)}
	ids := map[EntryID]bool{}
	for _, p := range pending {
		slots = append(slots, p.Slots...)
		if p.Local {
			local.Records = append(local.Records, p.ID)
			continue
		}
		shared, leaves = append(shared, p), append(leaves, p.Place)
		ids[p.ID] = true
	}
	if err := e.Vault.Erase(slots...); err != nil {
		return err
	}
	if len(local.Records) > 0 {
		at, err := e.Journal.Append(ctx, Event{At: e.Clock(), LocalErased: &local})
		if err != nil {
			return err
		}
		if err := e.Casebook.WaitFor(ctx, at); err != nil {
			return err
		}
	}
	if len(shared) == 0 {
		return nil
	}
	if err := e.Bodies.Erase(leaves...); err != nil {
		return err
	}
	first, err := e.Log.Forget(ctx, func(batch []byte) bool { return holds(batch, ids) })
	if err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%w: %w", errNotYet, err))
	}
	scope := e.scope(first)
	return e.report(ctx, &Report{Records: refsOf(shared), At: e.Clock().Unix(), Scope: &scope})
}

// keep puts into the journal what the casebook's fold has to know of records
// that it will not be able to read again.
func (e *Eraser) keep(ctx context.Context, pending []PendingErasure) error {
	var erased RecordsErased
	for _, p := range pending {
		if !p.Kept {
			erased.Items = append(erased.Items, p.ErasedItem)
		}
	}
	if len(erased.Items) == 0 {
		return nil
	}
	at, err := e.Journal.Append(ctx, Event{At: e.Clock(), Erasing: &erased})
	if err != nil {
		return err
	}
	return e.Casebook.WaitFor(ctx, at)
}

// report authors a statement to all other regions.
func (e *Eraser) report(ctx context.Context, r *Report) error {
	body, err := r.Marshal()
	if err != nil {
		return err
	}
	n, err := e.Casebook.Reports(r.Kind())
	if err != nil {
		return err
	}
	natural := sm.Sum(body)
	id := e.Sealer.Secret.EntryID(r.Kind(), natural[:], n)
	w := writer{Sealer: e.Sealer, Vault: e.Vault, Slots: e.Slots}
	authored, err := w.write(Header{Class: ClassStatement, Kind: r.Kind(), ID: id, Recipients: others(e.Ledger, e.Sealer.Region)}, e.Clock(), body)
	if err != nil {
		return err
	}
	authored.Report = r
	at, err := e.Journal.Append(ctx, Event{At: e.Clock(), Authored: authored})
	if err != nil {
		return err
	}
	return e.Casebook.WaitFor(ctx, at)
}

func (e *Eraser) scope(log uint64) ErasureScope {
	s := ErasureScope{Node: e.Node, Log: log}
	if e.Backups > 0 {
		s.Backups = e.Clock().Add(e.Backups).In(Shanghai).Format(time.DateOnly)
	}
	return s
}

func refsOf(pending []PendingErasure) []Ref {
	refs := make([]Ref, len(pending))
	for i := range pending {
		refs[i] = Ref{Index: pending[i].Place, ID: pending[i].ID}
	}
	return refs
}

// holds reports whether a batch, accepted or not, has one of these entries.
func holds(batch []byte, ids map[EntryID]bool) bool {
	b, err := ParseBatch(batch)
	if err != nil {
		return false
	}
	for i := range b.Items {
		if h, err := ParseHeader(b.Items[i].Header); err == nil && ids[h.ID] {
			return true
		}
	}
	return false
}
