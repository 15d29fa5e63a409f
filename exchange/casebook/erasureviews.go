package casebook

import (
	"slices"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// placeOf is where the erasure of an entry is kept, if it can have one.
func placeOf(no uint64, e *entry) uint64 {
	if e.State == exchange.StateCommitted {
		return e.Index
	}
	return no | localPlace
}

// erasureOf tells what the regions say of a record's end; nil while it stands.
func (c *Casebook) erasureOf(b buckets, r *found) (*exchange.ErasureView, error) {
	if !r.Stopped {
		return nil, nil
	}
	place := placeOf(r.no, &r.entry)
	x, ok, err := get[erasure](b.erasures, u64(place))
	if err != nil || !ok {
		return nil, orDamaged(err)
	}
	v := &exchange.ErasureView{Reason: x.Reason, OrderedAt: exchange.Moment(x.At), Now: x.Now, Regions: []exchange.ErasureRegion{}}
	regions := []peers.Region{c.cfg.Region}
	if place&localPlace == 0 {
		regions = c.cfg.Ledger.Directory().Regions()
		if x.Leaf > 0 {
			v.Index = &x.Leaf
		}
	}
	for _, region := range regions {
		said, _, err := get[report](b.reports, join(u64(place), []byte(region)))
		if err != nil {
			return nil, err
		}
		v.Regions = append(v.Regions, said.view(region, slices.Contains(x.Parties, region)))
	}
	return v, nil
}

func (r *report) view(region peers.Region, held bool) exchange.ErasureRegion {
	v := exchange.ErasureRegion{Region: region, State: exchange.ErasurePending, Held: held}
	when := func(at int64) *time.Time {
		t := exchange.Moment(at)
		return &t
	}
	if r.Stopped > 0 {
		v.State, v.StoppedAt = exchange.ErasureStopped, when(r.Stopped)
	}
	if r.Scope != nil {
		v.State, v.ErasedAt = exchange.ErasureDone, when(r.Erased)
		v.Node, v.LogFirst, v.BackupsUntil = r.Scope.Node, r.Scope.Log, r.Scope.Backups
	}
	return v
}

// PendingErasures returns up to limit records that are wanted of those that are
// taken down and not yet stated to be erased here, by place; home records come
// last.
func (c *Casebook) PendingErasures(limit int, wanted func(*exchange.PendingErasure) bool) ([]exchange.PendingErasure, error) {
	var out []exchange.PendingErasure
	var entries []entry
	err := c.view(func(b buckets) error {
		cursor := b.unerased.Cursor()
		for key, _ := cursor.First(); key != nil && len(out) < limit; key, _ = cursor.Next() {
			p, e, err := c.pendingErasure(b, number(key))
			if err != nil {
				return err
			}
			if wanted(&p) {
				out, entries = append(out, p), append(entries, e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		slot, err := c.slotOf(&entries[i])
		if err != nil {
			return nil, err
		}
		if slot > 0 {
			out[i].Slots = append(out[i].Slots, slot)
		}
	}
	return out, nil
}

// pendingErasure reads one of them, with the slots of all private copies but
// the record's own.
func (c *Casebook) pendingErasure(b buckets, place uint64) (p exchange.PendingErasure, e entry, err error) {
	x, ok, err := get[erasure](b.erasures, u64(place))
	if err != nil || !ok {
		return p, e, orDamaged(err)
	}
	said, _, err := get[report](b.reports, join(u64(place), []byte(c.cfg.Region)))
	if err != nil {
		return p, e, err
	}
	p.Local = place&localPlace != 0
	p.Place, p.Now, p.Stopped, p.Kept, p.Settled = place, x.Now, said.Stopped > 0, x.Kept, p.Local || x.Leaf > 0
	copy(p.ID[:], x.ID)
	if x.Entry == 0 {
		return p, e, nil
	}
	if e, ok, err = get[entry](b.entries, u64(x.Entry)); err != nil || !ok {
		return p, e, orDamaged(err)
	}
	if e.parked() {
		p.Code = e.Code
	}
	m, ok, err := get[reminder](b.reminders, reminderKey(x.Entry, exchange.StageIssued))
	if err != nil {
		return p, e, err
	}
	if ok {
		p.Subject = m.Subject
	}
	if len(e.Natural) > 0 {
		for _, key := range keysWith(b.copies, e.Natural) {
			p.Slots = append(p.Slots, number(key))
		}
	}
	return p, e, nil
}

// slotOf is the vault slot under which an entry's private copies are sealed; 0
// when there is none.
func (c *Casebook) slotOf(e *entry) (uint64, error) {
	if !e.own() {
		return e.Slot, nil
	}
	ev, err := c.event(e.Position)
	if err != nil {
		return 0, err
	}
	if ev.Authored != nil {
		return ev.Authored.Slot, nil
	}
	row, err := rowOf(ev, e.Row)
	if err != nil {
		return 0, err
	}
	return row.Slot, nil
}

// Reports is the number of statements of this kind authored so far.
func (c *Casebook) Reports(kind string) (n uint32, err error) {
	err = c.view(func(b buckets) error {
		n = uint32(number(b.counts.Get([]byte(countReports + kind))))
		return nil
	})
	return n, err
}

// Orders is the number of this region's orders to erase a record so far,
// whether the ledger refused the last one, and whether one of them says now.
func (c *Casebook) Orders(id exchange.EntryID) (n uint32, refused, now bool, err error) {
	err = c.view(func(b buckets) error {
		no, e, err := findIn(b, id)
		if err != nil {
			return err
		}
		x, _, err := get[erasure](b.erasures, u64(placeOf(no, &e)))
		n, refused, now = x.Orders, x.Refused, x.Now
		return err
	})
	return n, refused, now, err
}
