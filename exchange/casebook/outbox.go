package casebook

import (
	"bytes"
	"fmt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// cut is a batch that is cut, not void and not yet followed on the ledger.
type cut struct {
	Position exchange.Position `cbor:"1,keyasint"` // event that holds it
	Entries  []uint64          `cbor:"2,keyasint"`
}

// authored takes an entry that is not a row. The acks it carries wait no more.
func (f *fold) authored(a *exchange.EntryAuthored) error {
	h, err := exchange.ParseHeader(a.Entry.Header)
	if err != nil {
		return err
	}
	no := f.enter(&h, &entry{
		Class: h.Class, Kind: h.Kind, Origin: h.Origin, State: exchange.StateAccepted,
		Position: f.meta.Position, To: h.Recipients,
	}, a.Entry.Local)
	if a.Anchor != nil {
		f.anchoring(no, a.Anchor)
	}
	if h.Kind == exchange.KindAcknowledgement {
		for _, to := range h.Recipients {
			f.count(countStatements+string(to), 1)
		}
	}
	f.acked(a.Acked)
	if a.Order != nil && h.Ref != nil {
		f.orderedOwn(&h, a.Order)
	}
	if a.Report != nil {
		f.count(countReports+h.Kind, 1)
		f.reported(f.cfg.Region, a.Report)
	}
	return nil
}

// cut takes a batch's entries out of the outbox.
func (f *fold) cut(c *exchange.BatchCut) error {
	p, err := exchange.ParsePreamble(c.Preamble)
	if err != nil {
		return err
	}
	kept := cut{Position: f.meta.Position, Entries: make([]uint64, 0, len(c.Items))}
	for _, id := range c.Items {
		f.work++
		no := f.b.ids.Get(id[:])
		if no == nil {
			return fmt.Errorf("batch %d holds entry %s, which this region never authored", p.Seq, id)
		}
		kept.Entries = append(kept.Entries, number(no))
		f.delete(f.b.outbox, u64(number(no)))
	}
	f.put(f.b.cuts, u64(p.Seq), kept)
	return nil
}

// refused voids a cut and all later ones. Their entries wait again in their
// old order, for the outbox is ordered by number; only the bad one is out.
func (f *fold) refused(r *exchange.BatchRefused) {
	var bad uint64
	if raw := f.b.ids.Get(r.Item[:]); raw != nil && !r.Item.IsZero() {
		bad = number(raw)
	}
	var void [][]byte
	c := f.b.cuts.Cursor()
	for seq, raw := c.Seek(u64(r.Seq)); seq != nil; seq, raw = c.Next() {
		var k cut
		if err := decoding.Unmarshal(raw, &k); err != nil {
			f.fail(fmt.Errorf("%w: %v", errDamaged, err))
			return
		}
		for _, no := range k.Entries {
			if no != bad {
				f.putRaw(f.b.outbox, u64(no), nil)
			}
		}
		void = append(void, bytes.Clone(seq))
	}
	for _, seq := range void {
		f.delete(f.b.cuts, seq)
	}
	if bad > 0 {
		f.refuse(bad, r)
	}
}

// refuse ends an entry that the ledger will not take. Its natural key is free
// again, so that the sender can send the record once more.
func (f *fold) refuse(no uint64, r *exchange.BatchRefused) {
	e, ok := load[entry](f, f.b.entries, u64(no))
	if !ok || e.State != exchange.StateAccepted {
		return
	}
	if e.record() {
		f.count(countState+string(e.State), -1)
		f.count(countState+string(exchange.StateRefused), 1)
	}
	f.count(countOutbox, -1)
	f.delete(f.b.outbox, u64(no))
	e.State, e.Code = exchange.StateRefused, string(r.Code)
	f.put(f.b.entries, u64(no), e)
	switch e.Kind {
	case exchange.KindErasure, exchange.KindStopped, exchange.KindErasureStatement:
		f.unsaid(&e)
	}
	f.anchored(no, false)
	s, ok := load[standing](f, f.b.standings, e.Natural)
	if !ok || !bytes.Equal(s.ID, r.Item[:]) {
		return
	}
	if s.Withdrawn == 0 {
		f.delete(f.b.standings, e.Natural)
		return
	}
	f.put(f.b.standings, e.Natural, standing{Withdrawn: s.Withdrawn})
}

// committed notes that an own entry is on the ledger.
func (f *fold) committed(le *exchange.Entry) {
	h := &le.Header
	var e entry
	raw := f.b.ids.Get(h.ID[:])
	own := false
	if raw != nil {
		e, own = load[entry](f, f.b.entries, raw)
		own = own && e.own()
	}
	if !own {
		f.stranger(le)
		return
	}
	no := u64(number(raw))
	if e.State == exchange.StateCommitted {
		f.cfg.Logger.Error("own entry is on the ledger twice", "entry", h.ID, "index", le.Index)
		return
	}
	if e.record() {
		f.count(countState+string(e.State), -1)
		f.count(countState+string(exchange.StateCommitted), 1)
	}
	if e.State == exchange.StateAccepted {
		f.count(countOutbox, -1)
	}
	f.delete(f.b.outbox, no)
	e.State, e.Code, e.Index = exchange.StateCommitted, "", le.Index
	f.put(f.b.entries, no, e)
	f.anchored(number(no), true)
	if le.Item() == le.Batch.Preamble.N-1 {
		f.delete(f.b.cuts, u64(le.Batch.Preamble.Seq))
	}
}

// Standings answers for each key digest; a zero ID means none stands.
func (c *Casebook) Standings(keys []sm.Digest) ([]exchange.Standing, error) {
	out := make([]exchange.Standing, len(keys))
	err := c.view(func(b buckets) error {
		for i := range keys {
			s, ok, err := get[standing](b.standings, keys[i][:])
			if err != nil {
				return err
			}
			if ok {
				out[i] = exchange.Standing{At: s.Position, Row: s.Row, Withdrawn: s.Withdrawn, Erased: s.Erased}
				copy(out[i].ID[:], s.ID)
				copy(out[i].Content[:], s.Content)
			}
		}
		return nil
	})
	return out, err
}

// Pending returns entries that wait to be cut, after order, in order.
func (c *Casebook) Pending(after uint64, limit int) ([]exchange.Pending, error) {
	type waiting struct {
		no uint64
		entry
	}
	var found []waiting
	err := c.view(func(b buckets) error {
		cursor := b.outbox.Cursor()
		for key, _ := cursor.Seek(u64(after + 1)); key != nil && len(found) < limit; key, _ = cursor.Next() {
			e, ok, err := get[entry](b.entries, key)
			if err != nil || !ok {
				return orDamaged(err)
			}
			found = append(found, waiting{number(key), e})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]exchange.Pending, 0, len(found))
	for i := range found {
		p, err := c.pending(&found[i].entry)
		if err != nil {
			return nil, fmt.Errorf("casebook: entry %d of the outbox: %w", found[i].no, err)
		}
		p.Order = found[i].no
		out = append(out, p)
	}
	return out, nil
}

// pending reads an own entry as it was sealed, with its DEK.
func (c *Casebook) pending(e *entry) (exchange.Pending, error) {
	p, err := c.pendingOf(e)
	if err != nil {
		return exchange.Pending{}, err
	}
	h, err := exchange.ParseHeader(p.Header)
	p.ID = h.ID
	return p, err
}

// Authored returns the entry as it was sealed when accepted, with its DEK.
func (c *Casebook) Authored(id exchange.EntryID) (exchange.Pending, error) {
	no, e, err := c.find(id)
	if err != nil {
		return exchange.Pending{}, err
	}
	if !e.own() {
		return exchange.Pending{}, exchange.ErrNotFound
	}
	p, err := c.pending(&e)
	p.Order = no
	return p, err
}

// Cuts returns batches that are cut, not void and not yet followed on the
// ledger, by seq.
func (c *Casebook) Cuts() ([]exchange.BatchCut, error) {
	var at []exchange.Position
	err := c.view(func(b buckets) error {
		return b.cuts.ForEach(func(_, raw []byte) error {
			var k cut
			if err := decoding.Unmarshal(raw, &k); err != nil {
				return orDamaged(err)
			}
			at = append(at, k.Position)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]exchange.BatchCut, 0, len(at))
	for _, p := range at {
		e, err := c.cfg.Journal.ReadOne(p)
		if err != nil {
			return nil, err
		}
		if e.Cut == nil {
			return nil, errDamaged
		}
		out = append(out, *e.Cut)
	}
	return out, nil
}

// find looks an entry up by its id.
func (c *Casebook) find(id exchange.EntryID) (no uint64, e entry, err error) {
	err = c.view(func(b buckets) error {
		no, e, err = findIn(b, id)
		return err
	})
	return no, e, err
}

func findIn(b buckets, id exchange.EntryID) (uint64, entry, error) {
	raw := b.ids.Get(id[:])
	if raw == nil {
		return 0, entry{}, exchange.ErrNotFound
	}
	no := number(raw)
	e, ok, err := get[entry](b.entries, u64(no))
	if err == nil && !ok {
		err = errDamaged
	}
	return no, e, err
}

// orDamaged turns a pointer that leads nowhere into errDamaged.
func orDamaged(err error) error {
	if err == nil {
		return errDamaged
	}
	return err
}

// PendingAcks returns up to limit acks not yet authored, oldest first, and per
// origin the number of statements authored so far.
func (c *Casebook) PendingAcks(limit int) ([]exchange.PendingAck, map[peers.Region]uint32, error) {
	var out []exchange.PendingAck
	statements := map[peers.Region]uint32{}
	err := c.view(func(b buckets) error {
		cursor := b.acks.Cursor()
		for key, raw := cursor.First(); key != nil && len(out) < limit; key, raw = cursor.Next() {
			var w waitingAck
			if err := decoding.Unmarshal(raw, &w); err != nil {
				return orDamaged(err)
			}
			out = append(out, w.ack())
		}
		eachCount(b, countStatements, func(region string, n int) {
			statements[peers.Region(region)] = uint32(n)
		})
		return nil
	})
	return out, statements, err
}
