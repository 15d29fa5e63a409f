package httpapi

import (
	"net/http"

	"github.com/xinqiao/creditgw/exchange"
)

// erase answers 202: this region serves the record no more; what the others
// say of it comes with their statements.
func (a *API) erase(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	id, err := pathEntry(r)
	if err != nil {
		return err
	}
	order, err := readJSON[ErasureOrder](r)
	if err != nil {
		return err
	}
	v, err := a.Service.Erase(r.Context(), p, id, order.Reason, order.Now)
	if err != nil {
		return err
	}
	return reply(w, http.StatusAccepted, Erasure{ErasureView: v, LedgerSize: a.Ledger.Head().Size})
}
