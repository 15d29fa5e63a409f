package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// refused checks a problem answer and returns it.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, code string) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("not a problem: %d %s", w.Code, w.Body)
	}
	if w.Code != status || p.Status != status || p.Code != code {
		t.Errorf("got %d %s, want %d %s: %s", w.Code, p.Code, status, code, p.Detail)
	}
	if !strings.HasPrefix(p.Type, "urn:xinqiao:problem:") || p.Title == "" || p.Detail == "" ||
		p.Instance != "urn:xinqiao:request:"+w.Header().Get("X-Request-Id") {
		t.Errorf("problem %+v", p)
	}
	return p
}

// Each route against every role: CONTRACT's table, from the other side.
func TestRolesAndRoutes(t *testing.T) {
	may := map[string]string{
		"POST /v1/submissions":                                "agency-entry",
		"GET /v1/submissions/" + submission:                   "agency-entry agency-review operator auditor",
		"GET /v1/submissions/" + submission + "/rows":         "agency-entry agency-review operator auditor",
		"GET /v1/submissions/" + submission + "/rejects.xlsx": "agency-entry agency-review operator",
		"GET /v1/records":                                     "agency-entry agency-review operator auditor",
		"GET /v1/records/" + recordID.String():                "agency-entry agency-review operator auditor",
		"POST /v1/records/" + recordID.String() + "/erasure":  "operator",
		"GET /v1/quarantine":                                  "operator auditor",
		"PUT /v1/registers/firms":                             "operator",
		"PUT /v1/source-plan":                                 "operator",
		"GET /v1/source-plan":                                 "operator auditor",
		"POST /v1/agencies/" + agencyUSCC + "/keys":           "operator",
		"GET /v1/agencies/" + agencyUSCC + "/keys":            "operator auditor",
		"DELETE /v1/agencies/" + agencyUSCC + "/keys/x":       "operator",
		"GET /v1/members":                                     "operator auditor sysadmin secadmin audit-admin",
		"GET /v1/members/proof":                               "operator auditor sysadmin secadmin audit-admin",
		"GET /v1/governance":                                  "operator auditor sysadmin secadmin audit-admin",
		"POST /v1/governance":                                 "operator secadmin",
		"POST /v1/governance/7/approvals":                     "operator secadmin",
		"PUT /v1/subscriptions/" + firmUSCC:                   "app",
		"DELETE /v1/subscriptions/" + firmUSCC:                "app",
		"GET /v1/reminders":                                   "app",
		"POST /v1/reminders/acks":                             "app",
		"GET /v1/ledger/entries":                              "operator auditor",
		"GET /v1/ledger/doubtful":                             "operator auditor sysadmin secadmin audit-admin",
		"POST /v1/checks":                                     "operator",
		"GET /v1/checks":                                      "operator auditor",
		"GET /v1/status":                                      "operator auditor",
	}
	n := newNode(t)
	for route, roles := range may {
		method, target, _ := strings.Cut(route, " ")
		for _, role := range exchange.Roles {
			w := n.do(request(role, method, target, ""))
			allowed := slices.Contains(strings.Fields(roles), string(role))
			if allowed == (w.Code == http.StatusForbidden) {
				t.Errorf("%s as %s: %d", route, role, w.Code)
			}
		}
		if w := n.do(request("", method, target, "")); w.Code != http.StatusUnauthorized {
			t.Errorf("%s as nobody: %d", route, w.Code)
		}
		if w := n.do(request("stranger", method, target, "")); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s as a stranger: %d", route, w.Code)
		}
	}
	for _, role := range exchange.Roles {
		if w := n.get(role, "/v1/ledger/checkpoint"); w.Code != http.StatusOK {
			t.Errorf("checkpoint as %s: %d", role, w.Code)
		}
	}
}

func TestAgencySeesItsOwnOnly(t *testing.T) {
	n := newNode(t)
	refused(t, n.get("agency-entry", "/v1/submissions/s-other"), 404, "NOT_FOUND")
	refused(t, n.get("agency-entry", "/v1/submissions/s-other/rejects.xlsx"), 404, "NOT_FOUND")
	refused(t, n.get("agency-entry", "/v1/records?submitter="+otherUSCC), 403, "NOT_YOURS")
	if w := n.get("operator", "/v1/submissions/s-other"); w.Code != 200 {
		t.Errorf("operator: %d", w.Code)
	}
	if body := n.get("auditor", "/v1/records/"+recordID.String()).Body.String(); strings.Contains(body, `"body"`) {
		t.Errorf("the auditor reads a body: %s", body)
	}
	if body := n.get("operator", "/v1/records").Body.String(); strings.Contains(body, `"body"`) {
		t.Errorf("a list shows bodies: %s", body)
	}
}

