package register

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// TestFirms reads a register as a region keeps it: Chinese or English header,
// optional columns, and rows that are refused one by one.
func TestFirms(t *testing.T) {
	file := "统一社会信用代码,企业名称,所在地区,曾用名\n" +
		"91130900MA0B23532F,河北测试兴通物流有限公司,130000,河北测试老名公司；河北测试更老名公司\n" +
		"91110101maa104330n, 北京测试公司 ,110101,\n" +
		"91130900MA0B23532E,代码错误,130000,\n" +
		"91120000103061126G,内码错误,120000,\n" +
		",没有代码,130000,\n" +
		"91120101MA60013346,,120000,\n" +
		"91120101MA60013346,地区错误,100000,\n" +
		"91120101MA60013346," + strings.Repeat("长", 201) + ",120000,\n"
	firms := make(map[string]schemas.Firm)
	result, err := ReadFirms(strings.NewReader(file), func(f schemas.Firm) error {
		firms[f.USCC] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Rows != 8 || result.Accepted != 2 {
		t.Errorf("%d of %d rows accepted", result.Accepted, result.Rows)
	}
	var rules []schemas.Code
	for _, f := range result.Findings {
		rules = append(rules, f.Rule)
	}
	want := []schemas.Code{schemas.USCCCheck, schemas.USCCCheck, schemas.Required, schemas.Required, schemas.Enum, schemas.Length}
	if !slices.Equal(rules, want) {
		t.Errorf("%v, want %v", rules, want)
	}
	if f := firms["91130900MA0B23532F"]; len(f.FormerNames) != 2 || f.HomeRegion != "130000" {
		t.Errorf("%+v", f)
	}
	if f := firms["91110101MAA104330N"]; f.Name != "北京测试公司" || f.HomeRegion != "110000" {
		t.Errorf("%+v", f)
	}
}

func TestAuthorities(t *testing.T) {
	const file = "region,name,uscc,aliases,parent,valid_from,valid_to\n" +
		"120000,天津市交通运输综合行政执法总队,12120000000003025Y,第一支队;第二支队,111100000000030173,2019/1/1,\n" +
		"120000,先终后始,12120000000003025Y,,,2020-01-01,2019-01-01\n" +
		"120000,日期错误,12120000000003025Y,,,19/1/1,\n"
	var a schemas.Authority
	result, err := ReadAuthorities(strings.NewReader(file), func(each schemas.Authority) error {
		a = each
		return nil
	})
	if err != nil || result.Accepted != 1 || len(result.Findings) != 2 {
		t.Fatalf("%+v %v", result, err)
	}
	if a.USCC != "12120000000003025Y" || a.Region != "120000" || len(a.Aliases) != 2 || a.Parent == "" || a.ValidFrom != "2019-01-01" || a.ValidTo != "" {
		t.Errorf("%+v", a)
	}
}

func TestSources(t *testing.T) {
	file := "统一社会信用代码,来源单位名称,信息类别,更新周期（天）\n" +
		"11120000000125671D,某总队,administrative-penalty,7\n" +
		"11120000000186458B,某委,administrative-penalty,0\n" +
		"11120000000186458B,某委,administrative-penalty,每周\n" +
		"11120000000186458B,某委,weather,7\n" +
		"11120000000186458C,某委,administrative-penalty,7\n"
	var plan []schemas.SourcePlan
	result, err := ReadSources(strings.NewReader(file), func(s schemas.SourcePlan) error {
		plan = append(plan, s)
		return nil
	})
	want := schemas.SourcePlan{USCC: "11120000000125671D", Name: "某总队", Kind: "administrative-penalty", EveryDays: 7}
	if err != nil || result.Rows != 5 || len(result.Findings) != 4 || !slices.Equal(plan, []schemas.SourcePlan{want}) {
		t.Errorf("%+v of %d rows, findings %+v, %v", plan, result.Rows, result.Findings, err)
	}
}

func TestRegisterFilesAreLimited(t *testing.T) {
	var e *tabular.Error
	if _, err := ReadFirms(strings.NewReader("a,b,c\n1,2,3\n"), nil); !errors.As(err, &e) || e.Code != "UNKNOWN_HEADER" {
		t.Errorf("%v", err)
	}
	full := errors.New("disk full")
	_, err := ReadFirms(strings.NewReader("uscc,name,home_region\n91130900MA0B23532F,甲,130000\n"), func(schemas.Firm) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

func FuzzReadFirms(f *testing.F) {
	f.Add([]byte("uscc,name,home_region\n91130900MA0B23532F,甲,130000\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		result, err := ReadFirms(strings.NewReader(string(raw)), func(firm schemas.Firm) error {
			if len(firm.USCC) != 18 || firm.Name == "" || len(firm.HomeRegion) != 6 {
				t.Errorf("%+v", firm)
			}
			return nil
		})
		if err == nil && result.Accepted > result.Rows {
			t.Error("more accepted than read")
		}
	})
}
