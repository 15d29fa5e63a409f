package casebook

import (
	"sync"

	"github.com/xinqiao/creditgw/exchange"
)

// recentEvents keeps the last events that were folded or read. The outbox
// drains entries in the order in which they were accepted, so nearly every
// entry that it asks for is still here and no journal page is decoded again.
// The events are shared and never changed.
type recentEvents struct {
	mu    sync.Mutex
	byPos map[exchange.Position]*exchange.Event
	order []exchange.Position
}

// keptEvents bounds memory: an event is at most a few hundred kilobytes.
const keptEvents = 32

func newRecentEvents() *recentEvents {
	return &recentEvents{byPos: make(map[exchange.Position]*exchange.Event, keptEvents)}
}

func (r *recentEvents) keep(at exchange.Position, e *exchange.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPos[at] != nil {
		return
	}
	if len(r.order) == keptEvents {
		delete(r.byPos, r.order[0])
		r.order = append(r.order[:0], r.order[1:]...)
	}
	r.byPos[at] = e
	r.order = append(r.order, at)
}

func (r *recentEvents) get(at exchange.Position) *exchange.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byPos[at]
}

// event returns the event at a position, from memory or from the journal.
func (c *Casebook) event(at exchange.Position) (*exchange.Event, error) {
	if e := c.recent.get(at); e != nil {
		return e, nil
	}
	e, err := c.cfg.Journal.ReadOne(at)
	if err != nil {
		return nil, err
	}
	c.recent.keep(at, &e)
	return &e, nil
}
