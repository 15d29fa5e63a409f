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
	// Feed returns items after seq, in order, with the last seq of the feed.
	Feed(after uint64, limit int) ([]exchange.Reminder, uint64, error)
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
	for {
		// Taken before the read: whatever comes after the read moves it.
		seen := f.source.Position()
		items, next, err := f.read(after, limit)
		if err != nil {
			return page, err
		}
		if len(items) > 0 {
			page.Items, page.Next = items, f.cursor(next)
			return page, nil
		}
		if patience.Err() == nil {
			err = f.source.WaitFor(patience, seen+1)
		}
		switch {
		case ctx.Err() != nil:
			return page, ctx.Err()
		case patience.Err() != nil:
			page.Next = f.cursor(next)
			return page, nil
		case err != nil:
			return page, err
		}
		after = next
	}
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
		items, next, err := f.read(after, MaxLimit)
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := send(item, f.cursor(item.Seq)); err != nil {
				return err
			}
		}
		after = next
		if len(items) > 0 {
			continue
		}
		if err := f.source.WaitFor(ctx, seen+1); err != nil {
			return err
		}
	}
}

// Latest is the cursor behind the last item there is, for a client that takes
// the open reminders first.
func (f *Feed) Latest() (string, error) {
	_, last, err := f.source.Feed(0, 1)
	if err != nil {
		return "", err
	}
	return f.cursor(last), nil
}

// read returns a run of items and the seq to go on from. A run shorter than
// limit has reached the end, also past items that are not shown any more.
func (f *Feed) read(after uint64, limit int) ([]exchange.Reminder, uint64, error) {
	items, last, err := f.source.Feed(after, limit)
	if err != nil {
		return nil, after, err
	}
	if after > last {
		return nil, after, expired()
	}
	if len(items) == limit {
		return items, items[limit-1].Seq, nil
	}
	return items, last, nil
}
