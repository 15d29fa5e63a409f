package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

func file(target string, header ...string) *http.Request {
	return request("agency-entry", "POST", target, "header\nrow\n", append([]string{"Content-Type", "text/csv"}, header...)...)
}

// 202 while anything is still on its way, 200 once the wait is over.
func TestSubmissionStatus(t *testing.T) {
	committed := oneRow()
	committed.Records[0].State = exchange.StateCommitted
	for _, c := range []struct {
		target string
		view   exchange.SubmissionView
		status int
	}{
		{"/v1/submissions", oneRow(), 202},
		{"/v1/submissions", committed, 202},
		{"/v1/submissions?wait=committed", oneRow(), 202},
		{"/v1/submissions?wait=committed", committed, 200},
		{"/v1/submissions?dry_run=true", oneRow(), 200},
	} {
		n := newNode(t)
		n.service.view = &c.view
		w := n.do(file(c.target))
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.target, w.Code, c.status)
		}
		if dry := strings.Contains(c.target, "dry_run"); dry == (w.Header().Get("Location") == "/v1/submissions/"+submission) {
			t.Errorf("%s: Location %q", c.target, w.Header().Get("Location"))
		}
	}
}

func TestSubmissionIsReadStrictly(t *testing.T) {
	for _, c := range []struct {
		r    *http.Request
		code string
	}{
		{file("/v1/submissions?kid=x"), "UNKNOWN_PARAMETER"},
		{file("/v1/submissions?wait=soon"), "PARAMETER"},
		{file("/v1/submissions?dry_run=1"), "PARAMETER"},
		{file("/v1/submissions?kind=a&kind=b"), "PARAMETER"},
		{file("/v1/submissions?%zz"), "PARAMETER"},
		{file("/v1/submissions", "Idempotency-Key", strings.Repeat("k", 129)), "IDEMPOTENCY_KEY"},
		{file("/v1/submissions", "Idempotency-Key", "两"), "IDEMPOTENCY_KEY"},
		{file("/v1/submissions", "X-Author-Signature", "not base64"), "SIGNATURE_FORM"},
		{file("/v1/submissions", "X-Author-Signature", base64.StdEncoding.EncodeToString(make([]byte, 81))), "SIGNATURE_FORM"},
	} {
		n := newNode(t)
		refused(t, n.do(c.r), 400, c.code)
		if n.service.taken != nil {
			t.Errorf("%s: the service was asked", c.code)
		}
	}
	n := newNode(t)
	refused(t, n.do(file("/v1/submissions", "Content-Type", "application/x-www-form-urlencoded")), 415, "CONTENT_TYPE")
}

// Two requests under one key at once: the second is told to wait, and after
// the first has ended the key is the service's to judge.
func TestIdempotencyKeyInFlight(t *testing.T) {
	n := newNode(t)
	n.service.began, n.service.release = make(chan struct{}), make(chan struct{})
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- n.do(file("/v1/submissions", "Idempotency-Key", "k")) }()
	<-n.service.began
	refused(t, n.do(file("/v1/submissions", "Idempotency-Key", "k")), 409, "IDEMPOTENCY_KEY_IN_FLIGHT")
	close(n.service.release)
	if w := <-first; w.Code != 202 {
		t.Errorf("first: %d", w.Code)
	}
	go func() { <-n.service.began }()
	if w := n.do(file("/v1/submissions", "Idempotency-Key", "k")); w.Code != 202 {
		t.Errorf("after it: %d", w.Code)
	}
}

// A file that breaks off after some rows names the submission, so that the
// sender finds what was taken.
func TestBrokenOffSubmissionIsNamed(t *testing.T) {
	n := newNode(t)
	view := oneRow()
	n.service.view = &view
	n.service.err = &tabular.Error{Code: "MALFORMED", Status: 400, Line: 7, Message: schemas.Text{ZH: "坏行"}}
	if p := refused(t, n.do(file("/v1/submissions")), 400, "MALFORMED"); p.Submission != submission {
		t.Errorf("submission %q", p.Submission)
	}
	n.service.view = &exchange.SubmissionView{ID: submission}
	if p := refused(t, n.do(file("/v1/submissions")), 400, "MALFORMED"); p.Submission != "" {
		t.Errorf("nothing was taken, yet %q", p.Submission)
	}
}

func TestFindingsComeInTheCallersLanguage(t *testing.T) {
	n := newNode(t)
	for lang, want := range map[string]string{"zh": "zh", "en": "en"} {
		var s httpapi.Submission
		w := n.get("agency-entry", "/v1/submissions/"+submission, "Accept-Language", lang)
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if f := schemas.NewFinding(schemas.DateFuture, schemas.Row{Number: 2}).In(want); s.Findings[0] != f {
			t.Errorf("%s: %+v", lang, s.Findings[0])
		}
	}
}

// The workbook of rejects is one that the intake reads again.
func TestRejectsCanBeSentAgain(t *testing.T) {
	n := newNode(t)
	w := n.get("agency-entry", "/v1/submissions/"+submission+"/rejects.xlsx")
	if w.Code != 200 || w.Header().Get("Content-Type") != httpapi.MediaXLSX {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	kind, _ := schemas.Default().Kind(exchange.KindPenalty)
	rows, err := tabular.Open(bytes.NewReader(w.Body.Bytes()), kind.Dictionary(), tabular.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	row, err := rows.Next()
	if err != nil {
		t.Fatal(err)
	}
	if len(row.Cells) != 1 || row.Cells[0].Field != "CF_XDR_MC" || !strings.Contains(row.Cells[0].Value, "=1+1") {
		t.Errorf("row %+v", row)
	}
}

func TestRegisterImportTellsOfBadRows(t *testing.T) {
	n := newNode(t)
	csv := "uscc,name,home_region\n" + firmUSCC + ",北京测试远安旅游客运有限公司,110000\n123,坏行,110000\n"
	w := n.do(request("operator", "PUT", "/v1/registers/firms", csv, "Content-Type", "text/csv"))
	var got httpapi.RegisterImport
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got.Rows != 2 || got.Accepted != 1 || len(got.Findings) == 0 || len(n.service.firms) != 1 || n.service.firms[0].USCC != firmUSCC {
		t.Errorf("%+v, firms %+v", got, n.service.firms)
	}
}

func TestKeysMustBePointsOfTheCurve(t *testing.T) {
	n := newNode(t)
	for body, code := range map[string]string{
		`{"name":"总队","public_key":"` + base64.StdEncoding.EncodeToString(make([]byte, 65)) + `"}`: "PUBLIC_KEY",
		`{"name":"总队","public_key":"AAAA"}`:                                                        "PUBLIC_KEY",
		`{"name":"总队","public_key":"","extra":1}`:                                                  "JSON",
		`{"name":"总队","name":"队","public_key":""}`:                                                 "JSON",
	} {
		refused(t, n.do(request("operator", "POST", "/v1/agencies/"+agencyUSCC+"/keys", body)), 400, code)
	}
	refused(t, n.do(request("operator", "POST", "/v1/agencies/12120000000003025X/keys", `{}`)), 400, "USCC_CHECK")
}
