package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// edgeCase is what becomes of one row of edge-rows.csv. Zero fields say
// nothing about the row.
type edgeCase struct {
	rule       schemas.Code // quarantined by it; "" is accepted
	home       peers.Region
	local      bool
	unreminded bool // accepted, but nobody can be told
	flag       schemas.Code
	changes    []string // whole log of normalisations
	body       func(*schemas.Penalty) bool
}

var edgeCases = []edgeCase{
	{local: true, unreminded: true, body: func(p *schemas.Penalty) bool { return p.SubjectUSCC == "" }},
	{rule: "USCC_CHECK"},
	{local: true, unreminded: true, body: func(p *schemas.Penalty) bool {
		raw, err := json.Marshal(p)
		return err == nil && p.SubjectUSCC == "" && !bytes.Contains(raw, []byte("11010519491231002X")) // CF_XDR_ZJHM
	}},
	{body: func(p *schemas.Penalty) bool { return len(p.PenaltyTypes) == 2 && p.FineFen == 200_00 }},
	{body: func(p *schemas.Penalty) bool { return p.FineFen == 2000_00 }},
	{body: func(p *schemas.Penalty) bool { return p.FineFen == 2000_00 }},
	{rule: "AMOUNT_MISSING"},
	{rule: schemas.Conflict},
	{},
	{home: "130000", flag: "ROUTE_BY_CODE"},
	{local: true, flag: "ROUTE_UNKNOWN"},
	{local: true, flag: "ROUTE_NOT_MEMBER"},
	{rule: "LENGTH"},
	{},
	{body: func(p *schemas.Penalty) bool { return p.PublicationUntil == "" }},
	{body: func(p *schemas.Penalty) bool { return p.DecisionNo == "津交法(罚)字〔2025〕第9016号" }},
	{body: func(p *schemas.Penalty) bool { return p.ValidUntil == "2099-12-31" }},
	{rule: "AUTHORITY_UNKNOWN"},
	{changes: []string{"ENUM_ALIAS"}, body: func(p *schemas.Penalty) bool { return slices.Equal(p.PenaltyTypes, []string{"其他-通报批评"}) }},
	{changes: []string{"EMPTY_MARK", "EMPTY_MARK", "EMPTY_MARK"}},
	{rule: "NUMBER_PRECISION"},
	{rule: "DATE_ORDER"},
	{rule: "ORG_CODE_CHECK"},
}

