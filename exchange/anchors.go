package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/xinqiao/creditgw/peers"
)

// Due says how urgent the next anchor is.
type Due int

const (
	DueLater Due = iota // nothing has changed
	DueSoon             // records came or went
	DueNow              // somebody waits for a statement
)

// AnchorBook is the part of the casebook that keeps the map.
type AnchorBook interface {
	Position() Position
	WaitFor(ctx context.Context, at Position) error
	// AnchorDue is false while an anchor of this region is on its way, or the
	// map holds nobody.
	AnchorDue() (Due, bool)
	// Bind computes the map as it is.
	Bind() (Bound, error)
}

// Anchors puts the root of this region's map onto the ledger: soon after a
// change, at once when a statement is waited for, and now and then even without,
// so that no statement need be old. The intervals are of a real timer, not of
// the domain clock.
type Anchors struct {
	Sealer  Sealer
	Clock   Clock
	Book    AnchorBook
	Journal Journal
	// Least time since the last anchor, by how urgent the next one is.
	Now, Soon, Later time.Duration
}

// Run anchors until ctx ends or a part fails.
func (a *Anchors) Run(ctx context.Context) error {
	last := time.Now()
	for {
		seen := a.Book.Position()
		wait := a.Later
		if due, may := a.Book.AnchorDue(); may {
			wait = a.wait(due) - time.Since(last)
			if wait <= 0 {
				at, err := a.anchor(ctx)
				if err != nil {
					return err
				}
				last = time.Now()
				if err := a.Book.WaitFor(ctx, at); err != nil {
					return err
				}
				continue
			}
		}
		if err := a.rest(ctx, seen, wait); err != nil {
			return err
		}
	}
}

func (a *Anchors) wait(due Due) time.Duration {
	switch due {
	case DueNow:
		return a.Now
	case DueSoon:
		return a.Soon
	default:
		return a.Later
	}
}

// rest returns when the casebook has moved, or after a while.
func (a *Anchors) rest(ctx context.Context, seen Position, while time.Duration) error {
	timed, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	err := a.Book.WaitFor(timed, seen+1)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// anchor authors the entry.
func (a *Anchors) anchor(ctx context.Context) (Position, error) {
	bound, err := a.Book.Bind()
	if err != nil {
		return 0, err
	}
	body, err := peers.Anchor{Size: bound.Size, Root: bound.Root}.Encode()
	if err != nil {
		return 0, err
	}
	id := a.Sealer.Secret.EntryID(peers.KindAnchor, body, 0)
	entry, err := a.Sealer.Clear(peers.KindAnchor, id, a.Clock(), body)
	if err != nil {
		return 0, err
	}
	made := AnchorMade(bound)
	return a.Journal.Append(ctx, Event{At: a.Clock(), Authored: &EntryAuthored{Entry: entry, Anchor: &made}})
}
