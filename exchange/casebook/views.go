package casebook

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// maxShown bounds the findings and rows inside one answer; the rest is read by
// page.
const maxShown = 1000

// Submission returns what the sender of a submission is told.
func (c *Casebook) Submission(id string) (exchange.SubmissionView, error) {
	var v exchange.SubmissionView
	var notedAt []exchange.Position
	err := c.view(func(b buckets) error {
		s, ok, err := get[submission](b.submissions, []byte(id))
		if err != nil {
			return err
		}
		if !ok {
			return exchange.ErrNotFound
		}
		v = s.view(id)
		noted := 0
		runs := b.rows.Cursor()
		for key, raw := runs.Seek([]byte(id)); bytes.HasPrefix(key, []byte(id)) && noted < maxShown; key, raw = runs.Next() {
			var run rowRun
			if err := decoding.Unmarshal(raw, &run); err != nil {
				return orDamaged(nil)
			}
			if run.Noted > 0 {
				noted += run.Noted
				notedAt = append(notedAt, exchange.Position(number(key)))
			}
		}
		for _, rule := range s.FileNote {
			v.Findings = append(v.Findings, schemas.NewFinding(schemas.Code(rule), schemas.Row{}))
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	if v.Findings, err = c.findings(notedAt, v.Findings); err != nil {
		return v, err
	}
	rows, err := c.Rows(id, "", maxShown)
	v.Records = rows.Items
	return v, err
}

func (s *submission) view(id string) exchange.SubmissionView {
	v := exchange.SubmissionView{
		ID: id, Kind: s.Kind, Submitter: s.Submitter, ReceivedAt: millis(s.ReceivedAt), Complete: s.Complete,
		Received: s.received(), Accepted: s.Accepted, Quarantined: s.Quarantined, Duplicate: s.Duplicate,
		ByRule: s.ByRule, Skipped: s.Skipped,
	}
	if v.ByRule == nil {
		v.ByRule = map[string]int{}
	}
	return v
}

// findings opens those of the rows of some events, in row order, and puts
// those of the file after them.
func (c *Casebook) findings(at []exchange.Position, ofFile []schemas.Finding) ([]schemas.Finding, error) {
	var out []schemas.Finding
	for _, position := range at {
		ev, err := c.event(position)
		if err != nil {
			return nil, err
		}
		if ev.Rows == nil {
			return nil, errDamaged
		}
		for i := range ev.Rows.Rows {
			row := &ev.Rows.Rows[i]
			if !noted(row) {
				continue
			}
			p, err := c.private(row)
			if err != nil {
				return nil, err
			}
			out = append(out, p.Findings[:min(len(p.Findings), maxShown-len(out))]...)
		}
	}
	return append(out, ofFile...), nil
}

// private opens a row's private part. It is empty once erased, and from the
// moment on that the record of its decision is taken down.
func (c *Casebook) private(row *exchange.Row) (exchange.RowPrivate, error) {
	if !row.KeyDigest.IsZero() {
		standing, err := c.Standings([]sm.Digest{row.KeyDigest})
		if err != nil || standing[0].Erased {
			return exchange.RowPrivate{}, err
		}
	}
	p, err := exchange.OpenRow(c.cfg.Vault, row)
	if erased(err) {
		return exchange.RowPrivate{}, nil
	}
	return p, err
}

// SubmissionByIdempotency finds the submission that a principal sent under a
// key, and its file's digest.
func (c *Casebook) SubmissionByIdempotency(principal, key string) (id string, digest sm.Digest, err error) {
	err = c.view(func(b buckets) error {
		raw := b.idempotency.Get(idempotencyKey(principal, key))
		if raw == nil {
			return exchange.ErrNotFound
		}
		id = string(raw)
		s, ok, err := get[submission](b.submissions, raw)
		if err != nil || !ok {
			return orDamaged(err)
		}
		copy(digest[:], s.File)
		return nil
	})
	return id, digest, err
}

// place is where a row stands in the journal.
type place struct {
	position exchange.Position
	row      int
}

// Rows lists a submission's rows in file order.
func (c *Casebook) Rows(id, cursor string, limit int) (exchange.Page[exchange.RowView], error) {
	page := exchange.Page[exchange.RowView]{Items: []exchange.RowView{}}
	start, err := parsePlace(cursor)
	if err != nil {
		return page, err
	}
	var places []place
	err = c.view(func(b buckets) error {
		if b.submissions.Get([]byte(id)) == nil {
			return exchange.ErrNotFound
		}
		runs := b.rows.Cursor()
		for key, raw := runs.Seek(join([]byte(id), u64(uint64(start.position)))); bytes.HasPrefix(key, []byte(id)); key, raw = runs.Next() {
			var run rowRun
			if err := decoding.Unmarshal(raw, &run); err != nil {
				return orDamaged(nil)
			}
			at := place{position: exchange.Position(number(key))}
			if at.position == start.position {
				at.row = start.row
			}
			for ; at.row < run.Rows; at.row++ {
				if len(places) == limit {
					page.Next = pageCursor(join(u64(uint64(at.position)), u64(uint64(at.row))))
					return nil
				}
				places = append(places, at)
			}
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	for _, at := range places {
		v, err := c.rowView(at)
		if err != nil {
			return page, fmt.Errorf("casebook: row of event %d: %w", at.position, err)
		}
		page.Items = append(page.Items, v)
	}
	return page, nil
}

func parsePlace(cursor string) (place, error) {
	raw, err := parsePage(cursor, 16)
	if err != nil || len(raw) == 0 {
		return place{}, err
	}
	row := number(raw)
	if row > 1<<20 {
		return place{}, errCursor()
	}
	return place{exchange.Position(number(raw[:8])), int(row)}, nil
}

func (c *Casebook) rowView(at place) (exchange.RowView, error) {
	row, err := c.row(at.position, at.row)
	if err != nil {
		return exchange.RowView{}, err
	}
	v := exchange.RowView{
		Row: row.N, Outcome: row.Outcome, Rule: row.Rule, Quarantine: row.Quarantine,
		Normalised: row.Normalised, Flags: row.Flags,
	}
	p, err := c.private(row)
	if err != nil {
		return v, err
	}
	v.Findings = p.Findings
	switch {
	case row.Outcome == exchange.RowDuplicate:
		earlier := row.Earlier
		v.ID = &earlier
	case row.Entry != nil:
		return v, c.acceptedView(&v, row, &p)
	}
	return v, nil
}

// acceptedView adds what became of an accepted row.
func (c *Casebook) acceptedView(v *exchange.RowView, row *exchange.Row, private *exchange.RowPrivate) error {
	key, keyErr := contentKey(private.Key, nil)
	if len(private.Key) == 0 {
		keyErr = exchange.ErrErased
	}
	body, err := c.openBody(row.Entry.Header, private.Body, key, keyErr)
	if err != nil && !errors.Is(err, exchange.ErrErased) {
		return err
	}
	id := body.header.ID
	_, e, err := c.find(id)
	if err != nil {
		return err
	}
	v.ID, v.State, v.Home = &id, c.shown(&e), peers.Region(row.Entry.Home)
	if len(body.Record) > 0 && body.header.Kind == exchange.KindPenalty {
		p, err := schemas.DecodePenalty(body.Record)
		if err != nil {
			return err
		}
		v.Subject = p.SubjectUSCC
	}
	return nil
}

// pageBytes is how much of rows as they came one page opens; a row may have a
// megabyte.
const pageBytes = 8 << 20

// Quarantine lists bad rows that wait for repair, by id; filter's Kind and
// Submitter narrow it. A page may be short before the list ends.
func (c *Casebook) Quarantine(filter exchange.RecordFilter, cursor string, limit int) (exchange.Page[exchange.QuarantineItem], error) {
	page := exchange.Page[exchange.QuarantineItem]{Items: []exchange.QuarantineItem{}}
	start, err := parsePage(cursor, 0)
	if err != nil {
		return page, err
	}
	var places []place
	err = c.view(func(b buckets) error {
		budget := scanLimit
		all := b.quarantine.Cursor()
		for key, raw := all.Seek(start); key != nil; key, raw = all.Next() {
			if len(places) == limit || budget == 0 {
				page.Next = pageCursor(bytes.Clone(key))
				return nil
			}
			budget--
			var q quarantined
			if err := decoding.Unmarshal(raw, &q); err != nil {
				return orDamaged(nil)
			}
			if (filter.Kind != "" && filter.Kind != q.Kind) || (filter.Submitter != "" && filter.Submitter != q.Submitter) {
				continue
			}
			places = append(places, place{q.Position, q.Row})
			page.Items = append(page.Items, exchange.QuarantineItem{
				ID: string(key), Kind: q.Kind, Submitter: q.Submitter, Rule: q.Rule, FirstAt: millis(q.First),
				LastAt: millis(q.Last), Times: q.Times, Submission: q.Submission, Row: q.N,
			})
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	opened := 0
	for i, at := range places {
		row, err := c.row(at.position, at.row)
		if err != nil {
			return page, err
		}
		p, err := c.private(row)
		if err != nil {
			return page, err
		}
		page.Items[i].Findings, page.Items[i].Raw = p.Findings, p.Raw
		if opened += len(p.Raw); opened > pageBytes && i+1 < len(places) {
			page.Items, page.Next = page.Items[:i+1], pageCursor([]byte(page.Items[i+1].ID))
			break
		}
	}
	return page, nil
}
