package ident

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

type vectors struct {
	USCCValid   []struct{ Code, Region string } `json:"uscc_valid"`
	USCCInvalid []struct{ Code, Why string }    `json:"uscc_invalid"`
	OrgCode     []vector                        `json:"org_code"`
	BizReg      []vector                        `json:"biz_reg_15"`
	Citizen     []vector                        `json:"citizen_id"`
	Synthetic   []string                        `json:"synthetic_firms"`
}

type vector struct {
	Code string
	OK   bool
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	raw, err := os.ReadFile("testdata/id_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUSCCVectors(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.USCCValid {
		if err := CheckUSCC(c.Code); err != nil {
			t.Errorf("%s: %v", c.Code, err)
		}
		if c.Region != "" && RegistrarRegion(c.Code) != c.Region {
			t.Errorf("%s: region %s, want %s", c.Code, RegistrarRegion(c.Code), c.Region)
		}
	}
	for _, code := range v.Synthetic {
		if err := errors.Join(CheckUSCC(code), CheckOrgCode(OrgCode(code))); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	for _, c := range v.USCCInvalid {
		// Two layers protect a code; one of them must refuse each vector.
		if CheckUSCC(c.Code) == nil && CheckOrgCode(OrgCode(c.Code)) == nil {
			t.Errorf("%s passes, although %s", c.Code, c.Why)
		}
	}
}

func TestInnerCodeCatchesWhatTheOuterMisses(t *testing.T) {
	const code = "91120000103061126G"
	if err := CheckUSCC(code); err != nil {
		t.Fatalf("outer check: %v", err)
	}
	if err := CheckOrgCode(OrgCode(code)); !errors.Is(err, ErrCheckChar) {
		t.Fatalf("inner check: %v, want %v", err, ErrCheckChar)
	}
}

func TestSentinelIsNoCode(t *testing.T) {
	if err := CheckUSCC(SentinelUSCC); !errors.Is(err, ErrSentinel) {
		t.Fatalf("got %v", err)
	}
}

func TestCodeVectors(t *testing.T) {
	v := readVectors(t)
	for _, set := range []struct {
		name    string
		vectors []vector
		check   func(string) error
	}{
		{"organisation code", v.OrgCode, CheckOrgCode},
		{"business registration", v.BizReg, CheckBizRegNo},
		{"citizen identity", v.Citizen, CheckIDCard},
	} {
		for _, c := range set.vectors {
			if err := set.check(c.Code); (err == nil) != c.OK {
				t.Errorf("%s %s: %v, want valid %v", set.name, c.Code, err, c.OK)
			}
		}
	}
}

func TestIDCardWantsARealBirthday(t *testing.T) {
	if err := CheckIDCard("110105194913310028"); err == nil {
		t.Fatal("month 13 passes")
	}
	if err := CheckIDCard("11010519491231002x"); !errors.Is(err, ErrCharset) {
		t.Fatalf("lower-case x: %v", err)
	}
}

func TestPlates(t *testing.T) {
	for _, plate := range []string{"京A12345", "津AD12345", "冀A1234挂", "晋A1234学", "京A1234警"} {
		if err := CheckPlate(plate); err != nil {
			t.Errorf("%s: %v", plate, err)
		}
	}
	for _, plate := range []string{"", "A12345", "京12345", "京A1234", "京A1234567", "京a12345", "龙A12345", "京A12-45", "\xff\xff"} {
		if CheckPlate(plate) == nil {
			t.Errorf("%q passes", plate)
		}
	}
	got := SplitPlates("冀B·12345 / 冀B1234挂")
	if len(got) != 2 || got[0] != "冀B12345" || got[1] != "冀B1234挂" {
		t.Errorf("tractor and trailer: %q", got)
	}
}

func TestDecisionNumbers(t *testing.T) {
	for in, want := range map[string]string{
		"津交执罚[2024]000099号":     "津交执罚〔2024〕000099号",
		"津交执罚（2024）000099号":     "津交执罚〔2024〕000099号",
		"津交法（罚）字［2025］第9016号":   "津交法(罚)字〔2025〕第9016号",
		"津交执罚【２０２４】１号":          "津交执罚〔2024〕1号",
		" 津交执罚 〔2024〕 000010 号": "津交执罚〔2024〕000010号",
		"津交执罚〔2024〕000001号":     "津交执罚〔2024〕000001号",
		"津交罚(2)字(2024)1号":       "津交罚(2)字〔2024〕1号",
	} {
		got := NormalDecisionNo(Compact(Fold(in)))
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
		if !DecisionNoForm(got) {
			t.Errorf("%s: unusual form", got)
		}
		if again := NormalDecisionNo(got); again != got {
			t.Errorf("%s is not a fixed point: %s", got, again)
		}
	}
	if DecisionNoForm("20240001") {
		t.Error("bare digits have the usual form")
	}
}

func TestRegions(t *testing.T) {
	for code, want := range map[string]string{"110108": "110000", "110302": "110000", "370100": "370000"} {
		if got, ok := Province(code); !ok || got != want {
			t.Errorf("%s: %s %v", code, got, ok)
		}
	}
	for _, code := range []string{"100000", "", "12", "990000", "1A0000"} {
		if _, ok := Province(code); ok {
			t.Errorf("%s is a region", code)
		}
	}
}

func TestVisibleShowsWhatTheClerkSaw(t *testing.T) {
	for in, want := range map[string]string{
		"\u200b91110000802100433B\u00a0": "91110000802100433B ",
		"'0123":                          "0123",
		"\t0123":                         "0123",
		`="0123"`:                        "0123",
		"\ufeff名称":                       "名称",
		"两\n行":                           "两\n行",
		"a\x00b":                         "ab",
	} {
		if got := Visible(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if Fold("９１ＭＡ（〔〕") != "91MA(〔〕" {
		t.Error("full-width forms")
	}
}

// FuzzIdent holds every function to two promises on any bytes: no panic, and
// normalising twice changes nothing more.
func FuzzIdent(f *testing.F) {
	for _, s := range []string{"91110000802100433B", "11010519491231002X", "津交法（罚）字[2025]第1号", "京A12345/京A1234挂", "\xff", `="1"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, check := range []func(string) error{CheckUSCC, CheckOrgCode, CheckIDCard, CheckBizRegNo, CheckPlate} {
			_ = check(s)
		}
		if once := Fold(s); Fold(once) != once {
			t.Errorf("Fold(%q) is not a fixed point", s)
		}
		if once := NormalDecisionNo(Compact(Fold(s))); NormalDecisionNo(once) != once {
			t.Errorf("NormalDecisionNo(%q) is not a fixed point", s)
		}
		for _, plate := range SplitPlates(s) {
			if plate == "" {
				t.Error("empty plate")
			}
		}
		if code := OrgCode(s); code != "" && len(code) != 9 {
			t.Errorf("OrgCode(%q) is %q", s, code)
		}
		Visible(s)
		Province(s)
	})
}
