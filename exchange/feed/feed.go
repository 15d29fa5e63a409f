// Package feed hands reminders to the app's server: by page with a cursor,
// waiting for the first item if there is none yet, or as a stream.
//
// Delivery is at least once. An item keeps its id however often it comes, and
// items come by seq; a client that stores the cursor after it has stored the
// items misses nothing.
package feed

import (
	"context"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// Source is where the items are: *casebook.Casebook.
type Source interface {
	// Feed returns items after seq, in order, and the seq from which to go on,
	// which is after at the end only: a run may be short, or empty, before it.
	Feed(after uint64, limit int) (items []exchange.Reminder, next uint64, err error)
	// FeedEnd is the seq of the last item, 0 when there is none.
	FeedEnd() (uint64, error)
	// FeedTag tells the item at seq from any other that may stand there, in
	// another feed or after a restore. exchange.ErrNotFound beyond the end.
	FeedTag(seq uint64) ([8]byte, error)
	// Position moves whenever an item may have come; WaitFor waits for that.
	Position() exchange.Position
	WaitFor(ctx context.Context, at exchange.Position) error
}

// Limits of one call.
const (
	MaxLimit = 500
	MaxWait  = 25 * time.Second
)

// Feed reads a source for clients. It keeps nothing between calls and is safe
// for concurrent use.
type Feed struct {
	source Source
	clock  exchange.Clock
}

// New makes a feed; clock dates the cursors.
func New(source Source, clock exchange.Clock) *Feed { return &Feed{source: source, clock: clock} }

// Pull returns the items behind cursor, the oldest first. If there is none it
// waits up to wait for one and then returns an empty page. The page's Next is
// never "": it is the cursor to pull with next time. A limit or wait beyond
// its maximum is cut to it.
func (f *Feed) Pull(ctx context.Context, cursor string, limit int, wait time.Duration) (exchange.Page[exchange.Reminder], error) {
	page := exchange.Page[exchange.Reminder]{Items: []exchange.Reminder{}}
	after, err := f.resume(cursor)
	if err != nil {
		return page, err
	}
	limit = min(max(limit, 1), MaxLimit)
	patience, cancel := context.WithTimeout(ctx, min(max(wait, 0), MaxWait))
	defer cancel()
	for ctx.Err() == nil {
		// Taken before the read: whatever comes after the read moves it.
		seen := f.source.Position()
		items, next, err := f.source.Feed(after, limit)
		if err != nil {
			return page, err
		}
		if len(items) == 0 && next > after {
			after = next // past items that are not shown any more
			continue
		}
		if len(items) == 0 && patience.Err() == nil {
			if err := f.source.WaitFor(patience, seen+1); err == nil {
				continue
			} else if patience.Err() == nil {
				return page, err
			}
		}
		if ctx.Err() == nil {
			page.Items = append(page.Items, items...)
			page.Next, err = f.cursor(next)
			return page, err
		}
	}
	return page, ctx.Err()
}

// Stream calls send for each item behind cursor, with the cursor behind that
// item, until ctx ends or send fails. It never calls send concurrently.
func (f *Feed) Stream(ctx context.Context, cursor string, send func(item exchange.Reminder, cursor string) error) error {
	after, err := f.resume(cursor)
	if err != nil {
		return err
	}
	for {
		seen := f.source.Position()
		items, next, err := f.source.Feed(after, MaxLimit)
		if err != nil {
			return err
		}
		for _, item := range items {
			cursor, err := f.cursor(item.Seq)
			if err != nil {
				return err
			}
			if err := send(item, cursor); err != nil {
				return err
			}
		}
		if next > after {
			after = next
			err = ctx.Err()
		} else {
			err = f.source.WaitFor(ctx, seen+1)
		}
		if err != nil {
			return err
		}
	}
}

// Latest is the cursor behind the last item there is, for a client that takes
// the open reminders first.
func (f *Feed) Latest() (string, error) {
	end, err := f.source.FeedEnd()
	if err != nil {
		return "", err
	}
	return f.cursor(end)
}
