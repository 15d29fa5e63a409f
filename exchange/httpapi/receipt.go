package httpapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/xinqiao/creditgw/exchange"
)

// receipt gives the receipt of a record as a file. Anyone may have it who knows
// the id: without its content it says no more than the ledger's public headers.
// The content is for those who may read the record.
func (a *API) receipt(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	q := parameters(r, "disclose")
	disclose := q.flag("disclose")
	if q.err != nil {
		return q.err
	}
	id, err := pathEntry(r)
	if err != nil {
		return err
	}
	if disclose {
		if err := a.mayDisclose(p, id); err != nil {
			return err
		}
	}
	file, err := a.Receipts.Receipt(id, disclose)
	if errors.Is(err, exchange.ErrErased) {
		return exchange.Fail(exchange.KindGone, "ERASED", "内容已清除，只能取得不含内容的凭证", "the content was erased; a receipt without it can still be had")
	}
	if err != nil {
		return err
	}
	return attach(w, MediaJSON, "receipt-"+id.String()[:16]+".json", file)
}

// attach answers with a file whose bytes must not change.
func attach(w http.ResponseWriter, media, name string, file []byte) error {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(file)))
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, err := w.Write(file)
	return err
}

// statement gives what this region stated of a subject, or asks for it: a
// subject that has no place yet is in the next anchor.
func (a *API) statement(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	uscc, err := pathUSCC(r)
	if err != nil {
		return err
	}
	file, err := a.Receipts.Statement(uscc)
	if err == nil {
		return attach(w, MediaJSON, "statement.json", file)
	}
	if !errors.Is(err, exchange.ErrNotFound) {
		return err
	}
	if err := a.Service.AskStatement(r.Context(), p, uscc); err != nil {
		return err
	}
	w.Header().Set("Retry-After", "2")
	return reply(w, http.StatusAccepted, StatementAsked{Asked: true, LedgerSize: a.Ledger.Head().Size})
}

// membersProof gives the keys of all members as a file that proves itself from
// the genesis, to judge evidence by.
func (a *API) membersProof(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	file, err := a.Receipts.Members()
	if errors.Is(err, exchange.ErrNotFound) {
		return errUnwitnessed
	}
	if err != nil {
		return err
	}
	return attach(w, MediaFile, "members.proof", file)
}

// mayDisclose holds the content of a record to those who may read it.
func (a *API) mayDisclose(p exchange.Principal, id exchange.EntryID) error {
	if !p.Is(readers...) || p.Is(exchange.RoleAuditor) {
		return exchange.Fail(exchange.KindForbidden, "ROLE", "此令牌的角色不能取得内容", "this token's role may not have the content")
	}
	v, err := a.Casebook.Record(id)
	if err == nil && !owns(p, v.Submitter) {
		err = exchange.ErrNotFound
	}
	return err
}
