package httpapi

import (
	"net/http"

	"github.com/xinqiao/creditgw/exchange"
)

func (a *API) status(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	counts, err := a.Casebook.Counts()
	if err != nil {
		return err
	}
	head, reasons := a.Ledger.Head(), listed(a.Ready())
	s := Status{
		Region: a.Region, NodeStatus: a.Status(), Ledger: a.Ledger.Directory().Ledger(), Root: head.Root,
		LedgerSize: head.Size, Followed: a.Casebook.Followed(), Counts: counts, Ready: len(reasons) == 0, Reasons: reasons,
	}
	s.Peers = listed(s.Peers)
	s.Witness.Regions, s.Witness.Alarms = listed(s.Witness.Regions), listed(s.Witness.Alarms)
	if s.Refused == nil {
		s.Refused = map[string]uint64{}
	}
	return reply(w, http.StatusOK, s)
}

func healthy(w http.ResponseWriter, _ *http.Request, _ exchange.Principal) error {
	return reply(w, http.StatusOK, map[string]string{"status": "ok"})
}

// ready says why not, in codes, with a status that a load balancer reads.
func (a *API) ready(w http.ResponseWriter, _ *http.Request, _ exchange.Principal) error {
	reasons := listed(a.Ready())
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	return reply(w, status, Readiness{Ready: len(reasons) == 0, Reasons: reasons})
}