func TestNoRoute(t *testing.T) {
	n := newNode(t)
	for _, target := range []string{"/", "/v1", "/v1/records/x/nothing", "/v1/nothing", "/console/", "/v1/submissions/"} {
		refused(t, n.get("operator", target), 404, "NO_ROUTE")
	}
	w := n.do(request("operator", "DELETE", "/v1/records", ""))
	refused(t, w, 405, "METHOD")
	if w.Header().Get("Allow") == "" {
		t.Error("405 without Allow")
	}
	refused(t, n.do(request("operator", "PUT", "/v1/registers/calendars", "[]")), 404, "NOT_FOUND")
}

// A parameter that a route does not have is refused by every route, for a
// dry_run that is passed over is a run; what there is instead is said, and is
// what the document has.
func TestUnknownParametersAreRefused(t *testing.T) {
	n := newNode(t)
	path := strings.NewReplacer("{uscc}", firmUSCC, "/keys/{id}", "/keys/"+strings.Repeat("0", 32), "/submissions/{id}", "/submissions/"+submission,
		"{id}", recordID.String(), "{index}", "7", "{register}", "firms")
	for route, item := range document(t, n).Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Security != nil && len(*operation.Security) == 0 {
				continue // public
			}
			for _, role := range exchange.Roles {
				w := n.do(request(role, method, path.Replace(route)+"?dry-run=true", "", "Accept-Language", "en"))
				if w.Code == 403 {
					continue
				}
				want := "this address takes none"
				if names := queryOf(item, operation); len(names) > 0 {
					want = "it takes " + strings.Join(names, ", ")
				}
				if p := refused(t, w, 400, "UNKNOWN_PARAMETER"); p.Hint != want {
					t.Errorf("%s %s: %s, the document: %s", method, route, p.Hint, want)
				}
				break
			}
		}
	}
	refused(t, n.do(request("app", "DELETE", "/v1/subscriptions/"+firmUSCC+"?min_size=5", "")), 400, "UNKNOWN_PARAMETER")
}

// queryOf names the query parameters that an operation is documented with.
func queryOf(item *openapi3.PathItem, operation *openapi3.Operation) (names []string) {
	for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
		if p.Value.In == openapi3.ParameterInQuery {
			names = append(names, p.Value.Name)
		}
	}
	return names
}

func TestTokenIsThrottledAlone(t *testing.T) {
	n := newNode(t, func(c *httpapi.Config) { c.Rate, c.Burst = 0.001, 2 })
	for range 2 {
		if w := n.get("operator", "/v1/status"); w.Code != 200 {
			t.Fatalf("within the burst: %d", w.Code)
		}
	}
	w := n.get("operator", "/v1/status")
	refused(t, w, 429, "RATE")
	if w.Header().Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	if w := n.get("auditor", "/v1/status"); w.Code != 200 {
		t.Errorf("another token pays for it: %d", w.Code)
	}
}

// However many long polls a token's holder leaves open, the others are served,
// and so is he when some have ended.
func TestOpenRequestsOfATokenAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		ctx, hangUp := context.WithCancel(t.Context())
		for range 256 {
			go n.do(request("app", "GET", "/v1/reminders?wait=25s", "").WithContext(ctx))
		}
		synctest.Wait()
		w := n.get("app", "/v1/reminders")
		refused(t, w, 429, "TOO_MANY_OPEN")
		if w.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		if w := n.get("auditor", "/v1/status"); w.Code != 200 {
			t.Errorf("another token pays for it: %d", w.Code)
		}
		hangUp()
		synctest.Wait()
		if w := n.get("app", "/v1/reminders"); w.Code != 200 {
			t.Errorf("after they have ended: %d %s", w.Code, w.Body)
		}
	})
}

