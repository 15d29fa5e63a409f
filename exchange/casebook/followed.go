package casebook

import (
	"bytes"
	"context"
	"fmt"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// leaves are those that a note names. What others sealed to this region is
// judged.
type leaves struct {
	entries  []exchange.Entry
	arrivals []arrival
}

// read reads the leaves that a note names. After a restart the ledger may not
// have come so far again; it will, for the note was written after it had.
func (c *Casebook) read(ctx context.Context, n *exchange.LedgerFollowed) (*leaves, error) {
	switch {
	case n.Region != c.cfg.Region:
		return nil, fmt.Errorf("the journal belongs to region %s", n.Region)
	case n.To < n.From:
		return nil, fmt.Errorf("the journal followed leaves %d to %d", n.From, n.To)
	}
	if err := c.cfg.Ledger.WaitSize(ctx, n.To); err != nil {
		return nil, err
	}
	if err := c.sameRoot(n.To, n.Root[:]); err != nil {
		return nil, err
	}
	l := &leaves{entries: make([]exchange.Entry, 0, n.To-n.From)}
	for at := n.From; at < n.To; {
		entries, err := c.cfg.Ledger.Entries(at, int(n.To-at))
		if err != nil {
			return nil, fmt.Errorf("read the ledger from %d: %w", at, err)
		}
		if len(entries) == 0 {
			return nil, fmt.Errorf("the ledger has no entry %d", at)
		}
		l.entries = append(l.entries, entries...)
		at += uint64(len(entries))
	}
	if err := l.take(slotRun{next: n.FirstSlot, left: n.Slots}, c.cfg.Region); err != nil {
		return nil, fmt.Errorf("note of leaves %d to %d: %w", n.From, n.To, err)
	}
	return l, c.judge(l.arrivals)
}

// take gives what others sealed to this region the slots of the note.
func (l *leaves) take(slots slotRun, region peers.Region) error {
	for i := range l.entries {
		if !exchange.NeedsSlot(&l.entries[i].Header, region) {
			continue
		}
		slot, ok := slots.take()
		if !ok {
			return fmt.Errorf("entry %d has no slot", l.entries[i].Index)
		}
		l.arrivals = append(l.arrivals, arrival{Entry: &l.entries[i], slot: slot})
	}
	if slots.left != 0 {
		return fmt.Errorf("%d slots too many", slots.left)
	}
	return nil
}

// reread has nothing left to do, for what is taken back was not read at all.
func (f *fold) reread(r *exchange.LedgerReread) error {
	if f.meta.Followed > r.From {
		return fmt.Errorf("the journal takes back what it followed from leaf %d on, and %d leaves are folded", r.From, f.meta.Followed)
	}
	return nil
}

// followed takes all leaves of a note in order.
func (f *fold) followed(n *exchange.LedgerFollowed, l *leaves) error {
	if n.From != f.meta.Followed {
		return fmt.Errorf("the journal followed leaves %d to %d, after leaf %d was the last", n.From, n.To, f.meta.Followed)
	}
	arrivals := l.arrivals
	for i := range l.entries {
		le := &l.entries[i]
		f.work++
		switch {
		case le.Header.Origin == f.cfg.Region:
			f.committed(le)
		case len(arrivals) > 0 && arrivals[0].Entry == le:
			if err := f.arrived(&arrivals[0]); err != nil {
				return err
			}
			arrivals = arrivals[1:]
		}
		if le.Header.Kind == exchange.KindErasure {
			if err := f.ordered(le); err != nil {
				return err
			}
		}
	}
	f.meta.Followed, f.meta.Root = n.To, n.Root
	return nil
}

// slotRun hands out the slots that a note reserved.
type slotRun struct{ next, left uint64 }

func (s *slotRun) take() (uint64, bool) {
	if s.left == 0 {
		return 0, false
	}
	s.next, s.left = s.next+1, s.left-1
	return s.next - 1, true
}

// arrived takes one judged entry of another region.
func (f *fold) arrived(a *arrival) error {
	h := &a.Header
	if f.b.ids.Get(h.ID[:]) != nil {
		f.park(a.Entry, entry{}, CodeDuplicateID)
		return nil
	}
	if a.code != "" {
		f.park(a.Entry, entry{Slot: a.slot, Key: a.sealed}, a.code)
		return nil
	}
	no := f.enterOther(a.Entry, entry{Slot: a.slot, Key: a.sealed})
	switch {
	case a.acks != nil:
		f.delivered(h.Origin, a.acks)
	case a.report != nil:
		f.reported(h.Origin, a.report)
	case a.order != nil:
		f.orders[a.Index] = a.order
	case h.Class == exchange.ClassRecord:
		f.count(countOpened, 1)
		f.remind(no, a.subject)
		f.list(no, h.ID, a.place)
	}
	return nil
}

// enterOther numbers an entry of another region.
func (f *fold) enterOther(le *exchange.Entry, e entry) uint64 {
	h := &le.Header
	e.Class, e.Kind, e.Origin, e.State, e.Index = h.Class, h.Kind, h.Origin, exchange.StateCommitted, le.Index
	f.meta.Entry++
	f.put(f.b.entries, u64(f.meta.Entry), e)
	if f.b.ids.Get(h.ID[:]) == nil {
		f.putRaw(f.b.ids, bytes.Clone(h.ID[:]), u64(f.meta.Entry))
	}
	return f.meta.Entry
}

// park keeps an entry that can't be opened or accepted, and lets its origin
// know. Statements are not answered: two gateways that can't read each other's
// answers would never stop.
func (f *fold) park(le *exchange.Entry, e entry, code string) {
	e.Code = code
	f.enterOther(le, e)
	f.count(countParked+code, 1)
	h := &le.Header
	if h.Class == exchange.ClassStatement || code == CodeErased || code == CodeNotOurs {
		return
	}
	f.tell(h.Origin, exchange.RecordAck{Record: h.ID, State: exchange.AckRefused, At: f.at / 1000, Code: code})
}
