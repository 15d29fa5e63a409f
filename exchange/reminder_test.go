package exchange

import (
	"strings"
	"testing"
)

func TestReminderReadsInTwoLanguages(t *testing.T) {
	fine := int64(123456)
	r := Reminder{
		Op: OpNew, SubjectName: "某运输有限公司", Authority: "某总队", DecisionNo: "〔2024〕1号", Violation: "超限运输",
		Plate: "津A12345", FineFen: &fine, Pay: &PayHint{Code: "120100"}, Publication: &Public{Published: true, Until: "2025-11-01"},
	}
	zh, en := r.In("fr"), r.In("en")
	if zh.Lang != "zh" || zh.DueText != "自收到之日起15日内" || en.Lang != "en" || r.Lang != "" {
		t.Errorf("languages are %q and %q", zh.Lang, en.Lang)
	}
	for _, said := range []string{"某运输有限公司", "某总队", "〔2024〕1号", "超限运输", "津A12345", "1234.56", "120100", "2025-11-01"} {
		if !strings.Contains(zh.Text, said) || !strings.Contains(en.Text, said) {
			t.Errorf("%s is missing in %q or %q", said, zh.Text, en.Text)
		}
	}

	// A warning has no fine: nothing is said of paying.
	warning := Reminder{Op: OpNew, SubjectName: "某公司", Authority: "某总队", DecisionNo: "1"}.In("zh")
	if strings.Contains(warning.Text, "罚款") || strings.Contains(warning.Text, "缴") || strings.Contains(warning.Text, "公示") {
		t.Errorf("a warning reads %q", warning.Text)
	}
	if cancelled := (Reminder{Op: OpCancel}).In("zh"); cancelled.DueText != "" || cancelled.Title == "" {
		t.Errorf("a cancellation reads %+v", cancelled)
	}
}

func TestYuan(t *testing.T) {
	for fen, want := range map[int64]string{1: "0.01", 100: "1", 199: "1.99", 200000: "2000", 1234507: "12345.07"} {
		if got := yuan(fen); got != want {
			t.Errorf("%d fen are %s, want %s", fen, got, want)
		}
	}
}
