package casebook

import (
	"bytes"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// source is what has come from one submitting unit of one kind, and what was
// agreed with it. Times are Unix milliseconds, 0 for never.
type source struct {
	Name        string `cbor:"1,keyasint,omitempty"`
	EveryDays   int    `cbor:"2,keyasint,omitempty"`
	Planned     int64  `cbor:"3,keyasint,omitempty"`
	Last        int64  `cbor:"4,keyasint,omitempty"`
	Sequence    uint64 `cbor:"5,keyasint,omitempty"`
	Submissions int    `cbor:"6,keyasint,omitempty"`
	Rows        int    `cbor:"7,keyasint,omitempty"`
}

func sourceKey(uscc, kind string) []byte { return []byte(uscc + "/" + kind) }

// planned enters what was agreed.
func (f *fold) planned(p schemas.SourcePlan) {
	key := sourceKey(p.USCC, p.Kind)
	s, _ := load[source](f, f.b.sources, key)
	s.Name, s.EveryDays, s.Planned = p.Name, p.EveryDays, f.at
	f.put(f.b.sources, key, s)
}

// sent counts a whole file.
func (f *fold) sent(done *submission) {
	key := sourceKey(done.Submitter, done.Kind)
	s, _ := load[source](f, f.b.sources, key)
	s.Last = done.ReceivedAt
	s.Submissions++
	s.Rows += done.received()
	if done.Sequence > 0 {
		s.Sequence = done.Sequence
	}
	f.put(f.b.sources, key, s)
}

// Source returns one source; ErrNotFound when nothing has come and nothing was
// agreed.
func (c *Casebook) Source(submitter, kind string) (view exchange.Source, err error) {
	key := sourceKey(submitter, kind)
	err = c.view(func(b buckets) error {
		s, ok, err := get[source](b.sources, key)
		if err == nil && !ok {
			err = exchange.ErrNotFound
		}
		view = s.view(key)
		return err
	})
	return view, err
}

// Sources lists every source, by USCC and kind.
func (c *Casebook) Sources(cursor string, limit int) (exchange.Page[exchange.Source], error) {
	var page exchange.Page[exchange.Source]
	after, err := parsePage(cursor, 0)
	if err != nil {
		return page, err
	}
	err = c.view(func(b buckets) error {
		at := b.sources.Cursor()
		key, raw := at.Seek(after)
		if len(after) > 0 && bytes.Equal(key, after) {
			key, raw = at.Next()
		}
		for ; key != nil; key, raw = at.Next() {
			if len(page.Items) == limit {
				page.Next = pageCursor(after)
				return nil
			}
			var s source
			if err := decoding.Unmarshal(raw, &s); err != nil {
				return errDamaged
			}
			page.Items = append(page.Items, s.view(key))
			after = bytes.Clone(key)
		}
		return nil
	})
	return page, err
}

func (s *source) view(key []byte) exchange.Source {
	uscc, kind, _ := strings.Cut(string(key), "/")
	return exchange.Source{
		USCC: uscc, Name: s.Name, Kind: kind, EveryDays: s.EveryDays, PlannedAt: moment(s.Planned), LastAt: moment(s.Last),
		Sequence: s.Sequence, Submissions: s.Submissions, Rows: s.Rows,
	}
}

// moment is nil for never.
func moment(milliseconds int64) *time.Time {
	if milliseconds == 0 {
		return nil
	}
	t := millis(milliseconds)
	return &t
}
