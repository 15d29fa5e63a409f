package casebook

import (
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// reminder is one (record, stage) of a firm at home here. What it says is
// rendered from the record when it is read.
type reminder struct {
	Subject  []byte   `cbor:"1,keyasint"`           // subjectOf the firm
	At       int64    `cbor:"2,keyasint"`           // Unix milliseconds
	Seq      uint64   `cbor:"3,keyasint,omitempty"` // of its last feed item, 0: none
	Progress progress `cbor:"4,keyasint"`
	Stopped  bool     `cbor:"5,keyasint,omitempty"` // its record was taken down
}

// open reports whether the firm still has something to do about it.
func (r *reminder) open() bool { return r.Progress.State != exchange.AckActed && !r.Stopped }

// feedItem is one place of the feed.
type feedItem struct {
	Entry    uint64         `cbor:"1,keyasint"`
	Stage    exchange.Stage `cbor:"2,keyasint"`
	Op       exchange.Op    `cbor:"3,keyasint"`
	Backfill bool           `cbor:"4,keyasint,omitempty"`
}

// binding says that the app has a user for a firm.
type binding struct {
	BoundAt int64 `cbor:"1,keyasint"` // Unix milliseconds, as claimed
}

// stages numbers the stages for keys, in the order in which they come.
var stages = []exchange.Stage{exchange.StageIssued}

func reminderKey(no uint64, stage exchange.Stage) []byte {
	for i, s := range stages {
		if s == stage {
			return append(u64(no), byte(i+1))
		}
	}
	return append(u64(no), 0)
}

// stageOf reads the stage at the end of a reminder's key.
func stageOf(key []byte) exchange.Stage {
	if i := int(key[len(key)-1]) - 1; i >= 0 && i < len(stages) {
		return stages[i]
	}
	return ""
}

// subjectOf names a firm without telling it; nil when there is none.
func (c *Casebook) subjectOf(uscc string) []byte { return c.cfg.IDSecret.Subject(uscc) }

// remindOwn makes the reminder of a home record. The firm is known from the
// sealed body only, or from what was kept of it.
func (f *fold) remindOwn(no uint64, h *exchange.Header, row *exchange.Row) error {
	if h.Kind != exchange.KindPenalty || h.Commitment == nil {
		return nil
	}
	if kept, ok := f.ahead.local[h.ID]; ok {
		f.remind(no, kept.Subject)
		return nil
	}
	p, err := f.pendingRow(row)
	if erased(err) {
		return nil
	}
	if err != nil {
		return err
	}
	opened, err := envelope.Open(p.Key, f.cfg.LedgerID, p.Body, *h.Commitment)
	if err != nil {
		return err
	}
	penalty, err := schemas.DecodePenalty(opened.Record)
	if err != nil {
		return err
	}
	f.remind(no, f.subjectOf(penalty.SubjectUSCC))
	f.list(no, h.ID, f.placeOf(penalty.SubjectUSCC))
	return nil
}

// remind makes the first-stage reminder of a penalty whose firm is at home
// here, bound or not, and hands it to the feed if it is bound. Without a subject
// there is nobody to remind.
func (f *fold) remind(no uint64, subject []byte) {
	if subject == nil {
		return
	}
	f.putRaw(f.b.subjects, join(subject, u64(no)), nil)
	r := reminder{Subject: subject, At: f.at}
	key := reminderKey(no, exchange.StageIssued)
	if f.b.bindings.Get(subject) != nil {
		r.Seq = f.show(key, exchange.OpNew, false)
	}
	f.put(f.b.reminders, key, r)
	f.count(countReminders+string(exchange.StageIssued), 1)
}

// show appends a reminder to the feed.
func (f *fold) show(key []byte, op exchange.Op, backfill bool) (seq uint64) {
	f.meta.Feed++
	f.put(f.b.feed, u64(f.meta.Feed), feedItem{
		Entry: number(key[:8]), Stage: stageOf(key), Op: op, Backfill: backfill,
	})
	return f.meta.Feed
}

// bound lets the feed have the firm's reminders from now on, and the open ones
// again as backfill. Binding twice is one binding.
func (f *fold) bound(b *exchange.FirmBound) {
	if f.b.bindings.Get(b.Subject) != nil {
		return
	}
	f.put(f.b.bindings, b.Subject, binding{BoundAt: b.BoundAt.UnixMilli()})
	f.count(countBound, 1)
	for _, key := range f.remindersOf(b.Subject) {
		r, ok := load[reminder](f, f.b.reminders, key)
		if ok && r.open() {
			f.work++
			r.Seq = f.show(key, exchange.OpNew, true)
			f.put(f.b.reminders, key, r)
		}
	}
}

func (f *fold) unbound(u *exchange.FirmUnbound) {
	if f.b.bindings.Get(u.Subject) == nil {
		return
	}
	f.delete(f.b.bindings, u.Subject)
	f.count(countBound, -1)
}

// remindersOf lists the keys of a firm's reminders, oldest record first.
func (f *fold) remindersOf(subject []byte) [][]byte {
	var keys [][]byte
	for _, record := range keysWith(f.b.subjects, subject) {
		keys = append(keys, keysWith(f.b.reminders, record[exchange.SubjectSize:])...)
	}
	return keys
}

// Bound reports whether the app has a user for the firm.
func (c *Casebook) Bound(uscc string) (bool, error) {
	var bound bool
	err := c.view(func(b buckets) error {
		bound = b.bindings.Get(c.subjectOf(uscc)) != nil
		return nil
	})
	return bound, err
}
