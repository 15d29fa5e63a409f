package httpapi

import (
	"context"
	"net/http"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// Limits of a workbook, which is built in memory. A file with more bad rows than
// that has a wrong column, which the first ones show.
const (
	maxRejects     = 20_000
	maxRejectBytes = 16 << 20 // of the rows as they came
	maxWorkbooks   = 2        // that are built at once; others wait
)

// rejects writes the bad rows as they came, with what is wrong with each, as a
// workbook to mend and send again.
func (a *API) rejects(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	v, err := a.own(r, p)
	if err != nil {
		return err
	}
	kind, ok := a.Catalogue.Kind(v.Kind)
	if !ok {
		return exchange.ErrNotFound
	}
	select {
	case a.workbooks <- struct{}{}:
		defer func() { <-a.workbooks }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	wanted, err := a.rejected(r.Context(), v.ID)
	if err != nil {
		return err
	}
	rows, err := a.rejectedRows(v, wanted)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", MediaXLSX)
	h.Set("Content-Disposition", `attachment; filename="`+v.ID+`-rejects.xlsx"`)
	return tabular.WriteRejects(w, kind.Dictionary(), rows, language(r))
}

// rejected lists a submission's quarantine items in the order of its rows.
func (a *API) rejected(ctx context.Context, submission string) ([]string, error) {
	var items []string
	for cursor := ""; ; {
		page, err := a.Casebook.Rows(submission, cursor, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, row := range page.Items {
			if row.Outcome == exchange.RowQuarantined && len(items) < maxRejects {
				items = append(items, row.Quarantine)
			}
		}
		if cursor = page.Next; cursor == "" || len(items) == maxRejects {
			return items, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// rejectedRows finds the rows of the items. An item that is no longer in
// quarantine has nothing to mend and is left out.
func (a *API) rejectedRows(v exchange.SubmissionView, items []string) ([]tabular.Reject, error) {
	found := make(map[string]tabular.Reject, len(items))
	for _, id := range items {
		found[id] = tabular.Reject{}
	}
	missing, size := len(found), 0
	filter := exchange.RecordFilter{Kind: v.Kind, Submitter: v.Submitter}
	for cursor := ""; missing > 0 && size < maxRejectBytes; {
		page, err := a.Casebook.Quarantine(filter, cursor, maxLimit)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			had, wanted := found[item.ID]
			if !wanted || had.Row.Number != 0 {
				continue
			}
			row, err := schemas.DecodeRow(item.Raw)
			if err != nil {
				return nil, err
			}
			found[item.ID] = tabular.Reject{Row: row, Findings: item.Findings}
			missing--
			if size += len(item.Raw); size >= maxRejectBytes {
				break
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	out := make([]tabular.Reject, 0, len(items))
	for _, id := range items {
		if reject := found[id]; reject.Row.Number != 0 {
			out = append(out, reject)
		}
	}
	return out, nil
}
