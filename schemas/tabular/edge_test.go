package tabular_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// TestEdgeRows judges the 23 rows that were made to lie on the edge of a rule.
func TestEdgeRows(t *testing.T) {
	in, _ := newIntake(t)
	var want []struct {
		Row       int
		Want, Why string
	}
	readJSON(t, "edge-rows.expected.json", &want)
	f := sampleFile{
		File: "edge-rows.csv", Region: "120000", Submitter: "12120000000003025Y",
		ReceivedAt: time.Date(2025, 11, 5, 9, 0, 0, 0, time.FixedZone("CST", 8*3600)),
	}
	flagged := func(v verdict, rule schemas.Code) bool { return slices.Contains(v.Route.Flags, rule) }
	logged := func(v verdict, code schemas.NormalisationCode) int {
		n := 0
		for _, l := range v.Normalisations {
			if l.Code == code {
				n++
			}
		}
		return n
	}
	unremindable := func(v verdict) bool {
		return v.Route.Subject == "" && v.Route.Local && !v.Route.Remind && v.Record.SubjectUSCC == ""
	}
	more := map[int]func(verdict) bool{
		1: unremindable,
		3: func(v verdict) bool {
			raw, err := v.Record.Encode()
			return unremindable(v) && err == nil && !strings.Contains(string(raw), "11010519491231002X")
		},
		4: func(v verdict) bool { return len(v.Record.PenaltyTypes) == 2 && v.Record.FineFen == 200_00 },
		5: func(v verdict) bool { return v.Record.FineFen == 2000_00 },
		9: func(v verdict) bool { return v.Record.DecisionNo == "津交执罚〔2025〕900002号" },
		10: func(v verdict) bool {
			return v.Route.Home == "130000" && !v.Route.Local && flagged(v, schemas.RouteByCode)
		},
		11: func(v verdict) bool { return v.Route.Local && !v.Route.Remind && flagged(v, schemas.RouteUnknown) },
		12: func(v verdict) bool { return v.Route.Local && !v.Route.Remind && flagged(v, schemas.RouteNotMember) },
		14: func(v verdict) bool {
			return v.Class == schemas.Class{Value: "一般", Derived: true} && v.Record.DishonestyClass == "" && v.Published
		},
		15: func(v verdict) bool { return !v.Published && v.Class == schemas.Class{Value: "轻微"} },
		16: func(v verdict) bool {
			return v.Record.DecisionNo == "津交法(罚)字〔2025〕第9016号" &&
				logged(v, schemas.FullWidth) == 1 && logged(v, schemas.Brackets) == 1
		},
		17: func(v verdict) bool { return v.Record.ValidUntil == "2099-12-31" },
		19: func(v verdict) bool {
			return slices.Equal(v.Record.PenaltyTypes, []string{"其他-通报批评"}) && logged(v, schemas.EnumAlias) == 1
		},
		20: func(v verdict) bool {
			return logged(v, schemas.EmptyMark) == 3 && v.Record.SubjectBizRegNo == "" && v.Record.Remark == ""
		},
	}
	n := 0
	in.submit(t, f, func(v verdict) {
		w := want[n]
		n++
		result, rest, _ := strings.Cut(strings.ReplaceAll(w.Want, ";", " "), " ")
		if v.result != result {
			t.Errorf("row %d (%s): %s %s, want %s: %v", w.Row, w.Why, v.result, v.Rule, w.Want, v.Findings)
			return
		}
		if result == "quarantined" && string(v.Rule) != rest {
			t.Errorf("row %d (%s): %s, want %s", w.Row, w.Why, v.Rule, rest)
		}
		if v.State == schemas.Accepted {
			roundTrip(t, in.kind, v)
		}
		if check := more[w.Row]; check != nil && !check(v) {
			t.Errorf("row %d (%s): want %s, got %+v %+v %v", w.Row, w.Why, w.Want, v.Route, v.Record, v.Normalisations)
		}
	})
	if n != 23 {
		t.Errorf("%d rows", n)
	}
}

// TestSameFileTwice sends a file again: accepted rows are duplicates, bad
// rows are known by their content.
func TestSameFileTwice(t *testing.T) {
	in, m := newIntake(t)
	items := make(map[string]int)
	count := make(map[string]int)
	for range 2 {
		in.submit(t, m.Files[0], func(v verdict) {
			count[v.result]++
			if v.result == "quarantined" {
				items[string(schemas.RowContent(v.row))]++
			}
		})
	}
	if count["accepted"] != 562 || count["duplicate"] != 2+564 || count["quarantined"] != 72 {
		t.Errorf("after the second time: %v", count)
	}
	for content, times := range items {
		if times%2 != 0 {
			t.Errorf("a bad row was not the same item: %q", content)
		}
	}
}

// TestCumulativeFile sends the rows of the year so far each month: 500 old
// ones and 40 new.
func TestCumulativeFile(t *testing.T) {
	in, m := newIntake(t)
	clean := m.Files[slices.IndexFunc(m.Files, func(f sampleFile) bool { return f.File == "tj-clean.csv" })]
	var rows []schemas.Row
	checker := in.kind.NewChecker(in.env(clean))
	reader, err := tabular.Open(open(t, clean.File), in.kind.Dictionary(), tabular.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for len(rows) < 540 {
		row, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	for month, size := range []int{500, 540} {
		count := make(map[string]int)
		for _, row := range rows[:size] {
			count[in.decide(checker, row).result]++
		}
		if want := []map[string]int{{"accepted": 500}, {"duplicate": 500, "accepted": 40}}[month]; !maps.Equal(count, want) {
			t.Errorf("month %d: %v, want %v", month+1, count, want)
		}
	}
}
