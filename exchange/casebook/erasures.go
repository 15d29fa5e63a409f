package casebook

import (
	"bytes"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// erasure is a record that was taken down. Its place is its leaf; that of a home
// record is its number with the highest bit set.
type erasure struct {
	ID      []byte                 `cbor:"1,keyasint"`
	Entry   uint64                 `cbor:"2,keyasint,omitempty"` // its number; 0: this region can't read it
	Parties []peers.Region         `cbor:"3,keyasint"`           // who can
	Reason  exchange.ErasureReason `cbor:"4,keyasint,omitempty"`
	At      int64                  `cbor:"5,keyasint"` // Unix seconds, the origin's claim
	Now     bool                   `cbor:"6,keyasint,omitempty"`
	Leaf    uint64                 `cbor:"7,keyasint,omitempty"`  // of the order; 0: not on the ledger
	Orders  uint32                 `cbor:"8,keyasint,omitempty"`  // of this region's own
	Kept    bool                   `cbor:"9,keyasint,omitempty"`  // its RecordsErased is folded
	Refused bool                   `cbor:"10,keyasint,omitempty"` // the ledger did not take the last own order
}

// localPlace keeps home records apart from leaves.
const localPlace = 1 << 63

// report is what one region said of one record that was taken down.
type report struct {
	Stopped int64                  `cbor:"1,keyasint,omitempty"` // Unix seconds, as claimed
	Erased  int64                  `cbor:"2,keyasint,omitempty"`
	Scope   *exchange.ErasureScope `cbor:"3,keyasint,omitempty"`
}

// checkOrder reads an order's body. Who may order is in the headers, so that
// ordered comes to the same answer without a body.
func (c *Casebook) checkOrder(a *arrival, body []byte) string {
	order, err := exchange.ParseOrder(body)
	if err != nil || a.Header.Ref == nil {
		return CodeBadRecord
	}
	target, err := c.leaf(a.Header.Ref.Index)
	if err != nil || !a.Header.IsOrder(&target.Header) {
		return CodeNotEntitled
	}
	a.order = &order
	return ""
}

// ordered takes a record down because an entry of the ledger says so, whether
// this region could open that entry or not.
func (f *fold) ordered(le *exchange.Entry) error {
	ref := le.Header.Ref
	if ref == nil {
		return nil
	}
	target, err := f.leaf(ref.Index)
	if err != nil || !le.Header.IsOrder(&target.Header) {
		return err
	}
	e, known := load[erasure](f, f.b.erasures, u64(ref.Index))
	if !known {
		e.At = le.Header.IssuedAt
	}
	if e.Leaf == 0 {
		e.Leaf = le.Index
	}
	if order := f.orders[le.Index]; order != nil {
		e.say(order)
		delete(f.orders, le.Index)
	}
	f.takeDown(ref.Index, &target.Header, e, known)
	return nil
}

// orderedOwn takes a record down as soon as this region has authored the order.
func (f *fold) orderedOwn(h *exchange.Header, order *exchange.Order) {
	target, err := f.leaf(h.Ref.Index)
	if err != nil {
		f.fail(err)
		return
	}
	e, known := load[erasure](f, f.b.erasures, u64(h.Ref.Index))
	e.Orders++
	e.say(order)
	f.takeDown(h.Ref.Index, &target.Header, e, known)
}

func (f *fold) orderedLocal(o *exchange.LocalOrder) {
	no, found, err := findIn(f.b, o.Record)
	if err != nil || found.State == exchange.StateCommitted {
		f.fail(orDamaged(err))
		return
	}
	place := no | localPlace
	e, known := load[erasure](f, f.b.erasures, u64(place))
	e.Orders++
	e.say(&o.Order)
	f.takeDown(place, &exchange.Header{ID: o.Record, Origin: f.cfg.Region}, e, known)
}

// say takes an order's words; of several orders the first one's stand, but for
// the urgency.
func (e *erasure) say(o *exchange.Order) {
	e.Refused = false
	if e.Reason == "" {
		e.Reason, e.At = o.Reason, o.At
	}
	e.Now = e.Now || o.Now
}

// takeDown ends the serving of a record, once.
func (f *fold) takeDown(place uint64, h *exchange.Header, e erasure, known bool) {
	if !known {
		e.ID, e.Parties = h.ID[:], append([]peers.Region{h.Origin}, h.Recipients...)
		if no, found, err := findIn(f.b, h.ID); err == nil && (place&localPlace != 0 || found.Index == place) {
			e.Entry = no
			f.stopServing(no, h.ID, &found)
		} else if err != nil && err != exchange.ErrNotFound {
			f.fail(err)
		}
		f.putRaw(f.b.unerased, u64(place), nil)
		f.count(countErasing, 1)
	}
	f.put(f.b.erasures, u64(place), e)
}

// stopServing is the moment from which nothing of a record is shown: body,
// rows, quarantined rows of the same decision, reminders. What the app has been
// handed it is told to take down.
func (f *fold) stopServing(no uint64, id exchange.EntryID, e *entry) {
	e.Stopped = true
	f.put(f.b.entries, u64(no), e)
	f.unlist(no)
	for _, key := range keysWith(f.b.reminders, u64(no)) {
		r, ok := load[reminder](f, f.b.reminders, key)
		if !ok {
			continue
		}
		if r.Seq > 0 {
			r.Seq = f.show(key, exchange.OpCancel, false)
		}
		r.Stopped = true
		f.put(f.b.reminders, key, r)
	}
	if len(e.Natural) == 0 {
		return
	}
	if s, ok := load[standing](f, f.b.standings, e.Natural); ok && bytes.Equal(s.ID, id[:]) {
		s.Erased = true
		f.put(f.b.standings, e.Natural, s)
	}
	f.settle(e.Natural)
}

// erasing clears what the casebook itself keeps of records that are about to be
// erased: their sealed keys.
func (f *fold) erasing(r *exchange.RecordsErased) {
	for i := range r.Items {
		f.work++
		place := u64(r.Items[i].Place)
		x, ok := load[erasure](f, f.b.erasures, place)
		if !ok {
			f.fail(errDamaged)
			return
		}
		x.Kept = true
		f.put(f.b.erasures, place, x)
		if x.Entry == 0 {
			continue
		}
		if e, ok := load[entry](f, f.b.entries, u64(x.Entry)); ok && len(e.Key) > 0 {
			e.Key = nil
			f.put(f.b.entries, u64(x.Entry), e)
		}
	}
}

// reported takes a region's word on records that it has taken down. Each word
// counts once.
func (f *fold) reported(region peers.Region, r *exchange.Report) {
	for _, record := range r.Records {
		f.work++
		x, ok := load[erasure](f, f.b.erasures, u64(record.Index))
		if ok && bytes.Equal(x.ID, record.ID[:]) {
			f.say(record.Index, region, r.At, r.Scope)
		}
	}
}

// unsaid takes back what the ledger did not take: an order can be given again,
// a statement is authored again.
func (f *fold) unsaid(e *entry) {
	ev, err := f.event(e.Position)
	if err != nil || ev.Authored == nil {
		f.fail(orDamaged(err))
		return
	}
	if ev.Authored.Order != nil {
		h, err := exchange.ParseHeader(ev.Authored.Entry.Header)
		if err != nil || h.Ref == nil {
			f.fail(orDamaged(err))
			return
		}
		if x, ok := load[erasure](f, f.b.erasures, u64(h.Ref.Index)); ok {
			x.Refused = x.Leaf == 0
			f.put(f.b.erasures, u64(h.Ref.Index), x)
		}
	}
	r := ev.Authored.Report
	if r == nil {
		return
	}
	for _, record := range r.Records {
		key := join(u64(record.Index), []byte(f.cfg.Region))
		said, _ := load[report](f, f.b.reports, key)
		if r.Scope == nil {
			said.Stopped = 0
		} else {
			said.Erased, said.Scope = 0, nil
			f.putRaw(f.b.unerased, u64(record.Index), nil)
			f.count(countErasing, 1)
		}
		f.put(f.b.reports, key, said)
	}
}

func (f *fold) erasedLocal(l *exchange.LocalErased) {
	for i := range l.Records {
		no, _, err := findIn(f.b, l.Records[i])
		if err != nil {
			f.fail(err)
			return
		}
		f.say(no|localPlace, f.cfg.Region, l.At, nil)
		f.say(no|localPlace, f.cfg.Region, l.At, &l.Scope)
	}
}

func (f *fold) say(place uint64, region peers.Region, at int64, scope *exchange.ErasureScope) {
	key := join(u64(place), []byte(region))
	said, _ := load[report](f, f.b.reports, key)
	switch {
	case scope == nil && said.Stopped == 0:
		said.Stopped = at
	case scope != nil && said.Scope == nil:
		said.Erased, said.Scope = at, scope
		if region == f.cfg.Region {
			f.delete(f.b.unerased, u64(place))
			f.count(countErasing, -1)
		}
	default:
		return
	}
	f.put(f.b.reports, key, said)
}
