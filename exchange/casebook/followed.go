package casebook

import (
	"bytes"
	"fmt"

	"github.com/xinqiao/creditgw/exchange"
)

// ledgerStep is how many leaves are read at a time.
const ledgerStep = 256

// followed reads the leaves that a note names. After a restart the ledger may
// not have come so far again; it will, for the note was written after it had.
func (f *fold) followed(n *exchange.LedgerFollowed) error {
	switch {
	case n.Region != f.cfg.Region:
		return fmt.Errorf("the journal belongs to region %s", n.Region)
	case n.From != f.meta.Followed || n.To < n.From:
		return fmt.Errorf("the journal followed leaves %d to %d, after leaf %d was the last", n.From, n.To, f.meta.Followed)
	}
	if err := f.cfg.Ledger.WaitSize(f.ctx, n.To); err != nil {
		return err
	}
	if err := f.sameRoot(n.To, n.Root[:]); err != nil {
		return err
	}
	slots := slotRun{next: n.FirstSlot, left: n.Slots}
	for at := n.From; at < n.To; {
		entries, err := f.cfg.Ledger.Entries(at, int(min(n.To-at, ledgerStep)))
		if err != nil {
			return fmt.Errorf("read the ledger from %d: %w", at, err)
		}
		if len(entries) == 0 {
			return fmt.Errorf("the ledger has no entry %d", at)
		}
		if err := f.leaves(entries, &slots); err != nil {
			return err
		}
		at += uint64(len(entries))
	}
	if slots.left != 0 {
		return fmt.Errorf("the note of leaves %d to %d has %d slots too many", n.From, n.To, slots.left)
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

// leaves judges what others sealed to this region, in parallel, and then takes
// all leaves in order.
func (f *fold) leaves(entries []exchange.Entry, slots *slotRun) error {
	var arrivals []arrival
	for i := range entries {
		if exchange.NeedsSlot(&entries[i].Header, f.cfg.Region) {
			slot, ok := slots.take()
			if !ok {
				return fmt.Errorf("entry %d has no slot in the journal's note", entries[i].Index)
			}
			arrivals = append(arrivals, arrival{Entry: &entries[i], slot: slot})
		}
	}
	if err := f.judge(arrivals); err != nil {
		return err
	}
	for i := range entries {
		le := &entries[i]
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
	return nil
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
