package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/schemas"
)

// A sender that numbers and counts its files is told when one is missing or
// short, and who keeps silent longer than agreed is listed.
func TestASourceThatSkipsAndKeepsSilent(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	r, agency := tianjinAgency(t, d, "2025-11-05T09:00:00+08:00")
	operator := r.client("operator")
	plan := "uscc,name,kind,every_days\n" + tianjinAuthority + ",天津市交通运输综合行政执法总队,administrative-penalty,7\n"
	if done, err := operator.ImportSources(t.Context(), strings.NewReader(plan)); err != nil || done.Accepted != 1 {
		t.Fatalf("source plan: %+v, %v", done, err)
	}
	file, err := os.ReadFile(filepath.Join("testdata", "demo", "edge-rows.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		declared int
		sequence uint64
		want     []schemas.Code
	}{
		{0, 0, nil},
		{23, 6, nil}, // the first number may be any
		{23, 7, nil},
		{23, 7, nil}, // the same file again
		{25, 9, []schemas.Code{schemas.CountMismatch, schemas.SequenceGap}},
		{23, 10, nil},
	} {
		v, err := agency.Submit(t.Context(), httpapi.File{Body: bytes.NewReader(file), Declared: c.declared, Sequence: c.sequence})
		if err != nil {
			t.Fatal(err)
		}
		var got []schemas.Code
		for _, f := range v.Findings {
			if f.Row == 0 && f.Family == schemas.Quantity {
				got = append(got, f.Rule)
			}
		}
		if !slices.Equal(got, c.want) || v.Received != len(edgeCases) {
			t.Errorf("%d rows declared as number %d: %v, want %v", c.declared, c.sequence, got, c.want)
		}
	}
	overdue := func() []schemas.FindingView {
		t.Helper()
		page, err := operator.Sources(t.Context(), "")
		if err != nil || len(page.Items) != 1 || page.Items[0].Sequence != 10 {
			t.Fatalf("sources %+v, %v", page, err)
		}
		return page.Items[0].Findings
	}
	if f := overdue(); len(f) != 0 {
		t.Errorf("overdue on the same day: %+v", f)
	}
	tianjinAgency(t, d, "2025-11-13T09:00:00+08:00")
	if f := overdue(); len(f) != 1 || f[0].Rule != schemas.SourceSilent || f[0].Family != schemas.Frequency {
		t.Errorf("eight days later: %+v", f)
	}
}
