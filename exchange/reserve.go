package exchange

import (
	"context"
	"sync"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// reservations decide which of two rows with the same natural key came first,
// also between the moment one is accepted and the moment the casebook knows.
type reservations struct {
	casebook Casebook

	mu     sync.Mutex
	taken  map[sm.Digest]*reservation
	landed []*claim // durable, in order, not yet known to be folded
}

// reservation is a key taken by a row that may not be durable yet.
type reservation struct {
	Standing
	comparison []byte
	claim      *claim
}

// claim is the set of keys that one run of rows has taken.
type claim struct {
	done chan struct{} // closed when durable, or given up
	at   Position      // 0 when given up
	keys []sm.Digest
}

// wanted is a row that would be accepted if its key is free.
type wanted struct {
	key        sm.Digest
	content    sm.Digest
	comparison []byte
}

// found is what stands in a row's way: nothing (ID zero), or a record with
// its content.
type found struct {
	Standing
	comparison []byte // set when the record is too new for the casebook
	withdrawn  uint32
}

// claim decides for each wanted row, in order, whether its key is free, and
// takes the free ones under id(i, withdrawn). Rows of the same claim see each
// other. If another claim that isn't durable yet stands in the way, claim
// waits for it: a row must not be called a duplicate of something that may
// still be lost.
func (r *reservations) claim(ctx context.Context, rows []wanted, id func(i int, withdrawn uint32) EntryID) ([]found, *claim, error) {
	keys := make([]sm.Digest, len(rows))
	for i := range rows {
		keys[i] = rows[i].key
	}
	for {
		out, c, wait, err := r.try(rows, keys, id)
		if err != nil || wait == nil {
			return out, c, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

func (r *reservations) try(rows []wanted, keys []sm.Digest, id func(int, uint32) EntryID) ([]found, *claim, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	for _, k := range keys {
		if t := r.taken[k]; t != nil && t.claim.at == 0 {
			return nil, nil, t.claim.done, nil
		}
	}
	// The casebook is asked under the lock and after forget: what was
	// forgotten it knows, and nothing is taken meanwhile.
	standings, err := standingsOf(r.casebook, keys, id)
	if err != nil {
		return nil, nil, nil, err
	}
	c := &claim{done: make(chan struct{})}
	if r.taken == nil {
		r.taken = make(map[sm.Digest]*reservation)
	}
	out := make([]found, len(rows))
	for i, row := range rows {
		if t := r.taken[row.key]; t != nil {
			out[i] = found{Standing: t.Standing, comparison: t.comparison}
			continue
		}
		if !standings[i].ID.IsZero() {
			out[i] = found{Standing: standings[i]}
			continue
		}
		out[i].withdrawn = standings[i].Withdrawn
		r.taken[row.key] = &reservation{
			Standing:   Standing{ID: id(i, standings[i].Withdrawn), Content: row.content},
			comparison: row.comparison, claim: c,
		}
		c.keys = append(c.keys, row.key)
	}
	return out, c, nil, nil
}

// standingsOf asks what stands for each key. Where the casebook knows of nothing
// the ledger may have the record all the same: sent by a node that was lost, after
// the backup that this one was made of.
func standingsOf(book Casebook, keys []sm.Digest, id func(i int, withdrawn uint32) EntryID) ([]Standing, error) {
	standings, err := book.Standings(keys)
	if err != nil {
		return nil, err
	}
	idOf := func(i int) EntryID { return id(i, standings[i].Withdrawn) }
	strangers, err := book.Strangers(len(keys), idOf)
	if err != nil {
		return nil, err
	}
	for i := range strangers {
		if strangers[i] && standings[i].ID.IsZero() {
			standings[i].ID, standings[i].Stranger = idOf(i), true
		}
	}
	return standings, nil
}

// land says that the claim's rows are durable at a journal position; 0 gives
// the keys back.
func (r *reservations) land(c *claim, at Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.at = at
	if at == 0 {
		r.drop(c)
	} else {
		r.landed = append(r.landed, c)
	}
	close(c.done)
}

// forget drops what the casebook knows by now.
func (r *reservations) forget() {
	folded := r.casebook.Position()
	n := 0
	for n < len(r.landed) && r.landed[n].at <= folded {
		r.drop(r.landed[n])
		n++
	}
	r.landed = r.landed[n:]
}

func (r *reservations) drop(c *claim) {
	for _, k := range c.keys {
		delete(r.taken, k)
	}
}
