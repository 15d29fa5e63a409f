package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Codes with right check characters, of nobody.
const (
	agencyUSCC = "12120000000003025Y"
	otherUSCC  = "111100000000030173"
	firmUSCC   = "91110101MA8H84F153"
	bureauUSCC = agencyUSCC
	submission = "s-abcdefghijklmnopqrstuvwxyz"
)

var (
	received = time.Date(2026, 4, 2, 9, 0, 0, 0, exchange.Shanghai)
	recordID = sm.Sum([]byte("record"))
)

// node is an API over fakes that keep the ports' contracts as far as a test
// looks. The zero behaviour of each is to succeed.
type node struct {
	api    *httpapi.API
	config httpapi.Config
	log    *bytes.Buffer

	service  *service
	casebook *casebook
	ledger   *memoryLedger
	feed     *feed
	ready    []string
	stopped  *exchange.Error

	checkpoints checkpoints
}

func newNode(t *testing.T, change ...func(*httpapi.Config)) *node {
	t.Helper()
	n := &node{
		log: new(bytes.Buffer), service: &service{}, casebook: &casebook{folded: make(chan struct{})},
		ledger: newLedger(t, 5), feed: &feed{more: make(chan struct{})},
	}
	n.casebook.followed = 5
	n.checkpoints.kept = []peers.Checkpoint{witnessedAt(2), witnessedAt(5)}
	n.config = httpapi.Config{
		Region: "120000", Service: n.service, Casebook: n.casebook, Ledger: n.ledger, Feed: n.feed, Receipts: receipts{}, Tokens: tokens{}, Checks: checks{},
		Catalogue: schemas.Default(),
		Clock:     func() time.Time { return received },
		Linearize: func(context.Context) error { return nil },
		Status: func() httpapi.NodeStatus {
			lag := uint64(3)
			return httpapi.NodeStatus{Node: "120000-1", Leader: "120000-1", StartedAt: received, Now: received, Term: 2, Deposed: 1, LogHeldBack: true,
				Peers: []httpapi.Peer{{Node: "110000-1", Region: "110000", Lag: &lag}}}
		},
		Checkpoints: &n.checkpoints,
		Stopped:     func() *exchange.Error { return n.stopped },
		Ready:       func() []string { return n.ready },
		Metrics:     prometheus.NewRegistry(),
		Logger:      slog.New(slog.NewJSONHandler(n.log, nil)),
	}
	for _, c := range change {
		c(&n.config)
	}
	api, err := httpapi.New(n.config)
	if err != nil {
		t.Fatal(err)
	}
	n.api = api
	return n
}

// request as the role; "" is nobody.
func request(role exchange.Role, method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+string(role))
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (n *node) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	n.api.Handler().ServeHTTP(w, r)
	return w
}

func (n *node) get(role exchange.Role, target string, header ...string) *httptest.ResponseRecorder {
	return n.do(request(role, "GET", target, "", header...))
}

// tokens take a role's name for its token.
type tokens struct{}

func (tokens) Lookup(token string) (exchange.Principal, bool) {
	for _, role := range exchange.Roles {
		if token == string(role) {
			p := exchange.Principal{ID: "t-" + token, Role: role}
			if role == exchange.RoleAgencyEntry || role == exchange.RoleAgencyReview {
				p.Scope.Units = []string{agencyUSCC}
			}
			return p, true
		}
	}
	return exchange.Principal{}, false
}

// receipts says what it was asked for.
type receipts struct{ err error }

func (r receipts) Receipt(id exchange.EntryID, disclose bool) ([]byte, error) {
	return fmt.Appendf(nil, `{"entry":%q,"format":"disclosed %v"}`, id, disclose), r.err
}

func (r receipts) Statement(uscc string) ([]byte, error) {
	if uscc == otherUSCC {
		return nil, exchange.ErrNotFound
	}
	return []byte(`{"format":"xinqiao/statement/1"}`), r.err
}

func (r receipts) Members() ([]byte, error) { return []byte("proof"), r.err }

// checks has found a rotten casebook.
type checks struct{}

func (checks) Start() httpapi.Check {
	return httpapi.Check{State: httpapi.CheckRunning, Started: received}
}

func (checks) Latest() httpapi.Check {
	return httpapi.Check{State: httpapi.CheckDamaged, Started: received, Finished: received, Parts: []httpapi.CheckPart{
		{Part: "ledger", Entries: 5, Erased: 1}, {Part: "casebook", Entries: 3, Damage: []string{"bucket entries"}},
	}}
}

// checkpoints are those that are kept, ascending.
type checkpoints struct{ kept []peers.Checkpoint }

func (c *checkpoints) Latest() (peers.Checkpoint, bool) {
	if len(c.kept) == 0 {
		return peers.Checkpoint{}, false
	}
	return c.kept[len(c.kept)-1], true
}

func (c *checkpoints) Around(index uint64) (before, covering peers.Checkpoint, err error) {
	for _, kept := range c.kept {
		if kept.Size > index {
			return before, kept, nil
		}
		before = kept
	}
	return before, covering, exchange.ErrNotFound
}