func TestOtherSitesCannotWrite(t *testing.T) {
	n := newNode(t)
	w := n.do(request("app", "POST", "/v1/reminders/acks", `{"acks":[]}`, "Sec-Fetch-Site", "cross-site"))
	refused(t, w, 403, "CROSS_ORIGIN")
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	n := newNode(t)
	big := request("app", "POST", "/v1/reminders/acks", strings.Repeat(" ", 1<<20+1))
	if p := refused(t, n.do(big), 413, "BODY_TOO_LARGE"); !strings.Contains(p.Detail, "1048576") {
		t.Errorf("the limit is not said: %s", p.Detail)
	}
	unasked := request("app", "DELETE", "/v1/subscriptions/"+firmUSCC, "{}", "Accept-Language", "en")
	if p := refused(t, n.do(unasked), 413, "BODY_TOO_LARGE"); p.Detail != "this address takes no body" {
		t.Errorf("a body where none is taken: %s", p.Detail)
	}
	chunked := request("app", "POST", "/v1/reminders/acks", "")
	chunked.Body, chunked.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat(" ", 1<<20+1))), -1
	chunked.Header.Set("Content-Type", "application/json")
	refused(t, n.do(chunked), 413, "BODY_TOO_LARGE")
	// A size that is only claimed is refused before a byte is read.
	claimed := request("agency-entry", "POST", "/v1/submissions", "x", "Content-Type", "text/csv")
	claimed.ContentLength = exchange.MaxSubmission + 1
	refused(t, n.do(claimed), 413, "BODY_TOO_LARGE")
	if n.service.taken != nil {
		t.Error("the service was asked")
	}
}

