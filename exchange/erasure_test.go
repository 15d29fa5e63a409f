package exchange

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	sampleOrder  = Order{Reason: ReasonRepaired, At: 1780000000, Now: true}
	sampleReport = Report{
		Records: []Ref{{Index: 7, ID: filled(0x33)}}, At: 1780000000,
		Scope: &ErasureScope{Node: "120000-1", Log: 4096, Backups: "2026-12-31"},
	}
)

func TestErasureVectors(t *testing.T) {
	order, err := ParseOrder(vector(t, "erasure.hex"))
	if err != nil || order != sampleOrder {
		t.Errorf("the order reads %+v, %v", order, err)
	}
	report, err := ParseReport(KindErasureStatement, vector(t, "erasure-statement.hex"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleReport, report); diff != "" {
		t.Error(diff)
	}
}

// A statement without a scope says less than one with it: neither passes for
// the other, and a list names each record once.
func TestAReportThatIsNotWhatItsKindSaysIsRefused(t *testing.T) {
	for name, change := range map[string]func(r *Report){
		"no scope":     func(r *Report) { r.Scope = nil },
		"no records":   func(r *Report) { r.Records = nil },
		"too many":     func(r *Report) { r.Records = make([]Ref, MaxErasures+1) },
		"twice":        func(r *Report) { r.Records = append(r.Records, r.Records[0]) },
		"no node":      func(r *Report) { r.Scope = &ErasureScope{Log: 1} },
		"not a date":   func(r *Report) { r.Scope = &ErasureScope{Node: "n", Backups: "2026-02-30"} },
		"before 1970":  func(r *Report) { r.At = -1 },
		"endless node": func(r *Report) { r.Scope = &ErasureScope{Node: strings.Repeat("n", 65)} },
	} {
		r := sampleReport
		change(&r)
		raw, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseReport(KindErasureStatement, raw)
		requireMalformed(t, name, err)
	}
	raw, err := sampleReport.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, err = ParseReport(KindStopped, raw)
	requireMalformed(t, "a scope in a word on serving", err)
	_, err = ParseOrder([]byte("\xa2\x01\x64gone\x02\x00"))
	requireMalformed(t, "a reason nobody knows", err)
}

// Only the origin of a record can order its end, and only of a record.
func TestWhoMayOrder(t *testing.T) {
	order := Header{Kind: KindErasure, Class: ClassFollowUp, Origin: testTianjin}
	if !order.IsOrder(&Header{Class: ClassRecord, Origin: testTianjin}) {
		t.Error("the origin may not")
	}
	for name, target := range map[string]Header{
		"another region's record": {Class: ClassRecord, Origin: testBeijing},
		"a statement":             {Class: ClassStatement, Origin: testTianjin},
		"a key":                   {Class: ClassGovernance, Origin: testTianjin},
	} {
		if order.IsOrder(&target) {
			t.Error(name)
		}
	}
}

func FuzzErasure(f *testing.F) {
	for _, name := range []string{"erasure.hex", "erasure-statement.hex"} {
		f.Add(vector(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if o, err := ParseOrder(raw); err == nil {
			if again, err := o.Marshal(); err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("read %x, written %x, %v", raw, again, err)
			}
		}
		for _, kind := range []string{KindStopped, KindErasureStatement} {
			if r, err := ParseReport(kind, raw); err == nil {
				if again, err := r.Marshal(); err != nil || !bytes.Equal(again, raw) {
					t.Fatalf("read %x, written %x, %v", raw, again, err)
				}
			}
		}
	})
}
