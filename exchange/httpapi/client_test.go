package httpapi_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func TestClientErrorsSayWhatHappened(t *testing.T) {
	ctx := t.Context()
	n := newNode(t)
	server := httptest.NewServer(n.api.Handler())
	client := &httpapi.Client{URL: server.URL, Token: "auditor", HTTP: server.Client()}

	_, err := client.Submit(ctx, httpapi.File{Body: strings.NewReader("x")})
	var p *httpapi.Problem
	if !errors.As(err, &p) || p.Status != 403 || p.Code != "ROLE" || errors.Is(err, httpapi.ErrUnreachable) {
		t.Errorf("refused: %v", err)
	}
	server.Close()
	if _, err := client.Status(ctx); !errors.Is(err, httpapi.ErrUnreachable) {
		t.Errorf("closed: %v", err)
	}

	// What stands in between answers in its own words.
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>", http.StatusBadGateway)
	}))
	defer proxy.Close()
	client.URL = proxy.URL
	if _, err := client.Status(ctx); !errors.Is(err, httpapi.ErrUnreachable) || !errors.As(err, &p) || p.Status != 502 {
		t.Errorf("proxy: %v", err)
	}
}

// An auditor can check with the client's answers alone that every leaf is in
// its batch and on the ledger.
func TestLeavesProveThemselves(t *testing.T) {
	ctx := t.Context()
	n := newNode(t)
	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	client := &httpapi.Client{URL: server.URL, Token: "auditor", HTTP: server.Client()}

	head, err := client.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var read uint64
	for next := uint64(0); next < head.Size; {
		page, err := client.Entries(ctx, next, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			leaf := ledger.LeafHash(e.Header)
			if err := ledger.VerifyInclusion(uint64(e.Item), head.Size, leaf, e.Path, head.Root); err != nil {
				t.Errorf("leaf %d in its batch: %v", e.Index, err)
			}
			proof, err := client.Inclusion(ctx, e.Index, head.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := ledger.VerifyInclusion(e.Index, proof.Size, leaf, proof.Path, head.Root); err != nil {
				t.Errorf("leaf %d on the ledger: %v", e.Index, err)
			}
			next, read = e.Index+1, read+1
		}
	}
	if read != head.Size {
		t.Errorf("read %d of %d leaves", read, head.Size)
	}
	c, err := client.Consistency(ctx, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := ledger.VerifyConsistency(2, 5, c.Path, c.FromRoot, c.ToRoot); err != nil || c.ToRoot != head.Root {
		t.Errorf("consistency: %v", err)
	}
	for _, target := range []string{"/v1/ledger/proof/inclusion?index=5&size=5", "/v1/ledger/proof/inclusion", "/v1/ledger/checkpoint?size=6",
		"/v1/ledger/proof/consistency?from=5&to=2", "/v1/ledger/proof/inclusion?index=-1", "/v1/ledger/proof/inclusion?index=99999999999999999999"} {
		refused(t, n.get("auditor", target), 400, "PARAMETER")
	}
}

func TestClientCarriesTheRest(t *testing.T) {
	ctx := t.Context()
	n := newNode(t)
	server := httptest.NewServer(n.api.Handler())
	defer server.Close()
	as := func(role exchange.Role) *httpapi.Client {
		return &httpapi.Client{URL: server.URL + "/", Token: string(role), HTTP: server.Client()}
	}
	rows, err := as("agency-entry").Rows(ctx, submission, "1", 10)
	if err != nil || len(rows.Items) != 1 || rows.Items[0].Row != 2 || rows.Next != "" {
		t.Errorf("rows %+v, %v", rows, err)
	}
	var workbook bytes.Buffer
	if err := as("agency-entry").Rejects(ctx, submission, &workbook); err != nil || !strings.HasPrefix(workbook.String(), "PK") {
		t.Errorf("rejects: %v", err)
	}
	acked, err := as("app").Acknowledge(ctx, []httpapi.Ack{{ID: "r-issued", State: exchange.AckRead}})
	if err != nil || len(acked.Acks) != 1 || acked.Acks[0].Result != exchange.AckOK || !n.service.acks[0].At.Equal(received) {
		t.Errorf("acks %+v, %v", acked, err)
	}
	if err := as("app").Bind(ctx, firmUSCC, httpapi.Binding{}); err != nil || n.service.bound[0] != firmUSCC+" 2026-04-02" {
		t.Errorf("bound %v, %v", n.service.bound, err)
	}
	if err := as("app").Unbind(ctx, firmUSCC); err != nil {
		t.Error(err)
	}
	records, err := as("agency-entry").Records(ctx, exchange.RecordFilter{State: exchange.StateCommitted}, "", 1)
	if err != nil || len(records.Items) != 1 {
		t.Errorf("records %+v, %v", records, err)
	}
	items, err := as("operator").Quarantine(ctx, exchange.RecordFilter{}, "", 0)
	if err != nil || len(items.Items) != 1 || len(items.Items[0].Findings) != 1 {
		t.Errorf("quarantine %+v, %v", items, err)
	}
	if _, err := as("app").Record(ctx, recordID); err == nil {
		t.Error("the app reads a record")
	}
}
