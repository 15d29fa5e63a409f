package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// expected is what must become of the sample files, row by row.
type expected struct {
	Files map[string]struct {
		Rows   int `json:"rows"`
		Counts struct {
			Accepted    int `json:"accepted"`
			Quarantined int `json:"quarantined"`
			Duplicate   int `json:"duplicate"`
		} `json:"counts"`
		ByRule  map[string]int `json:"by_rule"`
		Results []expectedRow  `json:"results"`
	} `json:"files"`
	Reminders map[string]int `json:"reminders_issued"`
}

type expectedRow struct {
	Row     int              `json:"row"`
	Result  exchange.Outcome `json:"result"`
	Rule    string           `json:"rule"`
	Subject string           `json:"subject"`
	Home    peers.Region     `json:"home_region"`
	Cross   bool             `json:"cross_region"`
}

// demoIndex is demo.json as another program reads it.
type demoIndex struct {
	Regions []struct {
		Region peers.Region      `json:"region"`
		URL    string            `json:"url"`
		Tokens map[string]string `json:"tokens"`
	} `json:"regions"`
	Sample exchange.EntryID `json:"sample_record"`
}

func (x *demoIndex) client(t *testing.T, region peers.Region, role string) *httpapi.Client {
	t.Helper()
	for _, r := range x.Regions {
		if r.Region == region {
			token, err := os.ReadFile(r.Tokens[role])
			if err != nil {
				t.Fatal(err)
			}
			return &httpapi.Client{URL: r.URL, Token: strings.TrimSpace(string(token))}
		}
	}
	t.Fatalf("demo.json has no region %s", region)
	return nil
}

// runDemo runs the command until the test ends and returns its report and its
// demo.json, which is all that another program has of it.
func runDemo(t *testing.T) (demoReport, demoIndex) {
	t.Helper()
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	p, _, _ := testProgram(nil)
	p.now = time.Now
	reading, writing := io.Pipe()
	p.Out = writing
	exit := make(chan int, 1)
	go func() {
		code := p.run(ctx, []string{"demo", "--dir", dir, "--http", "127.0.0.1:0", "--json"})
		writing.CloseWithError(io.ErrUnexpectedEOF)
		exit <- code
	}()
	t.Cleanup(func() {
		stop()
		if code := <-exit; code != exitDone {
			t.Errorf("the demonstration ended with %d", code)
		}
	})
	var report demoReport
	if err := json.NewDecoder(reading).Decode(&report); err != nil {
		t.Fatalf("the demonstration printed no report: %v", err)
	}
	var index demoIndex
	readJSON(t, filepath.Join(dir, demoIndexName), &index)
	return report, index
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What the samples must come to was worked out independently of this program.
func TestDemoComesToWhatIsExpected(t *testing.T) {
	t.Parallel()
	var want expected
	readJSON(t, filepath.Join("testdata", "demo", "expected.json"), &want)
	report, index := runDemo(t)
	samples, err := openSamples("")
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Files) != len(want.Files) || len(samples.manifest.Files) != len(want.Files) {
		t.Fatalf("%d files were sent of %d", len(report.Files), len(want.Files))
	}
	for i, got := range report.Files {
		w := want.Files[got.File]
		if got.Received != w.Rows || got.Accepted != w.Counts.Accepted || got.Quarantined != w.Counts.Quarantined ||
			got.Duplicate != w.Counts.Duplicate || !maps.Equal(got.ByRule, w.ByRule) {
			t.Errorf("%s: %+v, want %+v by %v", got.File, got, w.Counts, w.ByRule)
		}
		from := samples.manifest.Files[i].Region
		rows := allRows(t, index.client(t, from, "agency-entry"), got.Submission)
		if len(rows) != len(w.Results) {
			t.Fatalf("%s: %d rows of %d", got.File, len(rows), len(w.Results))
		}
		for j, row := range rows {
			compareRow(t, got.File, row, w.Results[j])
		}
	}
	if len(report.Regions) != len(demoMembers) {
		t.Fatalf("%d regions", len(report.Regions))
	}
	for _, r := range report.Regions {
		first := report.Regions[0]
		if r.Root != first.Root || r.LedgerSize != first.LedgerSize {
			t.Errorf("%s stands at %d %s, %s at %d %s", r.Region, r.LedgerSize, r.Root, first.Region, first.LedgerSize, first.Root)
		}
		if r.Witnessed < r.LedgerSize {
			t.Errorf("%s: %d leaves of %d are witnessed", r.Region, r.Witnessed, r.LedgerSize)
		}
		if got := r.Reminders[string(exchange.StageIssued)]; got != want.Reminders[r.Region] {
			t.Errorf("%s issued %d reminders, want %d", r.Region, got, want.Reminders[r.Region])
		}
	}
	record, err := index.client(t, samples.manifest.Files[0].Region, "agency-entry").Record(t.Context(), index.Sample)
	if err != nil || record.State != exchange.StateWitnessed || len(record.Deliveries) == 0 {
		t.Errorf("the sample record stands at %q with deliveries %v: %v", record.State, record.Deliveries, err)
	}
}

