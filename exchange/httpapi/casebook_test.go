package httpapi_test

import (
	"context"
	"sync"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

type casebook struct {
	mu       sync.Mutex
	position exchange.Position
	followed uint64
	folded   chan struct{}
	err      error
	signed   map[exchange.EntryID]exchange.RecordView // beside the one record
}

// follow moves the fold on by one event, to a ledger size.
func (c *casebook) follow(size uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.position++
	c.followed = size
	close(c.folded)
	c.folded = make(chan struct{})
}

func (c *casebook) WaitFor(ctx context.Context, at exchange.Position) error {
	for {
		c.mu.Lock()
		done, folded := c.position >= at, c.folded
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-folded:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
func (c *casebook) Position() exchange.Position { c.mu.Lock(); defer c.mu.Unlock(); return c.position }
func (c *casebook) Followed() uint64            { c.mu.Lock(); defer c.mu.Unlock(); return c.followed }

func (c *casebook) Submission(id string) (exchange.SubmissionView, error) {
	v := oneRow()
	switch id {
	case submission:
	case "s-other":
		v.ID, v.Submitter = id, otherUSCC
	default:
		return exchange.SubmissionView{}, exchange.ErrNotFound
	}
	return v, c.err
}

func (c *casebook) Rows(id, cursor string, _ int) (exchange.Page[exchange.RowView], error) {
	rows := oneRow().Records
	if cursor == "" {
		return exchange.Page[exchange.RowView]{Items: rows[:1], Next: "1"}, c.err
	}
	return exchange.Page[exchange.RowView]{Items: rows[1:]}, c.err
}

func (c *casebook) Record(id exchange.EntryID) (exchange.RecordView, error) {
	if v, ok := c.signed[id]; ok {
		return v, nil
	}
	if id != recordID {
		return exchange.RecordView{}, exchange.ErrNotFound
	}
	return exchange.RecordView{ID: id, Kind: exchange.KindPenalty, Class: exchange.ClassRecord, Origin: "120000",
		IssuedAt: received, State: exchange.StateCommitted, Submitter: agencyUSCC, Body: &schemas.Penalty{Version: 1, SubjectName: "某公司"},
		Deliveries: []exchange.Delivery{{Region: "110000", State: exchange.AckRead, At: received}}}, c.err
}

func (c *casebook) Records(f exchange.RecordFilter, _ string, _ int) (exchange.Page[exchange.RecordView], error) {
	v, err := c.Record(recordID)
	if f.Submitter != "" && f.Submitter != v.Submitter {
		return exchange.Page[exchange.RecordView]{}, err
	}
	return exchange.Page[exchange.RecordView]{Items: []exchange.RecordView{v}}, err
}

// Sources are one that sent today and one that has been silent for nine days.
func (c *casebook) Sources(string, int) (exchange.Page[exchange.Source], error) {
	today, before := received, received.AddDate(0, 0, -9)
	return exchange.Page[exchange.Source]{Items: []exchange.Source{
		{USCC: agencyUSCC, Kind: exchange.KindPenalty, EveryDays: 7, PlannedAt: &before, LastAt: &today, Submissions: 1, Rows: 2},
		{USCC: otherUSCC, Kind: exchange.KindPenalty, EveryDays: 7, PlannedAt: &before},
	}}, nil
}
func (c *casebook) Quarantine(exchange.RecordFilter, string, int) (exchange.Page[exchange.QuarantineItem], error) {
	row := schemas.Row{Number: 2, SheetRow: 3, Cells: []schemas.Cell{{Field: "CF_XDR_MC", Column: "CF_XDR_MC", Value: "=1+1"}}}
	raw, err := schemas.EncodeRow(row)
	if err != nil {
		return exchange.Page[exchange.QuarantineItem]{}, err
	}
	item := exchange.QuarantineItem{ID: "q-1", Kind: exchange.KindPenalty, Submitter: agencyUSCC, Rule: "DATE_FUTURE", FirstAt: received,
		LastAt: received, Times: 1, Submission: submission, Row: 2, Raw: raw, Findings: []schemas.Finding{schemas.NewFinding(schemas.DateFuture, row)}}
	return exchange.Page[exchange.QuarantineItem]{Items: []exchange.QuarantineItem{item}}, c.err
}

func (c *casebook) Reminders(string, int) (exchange.Page[exchange.Reminder], error) {
	return exchange.Page[exchange.Reminder]{Items: []exchange.Reminder{reminder(1)}}, c.err
}

func (c *casebook) Counts() (exchange.Counts, error) {
	return exchange.Counts{Records: map[exchange.State]int{exchange.StateCommitted: 7}, Outbox: 4}, c.err
}