// The log names routes, ids of ours and codes; whatever could name a firm or a
// person stays out of it, wherever it was given.
func TestLogHoldsNoPersonalData(t *testing.T) {
	const canary = "110101199003070417"
	n := newNode(t)
	n.do(request("app", "PUT", "/v1/subscriptions/"+firmUSCC, `{}`))
	n.get("operator", "/v1/agencies/"+canary+"/keys")
	n.get("operator", "/v1/records/"+canary)
	n.get("operator", "/v1/records?submitter="+canary)
	n.get("operator", "/v1/nothing/"+canary)
	n.get(canary, "/v1/status")
	n.do(request("app", "POST", "/v1/reminders/acks", `{"acks":[{"id":"`+canary+`","reason":"张三","state":"read"}]}`))
	n.get("operator", "/v1/records/"+recordID.String())
	log := n.log.String()
	for _, secret := range []string{canary, firmUSCC, "张三"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, `"path":"/v1/subscriptions/***"`) || !strings.Contains(log, recordID.String()) || !strings.Contains(log, `"token":"t-app"`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	n := newNode(t)
	n.get("operator", "/v1/records/"+recordID.String())
	n.get("operator", "/v1/records/nothing")
	n.do(request("agency-entry", "POST", "/v1/submissions", "x", "Content-Type", "text/csv"))
	want := `
# HELP creditgw_http_requests_total Requests answered, by route and status.
# TYPE creditgw_http_requests_total counter
creditgw_http_requests_total{method="GET",route="/v1/records/{id}",status="200"} 1
creditgw_http_requests_total{method="GET",route="/v1/records/{id}",status="400"} 1
creditgw_http_requests_total{method="POST",route="/v1/submissions",status="202"} 1
`
	if err := testutil.GatherAndCompare(n.config.Metrics, strings.NewReader(want), "creditgw_http_requests_total"); err != nil {
		t.Error(err)
	}
	exposed := n.get("", "/metrics").Body.String()
	for _, line := range []string{
		`creditgw_submission_rows_total{outcome="accepted"} 1`, `creditgw_submission_row_rules_total{rule="DATE_FUTURE"} 1`,
		`creditgw_records{state="committed"} 7`, `creditgw_outbox_entries 4`, `creditgw_ledger_size 5`,
		`creditgw_peer_lag{node="110000-1"} 3`, `creditgw_leaders_deposed 1`, `creditgw_log_held_back 1`, `creditgw_leader 1`, `creditgw_ready 1`,
	} {
		if !strings.Contains(exposed, line+"\n") {
			t.Errorf("no %s in\n%s", line, exposed)
		}
	}
	if problems, err := testutil.GatherAndLint(n.config.Metrics); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

// Every kind has a status, and the text is in the caller's language.
func TestKindsBecomeProblems(t *testing.T) {
	for kind, status := range map[exchange.ErrorKind]int{
		exchange.KindInvalid: 400, exchange.KindUnreadable: 400, exchange.KindUnsupported: 415, exchange.KindTooLarge: 413,
		exchange.KindForbidden: 403, exchange.KindNotFound: 404, exchange.KindConflict: 409, exchange.KindGone: 410,
		exchange.KindBusy: 429, exchange.KindUnavailable: 503, exchange.KindInternal: 500, "a kind of tomorrow": 500,
	} {
		n := newNode(t)
		n.casebook.err = exchange.Fail(kind, "CODE", "中文", "English")
		p := refused(t, n.get("operator", "/v1/status"), status, "CODE")
		if p.Detail != "中文" || p.Type != "urn:xinqiao:problem:"+string(kind) {
			t.Errorf("%s: %+v", kind, p)
		}
	}
	for accept, want := range map[string]string{"": "中文", "en": "English", "en-GB,en;q=0.8": "English", "fr": "中文",
		"zh-CN, en;q=0.5": "中文", strings.Repeat("en,", 200): "中文", "\x00": "中文", "en;q=0.1, zh;q=0.9": "中文"} {
		n := newNode(t)
		n.casebook.err = exchange.Fail(exchange.KindConflict, "CODE", "中文", "English")
		if p := refused(t, n.get("operator", "/v1/status", "Accept-Language", accept), 409, "CODE"); p.Detail != want {
			t.Errorf("%.20q: %s", accept, p.Detail)
		}
	}
}

func TestForeignErrorsBecomeProblems(t *testing.T) {
	n := newNode(t)
	n.casebook.err = errors.New("open casebook.db: secret detail")
	p := refused(t, n.get("operator", "/v1/status"), 500, "INTERNAL")
	if strings.Contains(p.Detail+p.Hint, "secret") || !strings.Contains(n.log.String(), "secret detail") {
		t.Errorf("an inner cause belongs in the log alone: %+v", p)
	}
	n.casebook.err = context.DeadlineExceeded
	refused(t, n.get("operator", "/v1/status"), 503, "TIMEOUT")

	n.service.err = &exchange.Error{Kind: exchange.KindInvalid, Status: 422, Code: "IDEMPOTENCY_KEY_REUSED", Text: schemas.Text{ZH: "已用", EN: "used"}}
	n.service.view = &exchange.SubmissionView{}
	file := func() *http.Request {
		return request("agency-entry", "POST", "/v1/submissions", "x", "Content-Type", "text/csv")
	}
	refused(t, n.do(file()), 422, "IDEMPOTENCY_KEY_REUSED")
	n.service.err = &tabular.Error{Code: "OLD_WORKBOOK", Status: 415, Message: schemas.Text{ZH: "旧版"}, Hint: schemas.Text{ZH: "请另存为 .xlsx"}}
	if p := refused(t, n.do(file()), 415, "OLD_WORKBOOK"); p.Hint != "请另存为 .xlsx" {
		t.Errorf("hint %q", p.Hint)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	n := newNode(t, func(c *httpapi.Config) { c.Status = func() httpapi.NodeStatus { panic("boom") } })
	refused(t, n.get("operator", "/v1/status"), 500, "INTERNAL")
}

// A read with min_size is held until the casebook has read that much, and
// given up with a plain answer.
func TestReadsWaitForFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.casebook.followed = 3
		answer := make(chan *httptest.ResponseRecorder)
		go func() { answer <- n.get("operator", "/v1/records?min_size=5") }()
		synctest.Wait()
		n.casebook.follow(4)
		synctest.Wait()
		select {
		case w := <-answer:
			t.Fatalf("answered too early: %s", w.Body)
		default:
		}
		n.casebook.follow(5)
		if w := <-answer; w.Code != 200 || !strings.Contains(w.Body.String(), `"ledger_size":5`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		began := time.Now()
		refused(t, n.get("operator", "/v1/records?min_size=6"), 503, "BEHIND")
		if waited := time.Since(began); waited != 25*time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestLeaderReadAsksTheLeader(t *testing.T) {
	asked := 0
	var err error
	n := newNode(t, func(c *httpapi.Config) {
		c.Linearize = func(context.Context) error { asked++; return err }
	})
	if w := n.get("operator", "/v1/records?read=leader"); w.Code != 200 || asked != 1 {
		t.Errorf("%d, asked %d times", w.Code, asked)
	}
	err = errors.New("no leader")
	refused(t, n.get("operator", "/v1/ledger/checkpoint?read=leader"), 503, "BEHIND")
	refused(t, n.get("operator", "/v1/ledger/checkpoint?read=follower"), 400, "PARAMETER")
}

// A caller without a token costs the disk nothing: it is counted, and now and
// then logged.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	n := newNode(t)
	for range 200 {
		refused(t, n.get("", "/v1/records"), 401, "TOKEN")
		refused(t, n.get("", "/v1/nothing"), 404, "NO_ROUTE")
	}
	if lines := strings.Count(n.log.String(), "\n"); lines == 0 || lines > 100 {
		t.Errorf("400 requests without a token have left %d lines", lines)
	}
	before := strings.Count(n.log.String(), "\n")
	for range 20 {
		n.get("operator", "/v1/status")
	}
	if lines := strings.Count(n.log.String(), "\n") - before; lines != 20 {
		t.Errorf("20 requests with one have left %d lines", lines)
	}
}
