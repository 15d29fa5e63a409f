package httpapi

import (
	"net/http"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// records lists headers and states; a body is asked for by id.
func (a *API) records(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	q := parameters(r, "kind", "origin", "state", "submitter", "cursor", "limit")
	filter := exchange.RecordFilter{
		Kind: q.text("kind", 64), Origin: q.region("origin"), Submitter: q.submitter(p),
		State: exchange.State(q.oneOf("state", string(exchange.StateAccepted), string(exchange.StateLocal),
			string(exchange.StateCommitted), string(exchange.StateWitnessed), string(exchange.StateRefused))),
	}
	cursor, limit := q.cursor(), q.limit()
	if q.err != nil {
		return q.err
	}
	size := a.Casebook.Followed()
	page, err := a.Casebook.Records(filter, cursor, limit)
	if err != nil {
		return err
	}
	for i := range page.Items {
		page.Items[i] = shownRecord(page.Items[i])
		page.Items[i].Body = nil
	}
	return reply(w, http.StatusOK, Page[exchange.RecordView]{Items: listed(page.Items), Next: page.Next, LedgerSize: size})
}

func (a *API) record(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	id, err := pathEntry(r)
	if err != nil {
		return err
	}
	size := a.Casebook.Followed()
	v, err := a.Casebook.Record(id)
	if err != nil {
		return err
	}
	if !owns(p, v.Submitter) {
		return exchange.ErrNotFound
	}
	v = shownRecord(v)
	if p.Is(exchange.RoleAuditor) {
		v.Body = nil // who checks the exchange need not read what is exchanged
	}
	if v.Body != nil {
		class := schemas.DeriveClass(v.Body)
		v.Dishonesty = &class
	}
	return reply(w, http.StatusOK, Record{RecordView: v, LedgerSize: size})
}

func shownRecord(v exchange.RecordView) exchange.RecordView {
	v.Recipients, v.Deliveries = listed(v.Recipients), listed(v.Deliveries)
	return v
}

// submitter narrows a list to an agency's own, or to the one an overseer asks
// for.
func (q *query) submitter(p exchange.Principal) string {
	asked := q.text("submitter", 18)
	if asked != "" && ident.CheckUSCC(asked) != nil {
		q.fail("submitter", "统一社会信用代码", "a unified social credit code")
	}
	if !p.Is(agencies...) {
		return asked
	}
	own := p.Submitter()
	switch {
	case own == "" || asked != "" && !owns(p, asked):
		q.err = exchange.Fail(exchange.KindForbidden, "NOT_YOURS", "只能查看本单位的数据", "an agency sees its own only")
	case asked != "":
		return asked
	}
	return own
}

func (a *API) quarantine(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	q := parameters(r, "kind", "submitter", "cursor", "limit")
	filter := exchange.RecordFilter{Kind: q.text("kind", 64), Submitter: q.submitter(p)}
	cursor, limit := q.cursor(), q.limit()
	if q.err != nil {
		return q.err
	}
	size := a.Casebook.Followed()
	page, err := a.Casebook.Quarantine(filter, cursor, limit)
	if err != nil {
		return err
	}
	out := Page[QuarantineItem]{Items: make([]QuarantineItem, len(page.Items)), Next: page.Next, LedgerSize: size}
	for i, item := range page.Items {
		out.Items[i] = QuarantineItem{QuarantineItem: item, Findings: inLanguage(item.Findings, language(r))}
	}
	return reply(w, http.StatusOK, out)
}
