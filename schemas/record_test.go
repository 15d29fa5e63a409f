package schemas

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/xinqiao/creditgw/schemas/detcbor"
)

func kindForTest() *Kind {
	k, _ := Default().Kind(PenaltyKind)
	return k
}

func goodRecord(t testing.TB) []byte {
	t.Helper()
	raw, err := check(goodRow("车牌号码=冀B12345", "车牌颜色=黄色")).Record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestRecordVector holds the canonical bytes of one record to those published
// with docs/formats/record.md: they are signed and can never change.
func TestRecordVector(t *testing.T) {
	want, err := os.ReadFile("testdata/record.hex")
	if err != nil {
		t.Fatal(err)
	}
	raw := goodRecord(t)
	if got := hex.EncodeToString(raw); got != strings.TrimSpace(string(want)) {
		t.Errorf("the record's bytes have changed:\n%s", got)
	}
	page, err := os.ReadFile("../docs/formats/record.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.ReplaceAll(string(page), "\n", ""), strings.TrimSpace(string(want))) {
		t.Error("the page has another vector")
	}
	if err := kindForTest().Validate(raw); err != nil {
		t.Error(err)
	}
}

// TestSecondSpellingsAreRefused re-encodes a record in ways that mean the
// same and must not pass.
func TestSecondSpellingsAreRefused(t *testing.T) {
	raw := goodRecord(t)
	var m map[string]any
	if err := cbor.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	with := func(key string, value any) []byte {
		n := map[string]any{}
		for k, v := range m {
			n[k] = v
		}
		n[key] = value
		out, err := detcbor.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	// The shortest key, v, comes first; here it comes last.
	first := []byte("\x61v\x01")
	otherOrder := append(append(bytes.Clone(raw[:2]), raw[2+len(first):]...), first...)
	longInteger := bytes.Replace(raw, first, []byte("\x61v\x18\x01"), 1)
	indefinite := append(append([]byte{0xbf}, raw[2:]...), 0xff)
	for name, record := range map[string][]byte{
		"keys in another order": otherOrder,
		"longer integer":        longInteger,
		"indefinite map":        indefinite,
		"trailing byte":         append(bytes.Clone(raw), 0),
		"unknown key":           with("subject_id_no", "11010519491231002X"),
		"empty optional text":   with("remark", ""),
		"wrong type":            with("fine_fen", "2000"),
		"float for integer":     with("fine_fen", 200000.0),
		"tagged":                append([]byte{0xc1}, raw...),
		"empty":                 nil,
		"not a map":             {0x80},
		"too large":             with("violation_facts", strings.Repeat("x", maxRecord)),
	} {
		if _, err := DecodePenalty(record); err == nil {
			t.Errorf("%s: decoded", name)
		}
		if err := kindForTest().Validate(record); err == nil {
			t.Errorf("%s: valid", name)
		}
	}
}

func TestSchemaErrorsNameThePlaceOnly(t *testing.T) {
	p := check(goodRow()).Record
	p.DishonestyClass = "机密"
	raw, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	err = kindForTest().Validate(raw)
	if !errors.Is(err, ErrRecordSchema) || !strings.Contains(err.Error(), "/dishonesty_class") || strings.Contains(err.Error(), "机密") {
		t.Errorf("%v", err)
	}
}

func TestRowsSurviveQuarantine(t *testing.T) {
	row := goodRow("BZ= '=1+1")
	raw, err := EncodeRow(row)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeRow(raw)
	if err != nil || back.Number != row.Number || len(back.Cells) != len(row.Cells) || !bytes.Equal(RowContent(back), RowContent(row)) {
		t.Errorf("%+v %v", back, err)
	}
	moved := row
	moved.Number, moved.SheetRow = 7, 9
	if !bytes.Equal(RowContent(moved), RowContent(row)) {
		t.Error("a row's place is part of its content")
	}
}

// TestDerivedClass is the table of the pack, and keeps the agency's word.
func TestDerivedClass(t *testing.T) {
	for _, c := range []struct {
		p    Penalty
		want string
	}{
		{Penalty{PenaltyTypes: []string{"警告"}}, "轻微"},
		{Penalty{PenaltyTypes: []string{"其他-通报批评", "警告"}}, "轻微"},
		{Penalty{PenaltyTypes: []string{"警告", "罚款"}}, "一般"},
		{Penalty{PenaltyTypes: []string{"罚款"}, Remark: "当场处罚"}, "轻微"},
		{Penalty{PenaltyTypes: []string{"罚款"}, PenaltyContent: "适用简易程序，罚款200元"}, "轻微"},
		{Penalty{PenaltyTypes: []string{"暂扣或者吊销许可证"}, PenaltyContent: "暂扣道路运输证"}, "一般"},
		{Penalty{PenaltyTypes: []string{"暂扣或者吊销许可证"}, PenaltyContent: "吊销道路运输经营许可证"}, "严重"},
		{Penalty{PenaltyTypes: []string{"其他-限制从业"}}, "严重"},
		{Penalty{PenaltyTypes: []string{"罚款"}, FineFen: 100_000_000}, "严重"},
	} {
		c.p.DecisionDate = "2026-06-01"
		if got := DeriveClass(&c.p); got != (Class{Value: c.want, Derived: true}) {
			t.Errorf("%+v: %+v, want %s", c.p, got, c.want)
		}
		c.p.DishonestyClass = "一般"
		if got := DeriveClass(&c.p); got.Derived || got.Value != "一般" {
			t.Errorf("the agency's own word was overruled: %+v", got)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	checker, row := kindForTest().NewChecker(testEnv()), goodRow()
	b.ReportAllocs()
	for b.Loop() {
		if o := checker.Check(row); o.State != Accepted {
			b.Fatal(o.Rule)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	p := check(goodRow()).Record
	for b.Loop() {
		if _, err := p.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	raw := goodRecord(b)
	for b.Loop() {
		if _, err := DecodePenalty(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkValidate is what a recipient pays for each record it opens.
func BenchmarkValidate(b *testing.B) {
	raw, kind := goodRecord(b), kindForTest()
	for b.Loop() {
		if err := kind.Validate(raw); err != nil {
			b.Fatal(err)
		}
	}
}
