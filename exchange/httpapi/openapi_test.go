package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/rand"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// document reads the OpenAPI document as clients get it.
func document(t *testing.T, n *node) *openapi3.T {
	t.Helper()
	w := n.get("", "/v1/openapi.json")
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentNamesExactlyTheRoutes(t *testing.T) {
	n := newNode(t)
	var documented []string
	for path, item := range document(t, n).Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	served := n.api.Paths()
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented %q\nserved %q", documented, served)
	}
}

// Every route is called once as it should be, and request and answer are both
// what the document says.
func TestAnswersAreAsDocumented(t *testing.T) {
	key, err := sm.Generate[sm.Agency](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := base64.StdEncoding.EncodeToString(key.Public().Bytes())
	calls := []struct {
		route  string
		role   exchange.Role
		target string
		body   string
		status int
	}{
		{"POST /v1/submissions", "agency-entry", "/v1/submissions?wait=committed", `{"records":[]}`, 202},
		{"GET /v1/submissions/{id}", "agency-entry", "/v1/submissions/" + submission, "", 200},
		{"GET /v1/submissions/{id}/rows", "agency-review", "/v1/submissions/" + submission + "/rows?limit=5", "", 200},
		{"GET /v1/submissions/{id}/rejects.xlsx", "agency-entry", "/v1/submissions/" + submission + "/rejects.xlsx", "", 200},
		{"GET /v1/records", "operator", "/v1/records?state=committed&origin=120000", "", 200},
		{"GET /v1/records/{id}", "agency-entry", "/v1/records/" + recordID.String(), "", 200},
		{"POST /v1/records/{id}/erasure", "operator", "/v1/records/" + recordID.String() + "/erasure", `{"reason":"repaired","now":true}`, 202},
		{"GET /v1/records/{id}/receipt", "operator", "/v1/records/" + recordID.String() + "/receipt?disclose=true", "", 200},
		{"GET /v1/quarantine", "operator", "/v1/quarantine", "", 200},
		{"PUT /v1/source-plan", "operator", "/v1/source-plan", `[{"uscc":"` + agencyUSCC + `","name":"某单位","kind":"administrative-penalty","every_days":"7"}]`, 200},
		{"GET /v1/source-plan", "auditor", "/v1/source-plan?limit=5", "", 200},
		{"PUT /v1/registers/{register}", "operator", "/v1/registers/firms", `[{"uscc":"` + firmUSCC + `","name":"北京测试远安旅游客运有限公司","home_region":"110000"}]`, 200},
		{"POST /v1/agencies/{uscc}/keys", "operator", "/v1/agencies/" + agencyUSCC + "/keys", `{"name":"总队","public_key":"` + public + `","proof":"MAA="}`, 202},
		{"GET /v1/agencies/{uscc}/keys", "auditor", "/v1/agencies/" + agencyUSCC + "/keys", "", 200},
		{"DELETE /v1/agencies/{uscc}/keys/{id}", "operator", "/v1/agencies/" + agencyUSCC + "/keys/" + key.Public().ID().String(), "", 202},
		{"GET /v1/members", "auditor", "/v1/members", "", 200},
		{"GET /v1/members/proof", "auditor", "/v1/members/proof", "", 200},
		{"GET /v1/governance", "secadmin", "/v1/governance", "", 200},
		{"POST /v1/governance", "secadmin", "/v1/governance", `{"change":"leave","region":"120000"}`, 202},
		{"POST /v1/governance/{index}/approvals", "operator", "/v1/governance/7/approvals", `{"digest":"` + recordID.String() + `"}`, 202},
		{"POST /v1/subjects/{uscc}/statement", "window", "/v1/subjects/" + firmUSCC + "/statement", "", 200},
		{"PUT /v1/subscriptions/{uscc}", "app", "/v1/subscriptions/" + firmUSCC, `{"bound_at":"2026-04-01T08:00:00+08:00"}`, 204},
		{"DELETE /v1/subscriptions/{uscc}", "app", "/v1/subscriptions/" + firmUSCC, "", 204},
		{"GET /v1/reminders", "app", "/v1/reminders?limit=10", "", 200},
		{"POST /v1/reminders/acks", "app", "/v1/reminders/acks", `{"acks":[{"id":"r-issued","state":"read"}]}`, 200},
		{"GET /v1/ledger/checkpoint", "window", "/v1/ledger/checkpoint", "", 200},
		{"GET /v1/ledger/proof/inclusion", "app", "/v1/ledger/proof/inclusion?index=2&size=5", "", 200},
		{"GET /v1/ledger/proof/consistency", "app", "/v1/ledger/proof/consistency?from=2&to=5", "", 200},
		{"GET /v1/ledger/checkpoints", "auditor", "/v1/ledger/checkpoints?from=0", "", 200},
		{"GET /v1/ledger/batches", "auditor", "/v1/ledger/batches?from=1", "", 200},
		{"GET /v1/ledger/entries", "auditor", "/v1/ledger/entries?from=1&limit=2", "", 200},
		{"GET /v1/ledger/doubtful", "secadmin", "/v1/ledger/doubtful?from=1", "", 200},
		{"POST /v1/checks", "operator", "/v1/checks", "", 202},
		{"GET /v1/checks", "auditor", "/v1/checks", "", 200},
		{"GET /v1/status", "operator", "/v1/status", "", 200},
		{"GET /v1/openapi.json", "", "/v1/openapi.json", "", 200},
		{"GET /healthz", "", "/healthz", "", 200},
		{"GET /readyz", "", "/readyz", "", 200},
		{"GET /metrics", "", "/metrics", "", 200},
	}
	n := newNode(t)
	n.feed.add()
	doc := document(t, n)
	called := []string{"GET /v1/reminders/stream"} // never ends: stream_test.go
	for _, c := range calls {
		t.Run(c.route, func(t *testing.T) {
			called = append(called, c.route)
			w := n.do(request(c.role, strings.Fields(c.route)[0], c.target, c.body))
			if w.Code != c.status {
				t.Fatalf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			conforms(t, doc, c.route, c.target, c.body, w)
		})
	}
	for _, route := range n.api.Paths() {
		if !slices.Contains(called, route) {
			t.Errorf("%s was not called", route)
		}
	}
}

func conforms(t *testing.T, doc *openapi3.T, route, target, body string, w *httptest.ResponseRecorder) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	item := doc.Paths.Find(path)
	want, got := strings.Split(path, "/"), strings.Split(strings.Split(target, "?")[0], "/")
	params := map[string]string{}
	for i, segment := range want {
		if strings.HasPrefix(segment, "{") {
			params[strings.Trim(segment, "{}")] = got[i]
		}
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	in := &openapi3filter.RequestValidationInput{
		Request: request("", method, target, body), PathParams: params, Options: options,
		Route: &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
		t.Errorf("request: %v", err)
	}
	media := w.Header().Get("Content-Type")
	if media != "" && !strings.Contains(media, "json") {
		if item.GetOperation(method).Responses.Status(w.Code).Value.Content.Get(media) == nil {
			t.Errorf("answer is %q, which is not documented", media)
		}
		return
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: w.Code, Header: w.Header(),
		Body: io.NopCloser(w.Body), Options: options}
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("answer: %v", err)
	}
}

// An answer says the same in the client's types: what the client reads is what
// the server wrote.
func TestClientReadsWhatTheServerWrote(t *testing.T) {
	n := newNode(t)
	n.feed.add()
	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	as := func(role exchange.Role) *httpapi.Client {
		return &httpapi.Client{URL: server.URL, Token: string(role), Lang: "en", HTTP: server.Client()}
	}
	ctx := t.Context()

	sent, err := as("agency-entry").Submit(ctx, httpapi.File{Body: strings.NewReader("a,b"), Size: 3, Media: httpapi.MediaCSV,
		Kind: exchange.KindPenalty, Wait: exchange.WaitCommitted, Idempotency: "k1", Signature: []byte("sig"),
		Declared: 9, Sequence: 4})
	if err != nil {
		t.Fatal(err)
	}
	if sent.ID != submission || sent.LedgerSize != 5 || len(sent.Findings) != 1 || sent.Findings[0].Rule != schemasDateFuture ||
		sent.Records[0].ID == nil || *sent.Records[0].ID != recordID {
		t.Errorf("submission %+v", sent)
	}
	if s := n.service.sub; string(n.service.taken) != "a,b" || s.Wait != exchange.WaitCommitted || s.Idempotency != "k1" || string(s.Signature) != "sig" ||
		s.Declared != 9 || s.Sequence != 4 {
		t.Errorf("the service got %+v", s)
	}
	record, err := as("operator").Record(ctx, recordID)
	if err != nil || record.Body == nil || record.Body.SubjectName != "某公司" ||
		record.Dishonesty == nil || !record.Dishonesty.Derived || record.Deliveries[0].State != exchange.AckRead {
		t.Errorf("record %+v, %v", record, err)
	}
	pulled, err := as("app").Reminders(ctx, "", 10, time.Second)
	if err != nil || len(pulled.Items) != 1 || pulled.Next != "1" || pulled.Items[0].Lang != "en" {
		t.Errorf("reminders %+v, %v", pulled, err)
	}
	sources, err := as("operator").Sources(ctx, "")
	if err != nil || len(sources.Items) != 2 || len(sources.Items[0].Findings) != 0 || sources.Items[1].SilentDays != 9 ||
		sources.Items[1].Findings[0].Rule != "SOURCE_SILENT" {
		t.Errorf("sources %+v, %v", sources, err)
	}
	n.ready = []string{"NO_LEADER"}
	ready, err := as("").Ready(ctx)
	if err != nil || ready.Ready || !slices.Equal(ready.Reasons, n.ready) {
		t.Errorf("readiness %+v, %v", ready, err)
	}
	status, err := as("operator").Status(ctx)
	if err != nil || status.Counts.Outbox != 4 || status.Node != "120000-1" || *status.Peers[0].Lag != 3 {
		t.Errorf("status %+v, %v", status, err)
	}
}

const schemasDateFuture = "DATE_FUTURE"

func TestOpenAPIIsOneJSONDocument(t *testing.T) {
	var doc struct{ OpenAPI string }
	if err := json.Unmarshal(newNode(t).get("", "/v1/openapi.json").Body.Bytes(), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Errorf("version %q, %v", doc.OpenAPI, err)
	}
}
