package casebook

import (
	"slices"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// progress is how far a reminder or a delivery has come. The forward line and
// the words beside it are kept apart: a push that failed later does not undo
// that the firm has read.
type progress struct {
	State    exchange.AckState `cbor:"1,keyasint,omitempty"` // delivered < read < acted
	At       int64             `cbor:"2,keyasint,omitempty"` // Unix seconds, as claimed
	Beside   exchange.AckState `cbor:"3,keyasint,omitempty"` // failed, unbound, refused
	BesideAt int64             `cbor:"4,keyasint,omitempty"`
	Code     string            `cbor:"5,keyasint,omitempty"` // of Beside
}

// advance takes one word and answers whether it is known, and whether it
// changed anything. Saying the same again is ok and changes nothing.
func (p *progress) advance(state exchange.AckState, at int64, code string) (answer exchange.AckAnswer, changed bool) {
	switch rank := state.Rank(); {
	case rank < 0:
		return exchange.AckUnknown, false
	case rank == 0:
		if p.Beside == state && p.Code == code {
			return exchange.AckOK, false
		}
		p.Beside, p.BesideAt, p.Code = state, at, code
		return exchange.AckOK, true
	case rank < p.State.Rank():
		return exchange.AckStale, false
	case state == p.State:
		return exchange.AckOK, false
	}
	p.State, p.At = state, at
	return exchange.AckOK, true
}

// deliveries shows progress as what a region said.
func (p *progress) deliveries(region peers.Region) []exchange.Delivery {
	var out []exchange.Delivery
	if p.State != "" {
		out = append(out, exchange.Delivery{Region: string(region), State: p.State, At: exchange.Moment(p.At)})
	}
	if p.Beside != "" {
		out = append(out, exchange.Delivery{Region: string(region), State: p.Beside, At: exchange.Moment(p.BesideAt), Code: p.Code})
	}
	return out
}

func millis(at int64) time.Time { return time.UnixMilli(at).In(exchange.Shanghai) }

// waitingAck waits to be told to its record's origin.
type waitingAck struct {
	Origin peers.Region      `cbor:"1,keyasint"`
	Record []byte            `cbor:"2,keyasint"`
	State  exchange.AckState `cbor:"3,keyasint"`
	At     int64             `cbor:"4,keyasint"`
	Code   string            `cbor:"5,keyasint,omitempty"`
}

func (w *waitingAck) ack() exchange.PendingAck {
	a := exchange.PendingAck{Origin: w.Origin, Ack: exchange.RecordAck{State: w.State, At: w.At, Code: w.Code}}
	copy(a.Ack.Record[:], w.Record)
	return a
}

// acksReceived takes the app's words. What it says of another region's record
// is told to that region; of an own record this region simply knows it.
func (f *fold) acksReceived(r *exchange.AcksReceived) {
	for i := range r.Acks {
		a := &r.Acks[i]
		f.work++
		key, e, ok := f.reminded(a.Reminder)
		if !ok || a.State == exchange.AckRefused {
			continue
		}
		m, _ := load[reminder](f, f.b.reminders, key)
		if _, changed := m.Progress.advance(a.State, a.At.Unix(), a.Reason); !changed {
			continue
		}
		f.put(f.b.reminders, key, m)
		if !e.own() {
			record, _, _ := parseReminderID(a.Reminder)
			f.tell(e.Origin, exchange.RecordAck{Record: record, State: a.State, At: a.At.Unix(), Code: a.Reason})
		}
	}
}

func (f *fold) reminded(id string) (key []byte, e entry, ok bool) {
	key, e, err := findReminder(f.b, id)
	if err != nil && err != exchange.ErrNotFound {
		f.fail(err)
	}
	return key, e, err == nil
}

// findReminder looks a reminder up by its id.
func findReminder(b buckets, id string) (key []byte, e entry, err error) {
	record, stage, ok := parseReminderID(id)
	if !ok {
		return nil, entry{}, exchange.ErrNotFound
	}
	no, e, err := findIn(b, record)
	if err != nil {
		return nil, entry{}, err
	}
	if key = reminderKey(no, stage); b.reminders.Get(key) == nil {
		return nil, entry{}, exchange.ErrNotFound
	}
	return key, e, nil
}

// tell queues an ack for the next statement to a region.
func (f *fold) tell(origin peers.Region, a exchange.RecordAck) {
	f.meta.Ack++
	f.put(f.b.acks, u64(f.meta.Ack), waitingAck{Origin: origin, Record: a.Record[:], State: a.State, At: a.At, Code: a.Code})
	f.count(countAcks, 1)
}

// acked takes out of the queue what a statement carries. Statements take the
// oldest acks, so the search ends near the front.
func (f *fold) acked(carried []exchange.AckedAs) {
	left := make(map[exchange.AckedAs]bool, len(carried))
	for _, a := range carried {
		left[a] = true
	}
	var told [][]byte
	cursor := f.b.acks.Cursor()
	for key, raw := cursor.First(); key != nil && len(left) > 0; key, raw = cursor.Next() {
		var w waitingAck
		if err := decoding.Unmarshal(raw, &w); err != nil {
			f.fail(orDamaged(nil))
			return
		}
		a := w.ack().Ack
		as := exchange.AckedAs{Record: a.Record, State: a.State, Code: a.Code}
		if left[as] {
			delete(left, as)
			told = append(told, slices.Clone(key))
		}
	}
	for _, key := range told {
		f.delete(f.b.acks, key)
	}
	f.count(countAcks, -int64(len(told)))
}

// delivered takes another region's words on records of this one, and only on
// those that were sealed to it.
func (f *fold) delivered(from peers.Region, said *exchange.Acknowledgement) {
	for _, a := range said.Acks {
		f.work++
		no, e, err := findIn(f.b, a.Record)
		if err != nil || !e.own() || !e.record() || !slices.Contains(e.To, from) {
			if err != nil && err != exchange.ErrNotFound {
				f.fail(err)
			}
			continue
		}
		key := deliveryKey(no, from)
		p, _ := load[progress](f, f.b.deliveries, key)
		if _, changed := p.advance(a.State, a.At, a.Code); changed {
			f.put(f.b.deliveries, key, p)
		}
	}
}

func deliveryKey(no uint64, r peers.Region) []byte { return join(u64(no), []byte(r)) }

// Judge says what each ack would do, without doing it. Acks of one call see
// those before them.
func (c *Casebook) Judge(acks []exchange.Ack) ([]exchange.AckAnswer, error) {
	out := make([]exchange.AckAnswer, len(acks))
	so := map[string]*progress{}
	err := c.view(func(b buckets) error {
		for i, a := range acks {
			out[i] = exchange.AckUnknown
			p := so[a.Reminder]
			if p == nil {
				key, _, err := findReminder(b, a.Reminder)
				if err == exchange.ErrNotFound {
					continue
				}
				if err != nil {
					return err
				}
				m, _, err := get[reminder](b.reminders, key)
				if err != nil {
					return err
				}
				p = &m.Progress
				so[a.Reminder] = p
			}
			out[i], _ = p.advance(a.State, a.At.Unix(), a.Reason)
		}
		return nil
	})
	return out, err
}

// reminderID names a reminder for ever, by its record and stage.
func reminderID(record exchange.EntryID, stage exchange.Stage) string {
	return record.String() + "-" + string(stage)
}

func parseReminderID(id string) (record exchange.EntryID, stage exchange.Stage, ok bool) {
	digits, word, ok := strings.Cut(id, "-")
	if !ok || record.UnmarshalText([]byte(digits)) != nil || exchange.Stage(word) != exchange.StageIssued {
		return record, "", false
	}
	return record, exchange.Stage(word), true
}
