package httpapi

import (
	"net/http"

	"github.com/xinqiao/creditgw/exchange"
)

// A handler answers an authenticated request or returns why it can't.
type handler func(w http.ResponseWriter, r *http.Request, p exchange.Principal) error

// route is one line of the table.
type route struct {
	method, path string
	roles        []exchange.Role // who may; anyone with a token when empty
	public       bool            // without a token
	always       bool            // also on a node that has stopped serving
	body         int64           // largest body in bytes; 0: none is read
	ownQuery     bool            // a write with query parameters, which its handler reads; the others have none
	handle       handler
}

func (t route) pattern() string { return t.method + " " + t.path }

// Limits of bodies, in bytes.
const (
	maxJSONBody     = 1 << 20
	maxRegisterBody = 64 << 20
)

var (
	agencies   = []exchange.Role{exchange.RoleAgencyEntry, exchange.RoleAgencyReview}
	operators  = []exchange.Role{exchange.RoleOperator}
	overseers  = []exchange.Role{exchange.RoleOperator, exchange.RoleAuditor}
	readers    = append(agencies[:2:2], overseers...)
	correctors = append(agencies[:2:2], operators...)
	apps       = []exchange.Role{exchange.RoleApp}
	counters   = []exchange.Role{exchange.RoleOperator, exchange.RoleWindow}
	entry      = []exchange.Role{exchange.RoleAgencyEntry}
	deciders   = []exchange.Role{exchange.RoleOperator, exchange.RoleSecadmin}
	admins     = append(overseers[:2:2], exchange.RoleSysadmin, exchange.RoleSecadmin, exchange.RoleAuditAdmin)
)

// routes is everything there is. Agencies see what is their own only: the
// handlers narrow it. An auditor reads and never writes.
func (a *API) routes() []route {
	return []route{
		{method: "POST", path: "/v1/submissions", roles: entry, body: exchange.MaxSubmission, ownQuery: true, handle: a.submit},
		{method: "GET", path: "/v1/submissions/{id}", roles: readers, handle: a.submission},
		{method: "GET", path: "/v1/submissions/{id}/rows", roles: readers, handle: a.rows},
		{method: "GET", path: "/v1/submissions/{id}/rejects.xlsx", roles: correctors, handle: a.rejects},
		{method: "GET", path: "/v1/records", roles: readers, handle: a.records},
		{method: "GET", path: "/v1/records/{id}", roles: readers, handle: a.record},
		{method: "POST", path: "/v1/records/{id}/erasure", roles: operators, body: maxJSONBody, handle: a.erase},
		{method: "GET", path: "/v1/records/{id}/receipt", handle: a.receipt},
		{method: "GET", path: "/v1/quarantine", roles: overseers, handle: a.quarantine},

		{method: "PUT", path: "/v1/registers/{register}", roles: operators, body: maxRegisterBody, handle: a.importRegister},
		{method: "PUT", path: "/v1/source-plan", roles: operators, body: maxRegisterBody, handle: a.importSources},
		{method: "GET", path: "/v1/source-plan", roles: overseers, handle: a.sources},
		{method: "POST", path: "/v1/agencies/{uscc}/keys", roles: operators, body: maxJSONBody, handle: a.addKey},
		{method: "GET", path: "/v1/agencies/{uscc}/keys", roles: overseers, handle: a.keys},
		{method: "DELETE", path: "/v1/agencies/{uscc}/keys/{id}", roles: operators, handle: a.retireKey},

		{method: "GET", path: "/v1/members", roles: admins, handle: a.members},
		{method: "GET", path: "/v1/members/proof", roles: admins, handle: a.membersProof},
		{method: "GET", path: "/v1/governance", roles: admins, handle: a.proposals},
		{method: "POST", path: "/v1/governance", roles: deciders, body: maxJSONBody, handle: a.propose},
		{method: "POST", path: "/v1/governance/{index}/approvals", roles: deciders, body: maxJSONBody, handle: a.approve},

		{method: "POST", path: "/v1/subjects/{uscc}/statement", roles: counters, handle: a.statement},
		{method: "PUT", path: "/v1/subscriptions/{uscc}", roles: apps, body: maxJSONBody, handle: a.bind},
		{method: "DELETE", path: "/v1/subscriptions/{uscc}", roles: apps, handle: a.unbind},
		{method: "GET", path: "/v1/reminders", roles: apps, handle: a.reminders},
		{method: "GET", path: "/v1/reminders/stream", roles: apps, handle: a.stream},
		{method: "POST", path: "/v1/reminders/acks", roles: apps, body: maxJSONBody, handle: a.acknowledge},

		{method: "GET", path: "/v1/ledger/checkpoint", handle: a.checkpoint},
		{method: "GET", path: "/v1/ledger/proof/inclusion", handle: a.inclusion},
		{method: "GET", path: "/v1/ledger/proof/consistency", handle: a.consistency},
		{method: "GET", path: "/v1/ledger/checkpoints", roles: overseers, handle: a.checkpoints},
		{method: "GET", path: "/v1/ledger/batches", roles: overseers, handle: a.batches},
		{method: "GET", path: "/v1/ledger/entries", roles: overseers, handle: a.entries},
		{method: "GET", path: "/v1/ledger/doubtful", roles: admins, handle: a.doubtful},
		{method: "POST", path: "/v1/checks", roles: operators, handle: a.startCheck},
		{method: "GET", path: "/v1/checks", roles: overseers, handle: a.latestCheck},
		{method: "GET", path: "/v1/status", roles: overseers, always: true, handle: a.status},

		{method: "GET", path: "/v1/openapi.json", public: true, handle: serveOpenAPI},
		{method: "GET", path: "/healthz", public: true, handle: healthy},
		{method: "GET", path: "/readyz", public: true, handle: a.ready},
		{method: "GET", path: "/metrics", public: true, handle: a.serveMetrics},
	}
}

// Paths lists the routes as "GET /v1/records".
func (a *API) Paths() []string {
	var out []string
	for _, t := range a.routes() {
		out = append(out, t.pattern())
	}
	return out
}
