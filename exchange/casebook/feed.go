package casebook

import (
	"bytes"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// shown is a reminder that is to be rendered.
type shown struct {
	reminder
	entry
	no       uint64
	seq      uint64
	stage    exchange.Stage
	op       exchange.Op
	backfill bool
}

// Feed returns items after seq, in order, and the seq from which to go on:
// after itself at the end. Items of a firm that is no longer bound are passed
// over, so that it may get on without an item.
func (c *Casebook) Feed(after uint64, limit int) (items []exchange.Reminder, next uint64, err error) {
	var found []shown
	next = after
	err = c.view(func(b buckets) error {
		budget := scanLimit
		cursor := b.feed.Cursor()
		for key, raw := cursor.Seek(u64(after + 1)); key != nil && len(found) < limit && budget > 0; key, raw = cursor.Next() {
			budget--
			next = number(key)
			item, s, bound, err := findItem(b, raw)
			if err != nil {
				return err
			}
			if !bound {
				continue
			}
			s.seq, s.op, s.backfill = next, item.Op, item.Backfill
			found = append(found, s)
		}
		return nil
	})
	if err != nil {
		return nil, after, err
	}
	items, err = c.renderAll(found)
	return items, next, err
}

// FeedEnd is the seq of the last item, 0 when there is none.
func (c *Casebook) FeedEnd() (seq uint64, err error) {
	err = c.view(func(b buckets) error {
		key, _ := b.feed.Cursor().Last()
		seq = number(key)
		return nil
	})
	return seq, err
}

// FeedTag tells the item at seq from whatever stands there in another region's
// feed, or in this one after a restore: docs/formats/casebook.md. ErrNotFound
// beyond the end.
func (c *Casebook) FeedTag(seq uint64) (tag [8]byte, err error) {
	err = c.view(func(b buckets) error {
		raw := b.feed.Get(u64(seq))
		if raw == nil {
			return exchange.ErrNotFound
		}
		_, s, _, err := findItem(b, raw)
		if err != nil {
			return err
		}
		digest := sm.Sum(sm.LabelFeed.Append(nil), s.Subject, u64(uint64(s.reminder.At)), raw)
		copy(tag[:], digest[:])
		return nil
	})
	return tag, err
}

// findItem reads an item of the feed with its reminder.
func findItem(b buckets, raw []byte) (item feedItem, s shown, bound bool, err error) {
	if decoding.Unmarshal(raw, &item) != nil {
		return item, s, false, orDamaged(nil)
	}
	s, bound, err = findShown(b, reminderKey(item.Entry, item.Stage))
	return item, s, bound, err
}

// findShown reads a reminder with its entry, and whether its firm is bound.
func findShown(b buckets, key []byte) (s shown, bound bool, err error) {
	var ok bool
	if s.reminder, ok, err = get[reminder](b.reminders, key); err != nil || !ok {
		return s, false, orDamaged(err)
	}
	s.no, s.stage = number(key[:8]), stageOf(key)
	if s.entry, ok, err = get[entry](b.entries, u64(s.no)); err != nil || !ok {
		return s, false, orDamaged(err)
	}
	return s, b.bindings.Get(s.Subject) != nil, nil
}

// Reminders lists bound firms' open reminders, oldest first, for a client
// whose cursor has expired. Seq is that of the reminder's last feed item.
func (c *Casebook) Reminders(cursor string, limit int) (exchange.Page[exchange.Reminder], error) {
	page := exchange.Page[exchange.Reminder]{Items: []exchange.Reminder{}}
	start, err := parsePage(cursor, len(reminderKey(0, exchange.StageIssued)))
	if err != nil {
		return page, err
	}
	var found []shown
	err = c.view(func(b buckets) error {
		budget := scanLimit
		all := b.reminders.Cursor()
		for key, _ := all.Seek(start); key != nil; key, _ = all.Next() {
			if len(found) == limit || budget == 0 {
				page.Next = pageCursor(bytes.Clone(key))
				return nil
			}
			budget--
			s, bound, err := findShown(b, key)
			if err != nil {
				return err
			}
			if bound && s.reminder.open() {
				s.seq, s.op = s.reminder.Seq, exchange.OpNew
				found = append(found, s)
			}
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	page.Items, err = c.renderAll(found)
	return page, err
}

func (c *Casebook) renderAll(found []shown) ([]exchange.Reminder, error) {
	out := make([]exchange.Reminder, len(found))
	err := parallel(len(found), func(i int) (err error) {
		out[i], err = c.render(&found[i])
		return err
	})
	return out, err
}

// render opens the record and fills a reminder from it. One whose record has
// been erased becomes a cancellation: the app takes down what it shows.
func (c *Casebook) render(s *shown) (exchange.Reminder, error) {
	r := exchange.Reminder{
		Seq: s.seq, Op: s.op, Backfill: s.backfill, Stage: s.stage, IssuedAt: millis(s.reminder.At),
		State: s.Progress.State, Remedies: []string{}, Actions: []string{},
	}
	body, err := c.open(&s.entry)
	if err != nil && !erased(err) {
		return r, err
	}
	r.Record, r.ID = body.header.ID, reminderID(body.header.ID, s.stage)
	if err != nil {
		r.Op = exchange.OpCancel
		return r.In("zh"), nil
	}
	p, err := schemas.DecodePenalty(body.Record)
	if err != nil {
		return r, err
	}
	fill(&r, p)
	return r.In("zh"), nil
}

// fill takes what the contract lists from a penalty, and no more.
func fill(r *exchange.Reminder, p *schemas.Penalty) {
	r.SubjectUSCC, r.SubjectName = p.SubjectUSCC, p.SubjectName
	r.Authority, r.DecisionNo, r.Violation = p.AuthorityName, p.DecisionNo, p.ViolationType
	for i, plate := range p.Plates {
		if i > 0 {
			r.Plate += "、"
		}
		r.Plate += plate.Number
	}
	if p.FineFen > 0 {
		fine := p.FineFen
		r.FineFen = &fine
	}
	if p.PaymentCode != "" {
		r.Pay = &exchange.PayHint{Code: p.PaymentCode}
	}
	r.Publication = &exchange.Public{Published: p.PublicationUntil != "", Until: string(p.PublicationUntil)}
}
