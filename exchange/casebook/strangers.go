package casebook

import (
	"errors"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
)

// stranger keeps an entry that was signed for this region but is not in its
// journal: someone else holds the region's key, or the journal is an old copy.
func (f *fold) stranger(le *exchange.Entry) {
	f.cfg.Logger.Error("the ledger holds an entry of this region that its journal does not know",
		"entry", le.Header.ID, "index", le.Index, "batch", le.Batch.Preamble.Seq)
	f.park(le, entry{}, CodeNotOurs)
	if le.Header.Kind == exchange.KindAcknowledgement {
		for _, to := range le.Header.Recipients { // its number is taken
			f.count(countStatements+string(to), 1)
		}
	}
}

// Strangers tells which of n ids are those of strangers.
func (c *Casebook) Strangers(n int, id func(i int) exchange.EntryID) ([]bool, error) {
	out := make([]bool, n)
	err := c.view(func(b buckets) error {
		if b.counts.Get([]byte(countParked+CodeNotOurs)) == nil {
			return nil
		}
		for i := range out {
			_, e, err := findIn(b, id(i))
			if err != nil && !errors.Is(err, exchange.ErrNotFound) {
				return err
			}
			out[i] = e.Code == CodeNotOurs
		}
		return nil
	})
	return out, err
}

// Stranger opens the record of a stranger, which was sealed to its own region as to
// all others. The fold keeps no key of it, for it is not known to be this node's
// word; it is opened anew each time.
func (c *Casebook) Stranger(id exchange.EntryID) ([]byte, error) {
	_, e, err := c.find(id)
	if err != nil {
		return nil, err
	}
	if e.Code != CodeNotOurs {
		return nil, exchange.ErrNotFound
	}
	le, err := c.leaf(e.Index)
	if err != nil {
		return nil, err
	}
	if e.Stopped || le.Body == nil {
		return nil, exchange.ErrErased
	}
	unlocked := c.unlock(le.Batch)
	if unlocked == nil || le.Header.Commitment == nil {
		return nil, exchange.ErrUnreadable
	}
	key, err := unlocked.Key(le.Item(), id)
	if err != nil {
		return nil, exchange.ErrUnreadable
	}
	opened, err := envelope.Open(key, c.cfg.LedgerID, le.Body, *le.Header.Commitment)
	if err != nil {
		return nil, exchange.ErrUnreadable
	}
	return opened.Record, nil
}

// acquaint tells a stranger which decision it is of, once a row repeats it. What the
// journal holds of that decision is erased with it from then on.
func (f *fold) acquaint(row *exchange.Row) {
	if row.Earlier.IsZero() || f.total(countParked+CodeNotOurs) == 0 {
		return
	}
	no, e, err := findIn(f.b, row.Earlier)
	if err != nil && !errors.Is(err, exchange.ErrNotFound) {
		f.fail(err)
	}
	if e.Code == CodeNotOurs && len(e.Natural) == 0 {
		e.Natural = row.KeyDigest[:]
		f.put(f.b.entries, u64(no), e)
	}
}
