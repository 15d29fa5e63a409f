package casebook

import (
	"bytes"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// found is an entry with what the file says around it.
type found struct {
	entry
	no         uint64
	submitter  string
	deliveries []exchange.Delivery
	erasure    *exchange.ErasureView
}

// Record returns a record with all that this region may say of it; body and
// author are set when it still can be opened.
func (c *Casebook) Record(id exchange.EntryID) (exchange.RecordView, error) {
	var r found
	err := c.view(func(b buckets) (err error) {
		if r.no, r.entry, err = findIn(b, id); err != nil {
			return err
		}
		return c.complete(b, &r)
	})
	if err != nil {
		return exchange.RecordView{}, err
	}
	return c.recordView(&r, true)
}

// complete adds submitter, deliveries and what is said of its erasure.
func (c *Casebook) complete(b buckets, r *found) error {
	if r.Submission != "" {
		s, ok, err := get[submission](b.submissions, []byte(r.Submission))
		if err != nil || !ok {
			return orDamaged(err)
		}
		r.submitter = s.Submitter
	}
	r.deliveries = []exchange.Delivery{}
	no := u64(r.no)
	reminders := b.reminders.Cursor()
	for key, raw := reminders.Seek(no); bytes.HasPrefix(key, no); key, raw = reminders.Next() {
		var m reminder
		if err := decoding.Unmarshal(raw, &m); err != nil {
			return orDamaged(nil)
		}
		r.deliveries = append(r.deliveries, m.Progress.deliveries(c.cfg.Region)...)
	}
	told := b.deliveries.Cursor()
	for key, raw := told.Seek(no); bytes.HasPrefix(key, no); key, raw = told.Next() {
		var p progress
		if err := decoding.Unmarshal(raw, &p); err != nil {
			return orDamaged(nil)
		}
		r.deliveries = append(r.deliveries, p.deliveries(peers.Region(key[len(no):]))...)
	}
	var err error
	r.erasure, err = c.erasureOf(b, r)
	return err
}

// Records lists records, newest first, without their bodies. A page may be
// short, or empty, before the list ends.
func (c *Casebook) Records(filter exchange.RecordFilter, cursor string, limit int) (exchange.Page[exchange.RecordView], error) {
	page := exchange.Page[exchange.RecordView]{Items: []exchange.RecordView{}}
	start, err := parsePage(cursor, 8)
	if err != nil {
		return page, err
	}
	var matches []found
	err = c.view(func(b buckets) error {
		submitters := map[string]string{}
		budget := scanLimit
		all := b.entries.Cursor()
		key, raw := all.Last()
		if len(start) > 0 {
			if key, raw = all.Seek(start); key == nil {
				key, raw = all.Last()
			}
		}
		for ; key != nil; key, raw = all.Prev() {
			if len(matches) == limit || budget == 0 {
				page.Next = pageCursor(bytes.Clone(key))
				return nil
			}
			budget--
			r := found{no: number(key)}
			if err := decoding.Unmarshal(raw, &r.entry); err != nil {
				return orDamaged(nil)
			}
			if !r.record() || !c.filtered(&filter, &r.entry) {
				continue
			}
			if filter.Submitter != "" {
				who, err := submitterOf(b, r.Submission, submitters)
				if err != nil {
					return err
				}
				if who != filter.Submitter {
					continue
				}
			}
			if err := c.complete(b, &r); err != nil {
				return err
			}
			matches = append(matches, r)
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	for i := range matches {
		v, err := c.recordView(&matches[i], false)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, v)
	}
	return page, nil
}

func (c *Casebook) filtered(f *exchange.RecordFilter, e *entry) bool {
	return (f.Kind == "" || f.Kind == e.Kind) && (f.Origin == "" || f.Origin == e.Origin) &&
		(f.State == "" || f.State == c.shown(e))
}

// submitterOf finds who sent a submission; seen spares repeated reads.
func submitterOf(b buckets, id string, seen map[string]string) (string, error) {
	if id == "" {
		return "", nil
	}
	if who, ok := seen[id]; ok {
		return who, nil
	}
	s, ok, err := get[submission](b.submissions, []byte(id))
	if err != nil || !ok {
		return "", orDamaged(err)
	}
	seen[id] = s.Submitter
	return s.Submitter, nil
}

func (c *Casebook) recordView(r *found, withBody bool) (exchange.RecordView, error) {
	body, err := c.content(&r.entry, withBody)
	if err != nil && !erased(err) {
		return exchange.RecordView{}, err
	}
	h := &body.header
	v := exchange.RecordView{
		ID: h.ID, Kind: h.Kind, Class: h.Class, Origin: h.Origin, Recipients: h.Recipients,
		IssuedAt: exchange.Moment(h.IssuedAt), State: c.shown(&r.entry), Code: r.Code, Commitment: h.Commitment,
		BodyDigest: h.BodyDigest, Submission: r.Submission, Deliveries: r.deliveries, Submitter: r.submitter,
		Erasure: r.erasure,
	}
	if v.Recipients == nil {
		v.Recipients = []peers.Region{}
	}
	if r.State == exchange.StateCommitted {
		index := r.Index
		v.Index = &index
	}
	if r.Submission != "" {
		if row, err := c.row(r.Position, r.Row); err == nil {
			v.Row = row.N
		}
	}
	if len(body.Record) > 0 && !r.parked() {
		v.Author = c.authorView(h, r, body.Author, body.Record)
		if h.Kind == exchange.KindPenalty {
			v.Body, err = schemas.DecodePenalty(body.Record)
			return v, err
		}
	}
	return v, nil
}

// content is open, or only the header.
func (c *Casebook) content(e *entry, withBody bool) (content, error) {
	if withBody && !e.parked() {
		return c.open(e)
	}
	var raw []byte
	if e.own() {
		a, err := c.authoredHeader(e)
		if err != nil {
			return content{}, err
		}
		raw = a
	} else {
		le, err := c.leaf(e.Index)
		if err != nil {
			return content{}, err
		}
		raw = le.RawHeader
	}
	h, err := exchange.ParseHeader(raw)
	return content{header: h}, err
}

func (c *Casebook) authoredHeader(e *entry) ([]byte, error) {
	ev, err := c.event(e.Position)
	if err != nil {
		return nil, err
	}
	if ev.Authored != nil {
		return ev.Authored.Entry.Header, nil
	}
	row, err := rowOf(ev, e.Row)
	if err != nil || row.Entry == nil {
		return nil, orDamaged(err)
	}
	return row.Entry.Header, nil
}

func (c *Casebook) row(at exchange.Position, i int) (*exchange.Row, error) {
	ev, err := c.event(at)
	if err != nil {
		return nil, err
	}
	return rowOf(ev, i)
}

// authorView shows who vouches. An entry that is not on the ledger yet is
// judged by the directory as it stands.
func (c *Casebook) authorView(h *exchange.Header, r *found, block, record []byte) *exchange.AuthorView {
	a, err := exchange.ParseAuthor(block)
	if err != nil {
		return nil
	}
	v := &exchange.AuthorView{Kind: a.Kind, Agency: a.Agency, File: a.File, Row: a.Row}
	if a.Key == nil {
		return v
	}
	directory := c.cfg.Ledger.Directory()
	index := r.Index
	if r.State != exchange.StateCommitted {
		index = directory.Next()
	}
	verified := c.vouched(h, index, &a, record, directory)
	if a.Kind == exchange.AuthorAgency {
		v.KeyID, v.Verified = a.Key, verified
	} else {
		v.FileSignature = &exchange.FileSignatureView{KeyID: *a.Key, Verified: verified}
	}
	return v
}
