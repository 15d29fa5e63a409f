package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"creditctl": main})
}

// The scripts are the commands' documentation by example.
func TestScripts(t *testing.T) {
	genesis, err := filepath.Abs(filepath.Join("testdata", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	receipts, err := filepath.Abs(filepath.Join("..", "..", "exchange", "receipt", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := filepath.Abs(filepath.Join("..", "..", "peers", "witness", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	gateway := httptest.NewServer(http.HandlerFunc(canned))
	t.Cleanup(gateway.Close) // the scripts run in parallel, after this function
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("LANG", "en_US.UTF-8")
			env.Setenv("LC_ALL", "")
			env.Setenv("GATEWAY", gateway.URL)
			env.Setenv("GONE", gone.URL)
			env.Setenv("GENESIS", genesis)
			env.Setenv("RECEIPTS", receipts)
			env.Setenv("EVIDENCE", evidence)
			env.Setenv("TESTDATA", filepath.Dir(genesis))
			return os.WriteFile(filepath.Join(env.WorkDir, "token"), []byte("secret-token\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE COMMAND…: the command ends with just this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// canned answers as a gateway does, as far as a command's own behaviour hangs
// on it. What the routes really do is tested where they are.
func canned(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret-token" {
		problem(w, http.StatusUnauthorized, "TOKEN", "the token is unknown", "ask for another")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/submissions":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		counts := `"received":2,"accepted":2,"quarantined":0,"duplicate":0,"by_rule":{},"findings":[]`
		switch {
		case bytes.Contains(body, []byte("broken")):
			problem(w, http.StatusBadRequest, "MALFORMED", "a row can't be read", "save it again")
			return
		case bytes.Contains(body, []byte("cutoff")):
			counts += `,"records":[{"row":1,"result":"accepted","state":"accepted"},{"row":2,"result":"accepted","state":"committed"}]`
		case bytes.Contains(body, []byte("bad")):
			counts = `"received":2,"accepted":1,"quarantined":1,"duplicate":0,"by_rule":{"DATE_FUTURE":1},
				"findings":[{"row":1,"rule":"LATE","warning":true,"message":"late"},{"row":2,"cell":"T3","rule":"DATE_FUTURE","message":"in the future","hint":"look at the year"}]`
		}
		_, _ = io.WriteString(w, `{"submission":"s-1","kind":"`+r.URL.Query().Get("kind")+`",`+counts+`,"ledger_size":7}`)
	case "GET /v1/submissions/s-1/rejects.xlsx":
		_, _ = io.WriteString(w, "workbook")
	case "GET /v1/ledger/checkpoint":
		_, _ = io.WriteString(w, `{"ledger":"`+strings.Repeat("ab", 32)+`","size":1,"root":"`+strings.Repeat("cd", 32)+`","ledger_size":1}`)
	case "GET /v1/records/" + strings.Repeat("ab", 32):
		_, _ = io.WriteString(w, `{"id":"`+strings.Repeat("ab", 32)+`","kind":"administrative-penalty","class":1,"origin":"120000","recipients":["110000"],
			"issued_at":"2026-04-02T09:00:00+08:00","state":"witnessed","deliveries":[],"author":{"kind":"region","agency":"12120000000003025Y",
			"file":"`+strings.Repeat("cd", 32)+`","row":7,"verified":false,"file_signature":{"key_id":"`+strings.Repeat("ef", 16)+`","verified":true}}}`)
	case "POST /v1/records/" + strings.Repeat("ab", 32) + "/erasure":
		_, _ = io.WriteString(w, `{"reason":"repaired","ordered_at":"2026-04-02T09:00:00+08:00","now":true,"ledger_size":9,"regions":[
			{"region":"110000","state":"pending","held":true},{"region":"120000","state":"stopped","held":true,"stopped_at":"2026-04-02T09:00:00+08:00"},
			{"region":"130000","state":"stopped","held":false,"stopped_at":"2026-04-02T09:00:00+08:00"},
			{"region":"140000","state":"erased","held":false,"erased_at":"2026-04-02T09:00:01+08:00","node":"140000-1","log_first":7,"backups_until":"2026-05-02"}]}`)
	case "POST /v1/reminders/acks":
		_, _ = io.WriteString(w, `{"acks":[{"id":"a","state":"read","result":"ok"},{"id":"b","state":"read","result":"unknown"}]}`)
	case "GET /v1/reminders":
		if r.URL.Query().Get("state") == "open" {
			_, _ = io.WriteString(w, `{"items":[],"next":"page","resume":"6","ledger_size":1}`)
			return
		}
		_, _ = io.WriteString(w, `{"items":[{"id":"r-1","seq":5,"op":"new","record":"`+strings.Repeat("ab", 32)+`","title":"Penalty","text":"Pay.","issued_at":"2026-04-02T09:00:00+08:00"}],"next":"5","ledger_size":1}`)
	case "PUT /v1/subscriptions/91110101MA8H84F153":
		w.WriteHeader(http.StatusNoContent)
	case "PUT /v1/registers/firms":
		_, _ = io.WriteString(w, `{"register":"firms","rows":2,"accepted":1,"findings":[{"row":2,"rule":"USCC_CHECK","message":"wrong"}]}`)
	case "GET /v1/members/proof":
		_, _ = io.WriteString(w, "proof")
	case "GET /v1/ledger/doubtful":
		entry := `{"index":%s,"id":"` + strings.Repeat("ab", 32) + `","class":0,"kind":"administrative-penalty","origin":"120000","batch_seq":7,"batch_item":3,"purpose":"batch","key_id":"` +
			strings.Repeat("cd", 16) + `","suspect_from":5,"until":9000%s}`
		key := `,"agency_key":{"key_id":"` + strings.Repeat("ef", 16) + `","region":"120000","uscc":"12120000000003025Y","name":"某机关","public_key":"BA==","from":9000,"until":0}`
		page := map[string]string{
			"0":    `{"items":[` + fmt.Sprintf(entry, "5", "") + `],"next":"8192","ledger_size":9100}`,
			"8192": `{"items":[` + fmt.Sprintf(entry, "8999", key) + `],"next":"","ledger_size":9100}`,
		}[r.URL.Query().Get("from")]
		_, _ = io.WriteString(w, page)
	case "GET /v1/status":
		_, _ = io.WriteString(w, `{"region":"120000","node":"120000-1","leader":"110000-1","ready":false,"reasons":["CASEBOOK_BEHIND"],"ledger_size":9,"counts":{"outbox":3}}`)
	default:
		problem(w, http.StatusNotFound, "NOT_FOUND", "no such thing", "")
	}
}

func problem(w http.ResponseWriter, status int, code, detail, hint string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:x", "title": code, "status": status, "code": code, "detail": detail, "hint": hint})
}

// The bytes to sign are the labelled message over the record's own canonical
// bytes, and the record they carry is the row.
func TestCanonicalIsTheMessageOfTheRecord(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := peers.ParseGenesis(raw)
	if err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	p := &program{Program: command.Program{Out: &out, Err: &stderr, Env: func(string) string { return "" }}, now: time.Now}
	args := []string{"canonical", filepath.Join("testdata", "two-rows.json"), "--row", "1", "--genesis", filepath.Join("testdata", "genesis.json")}
	if code := p.run(t.Context(), args); code != exitDone {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	prefix := sm.Message(sm.LabelAuthor, genesis.LedgerID(), nil)
	record, ok := bytes.CutPrefix(out.Bytes(), prefix)
	if !ok {
		t.Fatalf("message begins %x", out.Bytes()[:32])
	}
	penalty, err := schemas.DecodePenalty(record)
	if err != nil {
		t.Fatal(err)
	}
	if penalty.DecisionNo != "京交法罚〔2025〕000001号" || penalty.FineFen != 20000 {
		t.Errorf("record %+v", penalty)
	}
}
