package casebook

import (
	"github.com/xinqiao/creditgw/exchange"
)

// shown is the state of an entry as people see it: one that is on the ledger is
// witnessed once a witnessed checkpoint covers it. Nothing is folded for that;
// what covers it only grows.
func (c *Casebook) shown(e *entry) exchange.State {
	if e.State == exchange.StateCommitted && e.Index < c.witnessedSize() {
		return exchange.StateWitnessed
	}
	return e.State
}

func (c *Casebook) witnessedSize() uint64 {
	latest, _ := c.cfg.Checkpoints.Latest()
	return latest.Size
}

// splitCommitted tells the witnessed records among the committed ones. A
// region's own entries come onto the ledger in the order in which it made
// them, so those that are not witnessed yet are the last ones. Where there are
// very many, because nothing is being witnessed, the last scanLimit entries
// count.
func (c *Casebook) splitCommitted(b buckets, records map[exchange.State]int) error {
	committed, size := records[exchange.StateCommitted], c.witnessedSize()
	if size == 0 {
		return nil
	}
	waiting, budget := 0, scanLimit
	cursor := b.entries.Cursor()
	for key, raw := cursor.Last(); key != nil && waiting < committed && budget > 0; key, raw = cursor.Prev() {
		budget--
		var e entry
		if err := decoding.Unmarshal(raw, &e); err != nil {
			return orDamaged(nil)
		}
		if !e.own() || e.State != exchange.StateCommitted {
			continue
		}
		if e.Index < size {
			break
		}
		if e.record() {
			waiting++
		}
	}
	delete(records, exchange.StateCommitted)
	for state, n := range map[exchange.State]int{exchange.StateCommitted: waiting, exchange.StateWitnessed: committed - waiting} {
		if n > 0 {
			records[state] = n
		}
	}
	return nil
}
