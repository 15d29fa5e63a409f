package httpapi

import (
	"net/http"
	"strconv"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// members answers with the directory as of the ledger's head.
func (a *API) members(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	size, d := a.Ledger.Head().Size, a.Ledger.Directory()
	out := Members{
		Root: d.Root(), Approvals: d.Approvals(), Cosignatures: d.Quorum(), Formats: append([]string{}, d.Policy().Formats...),
		Regions: []RegionView{}, Nodes: []NodeView{}, LedgerSize: size,
	}
	for _, p := range d.Parties() {
		v := RegionView{Region: p.Region, Name: p.Name, Stage: p.Stage.String(), Since: p.Since, Keys: []KeyView{}}
		for _, k := range d.Keys(p.Region) {
			v.Keys = append(v.Keys, KeyView{
				KeyID: k.Key.ID(), Purpose: k.Purpose.String(), Node: k.Node, Public: k.Key.Bytes(), From: k.From, Until: k.Until,
				Revoked: k.Revoked, SuspectFrom: k.SuspectFrom,
			})
		}
		out.Regions = append(out.Regions, v)
	}
	for _, n := range d.Nodes() {
		out.Nodes = append(out.Nodes, NodeView{Node: n.ID, Region: n.Region, Role: n.Role.String(), Addr: n.Addr, From: n.From})
	}
	return reply(w, http.StatusOK, out)
}

// proposals lists what waits for approvals.
func (a *API) proposals(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	if q := parameters(r); q.err != nil {
		return q.err
	}
	out := Page[ProposalView]{Items: []ProposalView{}, LedgerSize: a.Ledger.Head().Size}
	d := a.Ledger.Directory()
	for _, p := range d.Proposals() {
		out.Items = append(out.Items, ProposalView{
			Index: p.Index, Digest: p.Digest, Region: p.Region, Change: p.Change, Approved: p.Approved, Missing: d.Missing(p),
		})
	}
	return reply(w, http.StatusOK, out)
}

func (a *API) propose(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	change, err := readJSON[peers.Change](r)
	if err != nil {
		return err
	}
	entry, err := a.Service.Propose(r.Context(), p, change)
	if err != nil {
		return err
	}
	return reply(w, http.StatusAccepted, GovernanceEntry{Entry: entry, LedgerSize: a.Ledger.Head().Size})
}

func (a *API) approve(w http.ResponseWriter, r *http.Request, p exchange.Principal) error {
	index, err := strconv.ParseUint(r.PathValue("index"), 10, 64)
	if err != nil {
		return badParameter("index", "提议的条目号", "the leaf index of a proposal")
	}
	approval, err := readJSON[Approval](r)
	if err != nil {
		return err
	}
	entry, err := a.Service.Approve(r.Context(), p, index, approval.Digest)
	if err != nil {
		return err
	}
	return reply(w, http.StatusAccepted, GovernanceEntry{Entry: entry, LedgerSize: a.Ledger.Head().Size})
}
