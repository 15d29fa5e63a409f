package casebook

import (
	"slices"

	"github.com/xinqiao/creditgw/exchange"
)

// kept is what the journal says ahead, for the fold that is made again: of records
// that are erased since, and of notes that are taken back.
type kept struct {
	shared  map[uint64]exchange.ErasedItem // by leaf
	local   map[exchange.EntryID]exchange.ErasedItem
	rereads []reread
}

// reread takes back the notes before its position of leaves from one on.
type reread struct {
	at   exchange.Position
	from uint64
}

// takenBack says of a note at a position whether it was of another ledger.
func (k *kept) takenBack(at exchange.Position, n *exchange.LedgerFollowed) bool {
	return slices.ContainsFunc(k.rereads, func(r reread) bool { return at < r.at && n.To > r.from })
}

// lookAhead reads what was erased or taken back behind the place where the fold
// goes on. A casebook that is built again meets records that it can't read any
// more, or never could, before it meets the event that says so.
func (c *Casebook) lookAhead() error {
	c.ahead = kept{shared: map[uint64]exchange.ErasedItem{}, local: map[exchange.EntryID]exchange.ErasedItem{}}
	return c.cfg.Journal.Read(c.Position()+1, func(at exchange.Position, e exchange.Event) error {
		if e.Reread != nil {
			c.ahead.rereads = append(c.ahead.rereads, reread{at, e.Reread.From})
		}
		if e.Erasing == nil {
			return nil
		}
		for _, item := range e.Erasing.Items {
			if item.Local {
				c.ahead.local[item.ID] = item
			} else {
				c.ahead.shared[item.Place] = item
			}
		}
		return nil
	})
}