// Rows at the edges of the rules, on an empty ledger.
func TestEdgeRows(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	r, agency := tianjinAgency(t, d, "2025-11-05T09:00:00+08:00")
	file, err := os.ReadFile(filepath.Join("testdata", "demo", "edge-rows.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var told []struct{ Want string }
	readJSON(t, filepath.Join("testdata", "demo", "edge-rows.expected.json"), &told)
	v := submit(t, agency, file)
	rows := allRows(t, agency, v.ID)
	if len(rows) != len(edgeCases) || len(told) != len(edgeCases) {
		t.Fatalf("%d rows, %d told of, want %d", len(rows), len(told), len(edgeCases))
	}
	reminded := map[peers.Region]int{}
	for i, want := range edgeCases {
		row := rows[i]
		result := exchange.RowAccepted
		if want.rule != "" {
			result = exchange.RowQuarantined
		}
		if verdict := strings.TrimSpace(string(result) + " " + string(want.rule)); !strings.HasPrefix(told[i].Want, verdict) {
			t.Errorf("row %d: the table says %q, the data %q", row.Row, verdict, told[i].Want)
		}
		if row.Outcome != result || row.Rule != string(want.rule) {
			t.Errorf("row %d: %s %s, want %s %s: %v", row.Row, row.Outcome, row.Rule, result, want.rule, row.Findings)
			continue
		}
		if want.rule != "" {
			continue
		}
		edgeAccepted(t, agency, row, want)
		if !want.unreminded && row.Home != "" {
			reminded[row.Home]++
		}
	}
	awaitSize(t, d, r.store.Head().Size)
	for _, region := range d.regions {
		counts, err := region.casebook.Counts()
		code := region.cfg.Self.Region
		if got := counts.Reminders[exchange.StageIssued]; err != nil || got != reminded[code] {
			t.Errorf("%s issued %d reminders, want %d: %v", code, got, reminded[code], err)
		}
	}
}

func edgeAccepted(t *testing.T, agency *httpapi.Client, row httpapi.Row, want edgeCase) {
	t.Helper()
	state := exchange.StateCommitted
	if want.local {
		state = exchange.StateLocal
	} else if row.State == exchange.StateWitnessed {
		state = row.State
	}
	if row.State != state || want.home != "" && row.Home != want.home || want.unreminded != (row.Subject == "") {
		t.Errorf("row %d: %s to %q about %q, want %s to %q", row.Row, row.State, row.Home, row.Subject, state, want.home)
	}
	if want.flag != "" && !slices.Contains(row.Flags, string(want.flag)) {
		t.Errorf("row %d: flags %v lack %s", row.Row, row.Flags, want.flag)
	}
	if want.changes != nil && !slices.Equal(row.Normalised, want.changes) {
		t.Errorf("row %d: log of changes %v, want %v", row.Row, row.Normalised, want.changes)
	}
	record, err := agency.Record(t.Context(), *row.ID)
	if err != nil || record.Body == nil {
		t.Errorf("row %d: the agency does not see its record: %v", row.Row, err)
		return
	}
	if want.body != nil && !want.body(record.Body) {
		t.Errorf("row %d: %+v", row.Row, *record.Body)
	}
}

func submit(t *testing.T, c *httpapi.Client, file []byte) httpapi.Submission {
	t.Helper()
	v, err := c.Submit(t.Context(), httpapi.File{Body: bytes.NewReader(file), Wait: exchange.WaitCommitted})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// awaitSize waits until every region has read that much of the ledger.
func awaitSize(t *testing.T, d *demo, size uint64) {
	t.Helper()
	for _, r := range d.regions {
		err := r.await(t.Context(), func() (bool, error) { return r.casebook.Followed() >= size, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// recordEntries counts the records on a region's ledger; statements of the
// recipients come in their own time and do not count.
func recordEntries(t *testing.T, r *demoNode) (n int) {
	t.Helper()
	err := eachEntry(r.store, r.store.Head().Size, func(e *exchange.Entry) {
		if e.Header.Class == exchange.ClassRecord {
			n++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A clerk who is not sure whether the file went through sends it again.
func TestTheSameFileAgainChangesNothing(t *testing.T) {
	t.Parallel()
	d, s := startDemo(t)
	r, agency := tianjinAgency(t, d, "2024-11-05T09:00:00+08:00")
	file, err := fs.ReadFile(s, "tj-penalties.csv")
	if err != nil {
		t.Fatal(err)
	}
	first := submit(t, agency, file)
	firstRows, size := allRows(t, agency, first.ID), recordEntries(t, r)
	again := submit(t, agency, file)
	if again.Accepted != 0 || again.Duplicate != first.Accepted+first.Duplicate || again.Quarantined != first.Quarantined {
		t.Fatalf("first %d %d %d, again %d %d %d", first.Accepted, first.Quarantined, first.Duplicate,
			again.Accepted, again.Quarantined, again.Duplicate)
	}
	for i, row := range allRows(t, agency, again.ID) {
		before := firstRows[i]
		if before.Outcome == exchange.RowQuarantined {
			if row.Quarantine != before.Quarantine || row.Rule != before.Rule {
				t.Errorf("row %d: %s %s, was %s %s", row.Row, row.Quarantine, row.Rule, before.Quarantine, before.Rule)
			}
		} else if row.ID == nil || *row.ID != *before.ID {
			t.Errorf("row %d: stands as %v, was %v", row.Row, row.ID, before.ID)
		}
	}
	if got := recordEntries(t, r); got != size {
		t.Errorf("the ledger has %d records, had %d", got, size)
	}
	checkQuarantine(t, r, first.Quarantined)
}

// checkQuarantine wants each bad row once, told twice.
func checkQuarantine(t *testing.T, r *demoNode, items int) {
	t.Helper()
	seen := 0
	for cursor := ""; ; {
		page, err := r.client("operator").Quarantine(context.Background(), exchange.RecordFilter{}, cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			if seen++; item.Times != 2 {
				t.Errorf("quarantine item %s came %d times", item.ID, item.Times)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if seen != items {
		t.Errorf("%d quarantine items, want %d", seen, items)
	}
}

// Many agencies send the year so far, every time.
func TestCumulativeFileAddsWhatIsNew(t *testing.T) {
	t.Parallel()
	d, s := startDemo(t)
	r, agency := tianjinAgency(t, d, "2025-11-05T09:00:00+08:00")
	file, err := fs.ReadFile(s, "tj-clean.csv")
	if err != nil {
		t.Fatal(err)
	}
	if v := submit(t, agency, firstRows(t, file, 500)); v.Accepted != 500 {
		t.Fatalf("%d accepted of 500", v.Accepted)
	}
	before := r.store.Head().Size
	v := submit(t, agency, firstRows(t, file, 540))
	if v.Accepted != 40 || v.Duplicate != 500 || v.Quarantined != 0 {
		t.Errorf("accepted %d, duplicate %d, quarantined %d", v.Accepted, v.Duplicate, v.Quarantined)
	}
	var shared uint64
	for _, row := range allRows(t, agency, v.ID) {
		if row.Outcome == exchange.RowAccepted && row.State.OnLedger() {
			shared++
		}
	}
	if got := r.store.Head().Size - before; got != shared || shared == 0 {
		t.Errorf("the ledger grew by %d, want %d", got, shared)
	}
}

// firstRows is a CSV file's header and its first n rows.
func firstRows(t *testing.T, file []byte, n int) []byte {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil || len(all) <= n {
		t.Fatalf("%d rows: %v", len(all), err)
	}
	var out strings.Builder
	if err := csv.NewWriter(&out).WriteAll(all[:n+1]); err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}
