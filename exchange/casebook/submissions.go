package casebook

import (
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// submission is one file or list as it was taken in. Counts grow with its
// rows, so that one that was cut off shows what was taken.
type submission struct {
	Kind        string         `cbor:"1,keyasint"`
	Submitter   string         `cbor:"2,keyasint"`
	ReceivedAt  int64          `cbor:"3,keyasint"` // Unix milliseconds
	File        []byte         `cbor:"4,keyasint"` // digest
	Accepted    int            `cbor:"5,keyasint,omitempty"`
	Quarantined int            `cbor:"6,keyasint,omitempty"`
	Duplicate   int            `cbor:"7,keyasint,omitempty"`
	Skipped     int            `cbor:"8,keyasint,omitempty"`
	ByRule      map[string]int `cbor:"9,keyasint,omitempty"`
	FileNote    []string       `cbor:"10,keyasint,omitempty"` // rules of findings about the file
	Complete    bool           `cbor:"11,keyasint,omitempty"`
	Sequence    uint64         `cbor:"12,keyasint,omitempty"`
}

func (s *submission) received() int { return s.Accepted + s.Quarantined + s.Duplicate }

// rowRun points at the rows of one event.
type rowRun struct {
	Rows  int `cbor:"1,keyasint"`
	Noted int `cbor:"2,keyasint,omitempty"` // rows that have findings
}

// quarantined is a bad row. The row itself is in the journal.
type quarantined struct {
	Kind       string            `cbor:"1,keyasint"`
	Submitter  string            `cbor:"2,keyasint"`
	Rule       string            `cbor:"3,keyasint"`
	First      int64             `cbor:"4,keyasint"` // Unix milliseconds
	Last       int64             `cbor:"5,keyasint"`
	Times      int               `cbor:"6,keyasint"`
	Submission string            `cbor:"7,keyasint"`
	Position   exchange.Position `cbor:"8,keyasint"`
	Row        int               `cbor:"9,keyasint"` // index in RowsTaken.Rows
	N          int               `cbor:"10,keyasint"`
}

// standing is the live record of a natural key, or what is left of it.
type standing struct {
	ID        []byte            `cbor:"1,keyasint,omitempty"`
	Content   []byte            `cbor:"2,keyasint,omitempty"`
	Position  exchange.Position `cbor:"3,keyasint,omitempty"`
	Row       int               `cbor:"4,keyasint,omitempty"`
	Withdrawn uint32            `cbor:"5,keyasint,omitempty"`
	Erased    bool              `cbor:"6,keyasint,omitempty"` // taken down: rows of this key are not shown
}

func (f *fold) opened(o *exchange.SubmissionOpened) {
	f.put(f.b.submissions, []byte(o.ID), submission{
		Kind: o.Kind, Submitter: o.Submitter, ReceivedAt: o.ReceivedAt.UnixMilli(), File: o.FileDigest[:],
		Sequence: o.Sequence,
	})
	if o.Idempotency != "" {
		f.putRaw(f.b.idempotency, idempotencyKey(o.Principal, o.Idempotency), []byte(o.ID))
	}
}

func idempotencyKey(principal, key string) []byte { return []byte(principal + "\x00" + key) }

func (f *fold) closed(c *exchange.SubmissionClosed) {
	s, ok := load[submission](f, f.b.submissions, []byte(c.ID))
	if !ok {
		return
	}
	s.Complete, s.Skipped, s.FileNote = c.Failed == "", c.Skipped, c.FileNote
	f.put(f.b.submissions, []byte(c.ID), s)
	if s.Complete {
		f.sent(&s)
	}
}

func (f *fold) rowsTaken(t *exchange.RowsTaken) error {
	s, _ := load[submission](f, f.b.submissions, []byte(t.Submission))
	if s.ByRule == nil {
		s.ByRule = map[string]int{}
	}
	run := rowRun{Rows: len(t.Rows)}
	for i := range t.Rows {
		row := &t.Rows[i]
		f.work++
		if noted(row) {
			run.Noted++
		}
		if row.Rule != "" {
			s.ByRule[row.Rule]++
		}
		switch row.Outcome {
		case exchange.RowAccepted:
			s.Accepted++
			if err := f.accept(t, i); err != nil {
				return err
			}
		case exchange.RowQuarantined:
			s.Quarantined++
			f.quarantine(&s, t, i)
		case exchange.RowDuplicate:
			s.Duplicate++
		}
		if row.Outcome != exchange.RowAccepted && !row.KeyDigest.IsZero() {
			f.putRaw(f.b.copies, join(row.KeyDigest[:], u64(row.Slot)), []byte(row.Quarantine))
			f.acquaint(row)
		}
	}
	f.put(f.b.rows, join([]byte(t.Submission), u64(uint64(f.meta.Position))), run)
	f.put(f.b.submissions, []byte(t.Submission), s)
	return nil
}

// noted reports whether a row has findings, without opening them.
func noted(row *exchange.Row) bool { return row.Rule != "" || len(row.Flags) > 0 }

// accept takes an accepted row: a record of this region, and an entry of the
// outbox unless it stays at home.
func (f *fold) accept(t *exchange.RowsTaken, i int) error {
	row := &t.Rows[i]
	if row.Entry == nil {
		return nil
	}
	h, err := exchange.ParseHeader(row.Entry.Header)
	if err != nil {
		return err
	}
	e := entry{
		Class: h.Class, Kind: h.Kind, Origin: h.Origin, State: exchange.StateAccepted,
		Position: f.meta.Position, Row: i, Submission: t.Submission, To: h.Recipients, Natural: row.KeyDigest[:],
	}
	no := f.enter(&h, &e, row.Entry.Local)
	old, _ := load[standing](f, f.b.standings, row.KeyDigest[:])
	f.put(f.b.standings, row.KeyDigest[:], standing{
		ID: h.ID[:], Content: row.Content[:], Position: f.meta.Position, Row: i, Withdrawn: old.Withdrawn,
	})
	f.settle(row.KeyDigest[:])
	if peers.Region(row.Entry.Home) == f.cfg.Region {
		return f.remindOwn(no, &h, row)
	}
	return nil
}

// enter numbers an own entry and, unless it is local, puts it into the outbox.
func (f *fold) enter(h *exchange.Header, e *entry, local bool) uint64 {
	f.meta.Entry++
	no := f.meta.Entry
	if local {
		e.State = exchange.StateLocal
	} else {
		f.putRaw(f.b.outbox, u64(no), nil)
		f.count(countOutbox, 1)
	}
	f.put(f.b.entries, u64(no), e)
	f.putRaw(f.b.ids, h.ID[:], u64(no))
	if e.record() {
		f.count(countState+string(e.State), 1)
	}
	return no
}

func (f *fold) quarantine(s *submission, t *exchange.RowsTaken, i int) {
	row := &t.Rows[i]
	q, again := load[quarantined](f, f.b.quarantine, []byte(row.Quarantine))
	if again {
		f.count(countQuarantined+q.Rule, -1)
	} else {
		q = quarantined{Kind: s.Kind, Submitter: s.Submitter, First: f.at}
	}
	q.Rule, q.Last, q.Submission = row.Rule, f.at, t.Submission
	q.Position, q.Row, q.N = f.meta.Position, i, row.N
	q.Times++
	f.count(countQuarantined+q.Rule, 1)
	f.put(f.b.quarantine, []byte(row.Quarantine), q)
}

// settle takes the bad rows of a natural key out of quarantine: one was mended
// and is a record now, or the record was taken down.
func (f *fold) settle(natural []byte) {
	for _, key := range keysWith(f.b.copies, natural) {
		id := f.b.copies.Get(key)
		if q, ok := load[quarantined](f, f.b.quarantine, id); ok && len(id) > 0 {
			f.count(countQuarantined+q.Rule, -1)
			f.delete(f.b.quarantine, id)
		}
	}
}