func compareRow(t *testing.T, file string, got httpapi.Row, want expectedRow) {
	t.Helper()
	if got.Row != want.Row || got.Outcome != want.Result || got.Rule != want.Rule {
		t.Errorf("%s row %d: %s %s, want %s %s", file, got.Row, got.Outcome, got.Rule, want.Result, want.Rule)
	}
	if want.Result != exchange.RowAccepted {
		return
	}
	state := exchange.StateLocal
	if want.Cross {
		state = exchange.StateWitnessed
	}
	if got.Subject != want.Subject || got.Home != want.Home || got.State != state {
		t.Errorf("%s row %d: subject %q home %q %s, want %q %q %s", file, got.Row, got.Subject, got.Home, got.State, want.Subject, want.Home, state)
	}
}

// allRows reads a submission's rows page by page, as a clerk's program does.
func allRows(t *testing.T, c *httpapi.Client, submission string) []httpapi.Row {
	t.Helper()
	var rows []httpapi.Row
	for cursor := ""; ; {
		page, err := c.Rows(t.Context(), submission, cursor, 250)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, page.Items...)
		if cursor = page.Next; cursor == "" {
			return rows
		}
	}
}

// newDemo founds the four regions of a demonstration.
func newDemo(t *testing.T) (*program, *demo, samples) {
	t.Helper()
	p, _, _ := testProgram(nil)
	p.now = time.Now
	d, err := p.foundDemo(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSamples("")
	if err != nil {
		t.Fatal(err)
	}
	return p, d, s
}

// keepRunning runs the regions until the test ends; why they end earlier comes on
// ended.
func keepRunning(t *testing.T, d *demo) (ended <-chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- d.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-end, d.Close()); err != nil {
			t.Error(err)
		}
	})
	return end
}

// startDemo founds four regions with the sample registers and nothing else.
func startDemo(t *testing.T) (*demo, samples) {
	t.Helper()
	_, d, s := newDemo(t)
	ended := keepRunning(t, d)
	for _, r := range d.regions {
		select {
		case <-r.up:
		case err := <-ended:
			t.Fatal(err)
		}
		for _, role := range []exchange.Role{exchange.RoleOperator, exchange.RoleApp} {
			if err := r.grant(string(role), role, exchange.Scope{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.importRegisters(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return d, s
}

const tianjinAuthority = "12120000000003025Y"

// tianjinAgency is the region with the sample authority's token.
func tianjinAgency(t *testing.T, d *demo, at string) (*demoNode, *httpapi.Client) {
	t.Helper()
	clock, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Set(clock)
	r, err := d.region("120000")
	if err != nil {
		t.Fatal(err)
	}
	unit := []string{tianjinAuthority}
	if err := r.grant("agency-entry", exchange.RoleAgencyEntry, exchange.Scope{Units: unit, Sources: unit}); err != nil {
		t.Fatal(err)
	}
	return r, r.client("agency-entry")
}
