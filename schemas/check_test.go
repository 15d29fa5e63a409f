package schemas

import (
	"slices"
	"strings"
	"testing"
)

const (
	tianjin = "12120000000003025Y" // the authority and source of the tests
	firm    = "91130900MA0B23532F" // a firm registered in Hebei
)

// fakeRegisters hold one authority and one firm.
type fakeRegisters struct{}

func (fakeRegisters) Firm(uscc string) (Firm, bool) {
	if uscc != firm {
		return Firm{}, false
	}
	return Firm{USCC: firm, Name: "河北测试兴通物流有限公司", FormerNames: []string{"河北测试老名（集团）公司"}, HomeRegion: "130000"}, true
}

func (fakeRegisters) Authority(region, uscc string) (Authority, bool) {
	if region != "120000" || uscc != tianjin {
		return Authority{}, false
	}
	return Authority{USCC: tianjin, Name: "天津市交通运输综合行政执法总队", Region: region, ValidFrom: "2019-01-01"}, true
}

func testEnv() Env {
	return Env{
		Today: "2026-06-30", Region: "120000", Registers: fakeRegisters{},
		Members: map[string]bool{"110000": true, "120000": true, "130000": true, "140000": true},
		Sources: map[string]bool{tianjin: true},
	}
}

// goodRow is a row that is accepted without a finding. Changes are given as
// "FIELD=value"; a field may be given twice.
func goodRow(changes ...string) Row {
	fields := []string{
		"CF_XDR_MC=河北测试兴通物流有限公司", "CF_XDR_LB=法人及非法人组织", "CF_XDR_SHXYM=" + firm, "CF_FRDB=孙洋",
		"CF_WSH=津交执罚〔2026〕1号", "CF_WFXW=货运车辆总质量超限", "CF_WFSS=2026年6月20日超限运输",
		"CF_CFYJ=《超限运输车辆行驶公路管理规定》第四十三条", "CF_CFLB=罚款", "CF_NR=罚款人民币2000元", "CF_NR_FK=0.2",
		"CF_JDRQ=2026/06/24", "CF_YXQ=2099/12/31", "CF_CFJG=天津市交通运输综合行政执法总队", "CF_CFJGDM=" + tianjin,
		"CF_GSJZQ=2026/09/24", "CF_SJLY=天津市交通运输综合行政执法总队", "CF_SJLYDM=" + tianjin,
	}
	replaced := make(map[string]bool)
	for _, c := range changes {
		code, _, _ := strings.Cut(c, "=")
		if !replaced[code] {
			replaced[code] = true
			fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, code+"=") })
		}
		fields = append(fields, c)
	}
	row := Row{Number: 1, SheetRow: 2}
	for i, f := range fields {
		code, value, _ := strings.Cut(f, "=")
		if value != "" {
			row.Cells = append(row.Cells, Cell{Field: code, Column: code, Index: i, Value: value})
		}
	}
	return row
}

func check(row Row) Outcome {
	kind, _ := Default().Kind(PenaltyKind)
	return kind.NewChecker(testEnv()).Check(row)
}

func TestGoodRowHasNothingToSay(t *testing.T) {
	o := check(goodRow())
	if o.State != Accepted || len(o.Findings) != 0 || !o.Canonical || !o.Published {
		t.Fatalf("%+v", o)
	}
	if o.Route.Home != "130000" || o.Route.Local || !o.Route.Remind {
		t.Errorf("route %+v", o.Route)
	}
}

// TestRules gives each rule the dirt that it is there for. The rule named is
// the first that refuses; an empty one is an accepted row.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes []string
		rule    Code
	}{
		{"自然人 with a code", []string{"CF_XDR_LB=自然人"}, NaturalPersonCode},
		{"自然人 with the sentinel", []string{"CF_XDR_LB=自然人", "CF_XDR_SHXYM=00000000000000000X"}, NaturalPersonCode},
		{"自然人 with a document", []string{"CF_XDR_LB=自然人", "CF_XDR_SHXYM=", "CF_XDR_MC=测试某", "CF_XDR_ZJLX=身份证", "CF_XDR_ZJHM=11010519491231002X"}, ""},
		{"自然人 without a document", []string{"CF_XDR_LB=自然人", "CF_XDR_SHXYM="}, Required},
		{"document number fails its check", []string{"CF_XDR_LB=自然人", "CF_XDR_SHXYM=", "CF_XDR_ZJLX=居民身份证", "CF_XDR_ZJHM=110105194912310021"}, ""},
		{"19 characters are too long before they are wrong", []string{"CF_XDR_SHXYM=" + firm + "1"}, Length},
		{"name of 200 characters", []string{"CF_XDR_MC=" + strings.Repeat("测", 200), "CF_XDR_SHXYM=91130100MA9YYX018P"}, ""},
		{"name of 201 characters", []string{"CF_XDR_MC=" + strings.Repeat("测", 201)}, Length},
		{"a record of four-byte characters", []string{"CF_WFSS=" + strings.Repeat("𠀀", 5000), "CF_NR=罚款2000元" + strings.Repeat("𠀀", 3980), "CF_CFYJ=" + strings.Repeat("𠀀", 2000), "CF_WFXW=" + strings.Repeat("𠀀", 2000), "BZ=" + strings.Repeat("𠀀", 512), "CF_SJLY=" + strings.Repeat("𠀀", 200), "CF_CFJG=" + strings.Repeat("𠀀", 200), "CF_NR_ZKDX=" + strings.Repeat("𠀀", 200), "CF_FRDB=" + strings.Repeat("𠀀", 50), "CF_XDR_SHZZ=" + strings.Repeat("𠀀", 50), "CF_WSH=" + strings.Repeat("𠀀", 128)}, ""},
		{"more plates than a decision has", []string{"车牌号码=" + strings.Repeat("a/", 17)}, Length},
		{"a plate that is none", []string{"车牌号码=" + strings.Repeat("车", 33)}, Length},
		{"amount finer than a fen", []string{"CF_NR_FK=0.20000001"}, Length},
		{"no name", []string{"CF_XDR_MC="}, Required},
		{"placeholder for a mandatory field", []string{"CF_WSH=无"}, Required},
		{"nameless 个体工商户", []string{"CF_XDR_MC=/", "CF_XDR_LB=个体工商户", "CF_XDR_SHXYM=00000000000000000X"}, ""},
		{"firm without a code", []string{"CF_XDR_SHXYM="}, Required},
		{"no legal representative only warns", []string{"CF_FRDB="}, ""},
		{"吊销 without the licence", []string{"CF_CFLB=罚款;吊销许可证"}, Required},
		{"吊销 with the licence", []string{"CF_CFLB=罚款;吊销许可证", "CF_NR_ZKDX=道路运输经营许可证 120000000001"}, ""},
		{"criminal fine", []string{"CF_CFLB=罚金"}, Enum},
		{"traditional characters", []string{"CF_CFLB=罰款"}, Enum},
		{"one of two types unknown", []string{"CF_CFLB=警告，处罚"}, Enum},
		{"其他 without a name", []string{"CF_CFLB=其他-"}, Enum},
		{"category of the older form", []string{"CF_XDR_LB=法人及其他组织"}, ""},
		{"unknown class", []string{"失信程度=较重"}, Enum},
		{"wrong check character", []string{"CF_XDR_SHXYM=91130900MA0B23532E"}, USCCCheck},
		{"letter O for zero", []string{"CF_XDR_SHXYM=9113O900MA0B23532F"}, USCCCheck},
		{"sentinel of a firm", []string{"CF_XDR_SHXYM=00000000000000000X"}, USCCCheck},
		{"authority's code wrong", []string{"CF_CFJGDM=121200000000030250"}, USCCCheck},
		{"inner code wrong", []string{"CF_XDR_SHXYM=91120000103061126G"}, OrgCodeCheck},
		{"field 5 differs", []string{"CF_XDR_ZZJG=D2143569X"}, OrgCodeCheck},
		{"field 5 agrees, with a hyphen", []string{"CF_XDR_ZZJG=MA0B2353-2"}, ""},
		{"code as a number", []string{"CF_XDR_SHXYM=9.11309E+17"}, NumberPrecision},
		{"payment code as a number", []string{"缴款识别码=2.25516810098048E+19"}, NumberPrecision},
		{"no such month", []string{"CF_JDRQ=2026-13-01"}, DateFormat},
		{"no such day", []string{"CF_JDRQ=2026/02/30"}, DateFormat},
		{"two-digit year", []string{"CF_JDRQ=26/06/24"}, DateFormat},
		{"two-digit year without marks", []string{"CF_JDRQ=260624"}, DateFormat},
		{"before 1990", []string{"CF_JDRQ=1989/12/31"}, DateFormat},
		{"长期 is no decision date", []string{"CF_JDRQ=长期"}, DateFormat},
		{"decided tomorrow", []string{"CF_JDRQ=2026/07/01"}, DateFuture},
		{"served tomorrow", []string{"送达日期=2026/07/01"}, DateFuture},
		{"decided today", []string{"CF_JDRQ=2026/06/30"}, ""},
		{"served before decided", []string{"送达日期=2026/06/23"}, DateOrder},
		{"valid until before decided", []string{"CF_YXQ=2026/06/23"}, DateOrder},
		{"published until before decided", []string{"CF_GSJZQ=2026/06/23"}, DateOrder},
		{"fine without amount", []string{"CF_NR_FK="}, AmountMissing},
		{"fine of nothing", []string{"CF_NR_FK=0"}, AmountMissing},
		{"negative fine", []string{"CF_NR_FK=-0.2"}, AmountMissing},
		{"amount in words", []string{"CF_NR_FK=贰仟"}, AmountMissing},
		{"confiscation without amount", []string{"CF_CFLB=没收违法所得、罚款"}, AmountMissing},
		{"warning with a zero in the amount", []string{"CF_CFLB=警告", "CF_NR=警告", "CF_NR_FK=0.00"}, ""},
		{"元 for 万元", []string{"CF_NR_FK=2000"}, AmountUnit},
		{"元 written in the cell", []string{"CF_NR_FK=2000元"}, AmountUnit},
		{"万元 written in the cell", []string{"CF_NR_FK=0.2万元"}, ""},
		{"one fen off", []string{"CF_NR_FK=0.200001"}, AmountUnit},
		{"text without an amount", []string{"CF_NR=依法处罚"}, ""},
		{"own class bounds to a year", []string{"失信程度=一般", "CF_GSJZQ=2027/06/24"}, ""},
		{"a day more than a year", []string{"失信程度=一般", "CF_GSJZQ=2027/06/25"}, PublicationTooLong},
		{"three months for 轻微", []string{"失信程度=轻微", "CF_GSJZQ=2026/09/24"}, ""},
		{"a day more than three months", []string{"失信程度=轻微", "CF_GSJZQ=2026/09/25"}, PublicationTooLong},
		{"derived class has three years", []string{"CF_GSJZQ=2029/06/24"}, ""},
		{"and not a day more", []string{"CF_GSJZQ=2029/06/25"}, PublicationTooLong},
		{"the day before the new measure", []string{"失信程度=轻微", "CF_JDRQ=2026/03/31", "CF_GSJZQ=2029/03/31"}, ""},
		{"the day of the new measure", []string{"失信程度=轻微", "CF_JDRQ=2026/04/01", "CF_GSJZQ=2029/03/31"}, PublicationTooLong},
		{"长期 publication", []string{"CF_GSJZQ=长期"}, PublicationTooLong},
		{"unpublished 轻微", []string{"失信程度=轻微", "CF_GSJZQ="}, ""},
		{"unpublished 一般", []string{"失信程度=一般", "CF_GSJZQ="}, Required},
		{"another source", []string{"CF_SJLYDM=111100000000030173"}, SourceMismatch},
		{"source's name only warns", []string{"CF_SJLY=某单位"}, ""},
		{"authority of another region", []string{"CF_CFJGDM=111100000000030173"}, AuthorityUnknown},
		{"authority before its time", []string{"CF_JDRQ=2018/12/31", "CF_GSJZQ=2021/12/31"}, AuthorityUnknown},
		{"a 支队 under the authority's code", []string{"CF_CFJG=天津市交通运输综合行政执法总队第三支队"}, ""},
		{"another firm's name", []string{"CF_XDR_MC=山西测试鑫安货运有限公司"}, NameMismatch},
		{"former name, half-width brackets", []string{"CF_XDR_MC=河北测试老名(集团)公司"}, ""},
		{"unregistered firm", []string{"CF_XDR_SHXYM=91130100MA9YYX018P"}, ""},
	} {
		if o := check(goodRow(c.changes...)); o.Rule != c.rule {
			t.Errorf("%s: %q, want %q: %+v", c.name, o.Rule, c.rule, o.Findings)
		}
	}
}

// TestFirstRuleIsTheRule gives a row many faults: all are listed, and the
// first in the order of the rules names the row.
func TestFirstRuleIsTheRule(t *testing.T) {
	o := check(goodRow("CF_XDR_MC=山西测试鑫安货运有限公司", "CF_NR_FK=2000", "CF_JDRQ=2026/07/15", "CF_CFLB=罚款;罚金", "CF_WSH="))
	var rules []Code
	for _, f := range o.Findings {
		if !f.Warning {
			rules = append(rules, f.Rule)
		}
	}
	want := []Code{Required, Enum, DateFuture, AmountUnit, NameMismatch}
	if o.Rule != Required || !slices.Equal(rules, want) || o.Releasable || o.Record != nil {
		t.Errorf("%s %v, want %v", o.Rule, rules, want)
	}
}

func TestReleasableRowsKeepTheirRecord(t *testing.T) {
	for _, change := range []string{"CF_XDR_MC=山西测试鑫安货运有限公司", "CF_NR_FK=2000", "CF_GSJZQ=2031/01/01", "CF_XDR_ZZJG=D2143569X"} {
		o := check(goodRow(change))
		if o.State != Quarantined || !o.Releasable || o.Record == nil || o.Key.DecisionNo == "" {
			t.Errorf("%s: %s %v", change, o.Rule, o.Releasable)
		}
	}
	o := check(goodRow("CF_NR_FK=2000", "CF_JDRQ=2026/13/01"))
	if o.Releasable {
		t.Error("a row with a fault that is never released can be released")
	}
	if o.Key != check(goodRow()).Key {
		t.Error("a row that is refused for good does not name its decision")
	}
	if o := check(goodRow("CF_WSH=")); o.Key != (Key{}) {
		t.Errorf("a row without a number names the decision %q", o.Key.Bytes())
	}
}

// TestNormalisations changes one cell of a good row; the row stays accepted,
// the change is logged, and the record is that of the clean row.
func TestNormalisations(t *testing.T) {
	for _, c := range []struct {
		change string
		codes  []NormalisationCode
	}{
		{"CF_XDR_SHXYM=９１１３０９００ＭＡ０Ｂ２３５３２Ｆ", []NormalisationCode{FullWidth}},
		{"CF_XDR_SHXYM=91130900ma0b23532f", []NormalisationCode{Upper}},
		{"CF_XDR_SHXYM=\u200b91130900MA0B23532F\u00a0", []NormalisationCode{Invisible, Trim}},
		{`CF_XDR_SHXYM=="91130900MA0B23532F"`, []NormalisationCode{Invisible}},
		{"CF_XDR_SHXYM='91130900MA0B23532F", []NormalisationCode{Invisible}},
		{"CF_XDR_SHXYM=\t91130900MA0B23532F", []NormalisationCode{Invisible}},
		{"CF_XDR_MC=　河北测试兴通物流有限公司  ", []NormalisationCode{Trim}},
		{"CF_WSH=津交执罚（２０２６）１号", []NormalisationCode{FullWidth, Brackets}},
		{"CF_WSH=津交执罚 〔2026〕 1号", []NormalisationCode{Trim}},
		{"CF_JDRQ=2026-06-24", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026.6.24", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026年6月24日", []NormalisationCode{DateText}},
		{"CF_JDRQ=20260624", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026-06-24T00:00:00+08:00", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026/06/24 00:00:00", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026-06-23T16:00:00.000Z", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026-06-23T16:00:00+0000", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026年6月24日星期三", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026/6/24（周三） 下午 3:05", []NormalisationCode{FullWidth, DateText}},
		{"CF_JDRQ=二〇二六年六月二十四日", []NormalisationCode{DateText}},
		{"CF_JDRQ=2026年6月24号", []NormalisationCode{DateText}},
		{"CF_JDRQ=２０２６年６月２４日", []NormalisationCode{FullWidth, DateText}},
		{"CF_JDRQ=２０２６／０６／２４", []NormalisationCode{FullWidth}},
		{"CF_JDRQ=46197", []NormalisationCode{SerialDate}},
		{"CF_JDRQ=46197.5", []NormalisationCode{SerialDate}},
		{"CF_YXQ=长期", []NormalisationCode{EmptyMark}},
		{"CF_XDR_GSZC=/", []NormalisationCode{EmptyMark}},
		{"CF_XDR_SWDJ=暂无", []NormalisationCode{EmptyMark}},
		{"BZ=null", []NormalisationCode{EmptyMark}},
		{"BZ=／", []NormalisationCode{EmptyMark}},
		{"BZ=#N/A", []NormalisationCode{EmptyMark}},
		{"BZ=#DIV/0!", []NormalisationCode{EmptyMark}},
		{"CF_NR_FK=0.19999999999999998", []NormalisationCode{FloatTail}},
		{"CF_NR_FK=2.0000000000000001E-1", []NormalisationCode{FloatTail}},
		{"CF_NR_FK=０．２０", []NormalisationCode{FullWidth}},
		{"CF_NR_FK=0.2万元", []NormalisationCode{Trim}},
		{"CF_NR_FK=0.2万", []NormalisationCode{Trim}},
		{"CF_NR_WFFF=0", []NormalisationCode{EmptyMark}},
		{"操作=新建", []NormalisationCode{EnumAlias}},
	} {
		o, clean := check(goodRow(c.change)), check(goodRow())
		var codes []NormalisationCode
		for _, n := range o.Normalisations {
			codes = append(codes, n.Code)
		}
		if o.State != Accepted || !slices.Equal(codes, c.codes) || o.Canonical {
			t.Errorf("%q: %s %s, logged %v, want %v", c.change, o.State, o.Rule, codes, c.codes)
			continue
		}
		if string(o.Content) != string(clean.Content) {
			t.Errorf("%q: content differs from the clean row's", c.change)
		}
	}
}

func TestTypesOfPenalty(t *testing.T) {
	for in, want := range map[string]string{
		"警告;罚款":      "警告 罚款",
		"警告；罚款":      "警告 罚款",
		"警告、罚款":      "警告 罚款",
		"警告，罚款,通报批评": "警告 罚款 其他-通报批评",
		"罚款;":        "罚款",
		"罚款、没收违法所得、非法财物":   "罚款 没收违法所得 没收非法财物",
		"限制开展生产经营活动;罚款":    "其他-限制开展生产经营活动 罚款",
		"其它—责令改正":          "其他-责令改正",
		"降低资质等级、责令关闭、限制从业": "其他-降低资质等级 其他-责令关闭 其他-限制从业",
		"罚款;罚款":            "罚款",
	} {
		o := check(goodRow("CF_CFLB="+in, "CF_NR_WFFF=0.05", "CF_NR=罚款2000元，没收500元"))
		if o.Record == nil || strings.Join(o.Record.PenaltyTypes, " ") != want {
			t.Errorf("%s: %s %+v", in, o.Rule, o.Record)
		}
	}
	// The two columns of the older form make one value.
	o := check(goodRow("CF_CFLB=警告", "CF_CFLB=罚款"))
	if o.Record == nil || len(o.Record.PenaltyTypes) != 2 {
		t.Errorf("类别1 and 类别2: %+v", o.Findings)
	}
}

// TestDriverAndFirmUnderOneNumber keeps the two apart, and two drivers too.
func TestDriverAndFirmUnderOneNumber(t *testing.T) {
	driver := func(id string) []byte {
		return check(goodRow("CF_XDR_LB=自然人", "CF_XDR_SHXYM=", "CF_XDR_MC=测试某", "CF_XDR_ZJLX=身份证", "CF_XDR_ZJHM="+id)).Key.Bytes()
	}
	keys := []string{string(check(goodRow()).Key.Bytes()), string(driver("11010519491231002X")), string(driver("110105194912310038"))}
	if slices.Sort(keys); len(slices.Compact(keys)) != 3 {
		t.Error("two of three subjects have one key")
	}
}

func TestTractorAndTrailer(t *testing.T) {
	o := check(goodRow("车牌号码=冀B12345/冀b1234挂", "车牌颜色=黄/黄"))
	if o.Record == nil || !slices.Equal(o.Record.Plates, []Plate{{"冀B12345", "黄色"}, {"冀B1234挂", "黄色"}}) {
		t.Errorf("%+v %v", o.Record, o.Findings)
	}
	if o := check(goodRow("车牌号码=没有")); !hasFinding(o, PlateForm) || o.State != Accepted {
		t.Errorf("%s %v", o.Rule, o.Findings)
	}
}

func hasFinding(o Outcome, rule Code) bool {
	return slices.ContainsFunc(o.Findings, func(f Finding) bool { return f.Rule == rule })
}

func TestWarningsRefuseNothing(t *testing.T) {
	for change, rule := range map[string]Code{
		"CF_CFYJ=道路运输条例":              BasisForm,
		"CF_WSH=20260001":             DecisionNoForm,
		"CF_NR=依法处罚":                  AmountUnread,
		"BZ=联系电话13800138000":          PIIInText,
		"CF_JDRQ=2026/06/18":          Late,
		"CF_FRDB=":                    Required,
		"CF_SJLY=某单位":                 SourceMismatch,
		"CF_XDR_GSZC=110108000000017": BizRegCheck,
	} {
		o := check(goodRow(change))
		if o.State != Accepted || !hasFinding(o, rule) {
			t.Errorf("%s: %s, findings %v, want the warning %s", change, o.State, o.Findings, rule)
		}
	}
	if o := check(goodRow("CF_JDRQ=2026/06/19")); hasFinding(o, Late) {
		t.Error("seven working days are in time")
	}
}

// TestPersonalDataStays looks for a person's numbers and names in what leaves
// and in what is shown.
func TestPersonalDataStays(t *testing.T) {
	const id, phone = "11010519491231002X", "13800138000"
	o := check(goodRow("CF_FR_ZJLX=身份证", "CF_FR_ZJHM="+id, "CF_WFSS=驾驶员身份证号"+id+"，电话"+phone+"。", "BZ=电话 "+phone))
	raw, err := o.Record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if s := string(raw); strings.Contains(s, id) || strings.Contains(s, phone) {
		t.Error("a personal number is in the shared record")
	}
	if !strings.Contains(string(o.Content), id) {
		t.Error("the comparison must see what was sent")
	}
	bad := check(goodRow("CF_XDR_LB=自然人", "CF_XDR_SHXYM=", "CF_XDR_MC="+strings.Repeat("李", 201), "CF_XDR_ZJLX=身份证", "CF_XDR_ZJHM=110105194912310021", "CF_FRDB="+strings.Repeat("王", 51)))
	for _, f := range append(bad.Findings, o.Findings...) {
		view := f.In("zh")
		if s := view.Value + view.Message + view.Hint; strings.Contains(s, "李李") || strings.Contains(s, "王王") || strings.Contains(s, "19491231") || strings.Contains(s, phone) {
			t.Errorf("%s shows personal data: %s", f.Rule, view.Value)
		}
	}
}

func TestFindingsAreTold(t *testing.T) {
	o := check(goodRow("CF_NR_FK=2000"))
	zh, en := o.Findings[0].In("zh"), o.Findings[0].In("en")
	if zh.Rule != AmountUnit || zh.Row != 1 || zh.Field != "CF_NR_FK" || !strings.HasSuffix(zh.Cell, "2") || zh.Value != "2000" {
		t.Errorf("%+v", zh)
	}
	if !strings.Contains(zh.Hint, "0.2") || !strings.Contains(en.Hint, "0.2") || zh.Message == en.Message {
		t.Errorf("hints: %q %q", zh.Hint, en.Hint)
	}
	for code, r := range rules {
		if r.message.ZH == "" || r.message.EN == "" || (r.hint.ZH == "") != (r.hint.EN == "") {
			t.Errorf("%s is not told in both languages", code)
		}
	}
}

func TestConflictNamesTheFields(t *testing.T) {
	a, b := check(goodRow()), check(goodRow("CF_NR_FK=0.3", "CF_NR=罚款3000元", "BZ=改", "CF_SJLY=某单位"))
	fields, err := DiffContent(a.Content, b.Content)
	if err != nil || !slices.Equal(fields, []string{"CF_NR", "CF_NR_FK"}) {
		t.Fatalf("%v %v", fields, err)
	}
	if f := NewConflict(goodRow(), "rec-1", fields); !strings.Contains(f.Message.ZH, "处罚内容、罚款金额") || !strings.Contains(f.Hint.ZH, "更正") {
		t.Errorf("%+v", f)
	}
	if _, err := DiffContent(a.Content, Content("x")); err == nil {
		t.Error("malformed content was compared")
	}
}

// Of two records the same fields are named as of the contents that they were made
// of, but for what is in no record.
func TestRecordsDifferWhereTheirContentsDo(t *testing.T) {
	kind, _ := Default().Kind("administrative-penalty")
	plain := check(goodRow())
	for _, change := range [][]string{
		nil, {"CF_NR_FK=0.3", "CF_NR=罚款3000元"}, {"CF_JDRQ=2026-06-23"}, {"CF_FRDB=另一人"}, {"CF_XDR_GSZC=110000000000001"},
		{"BZ=改", "CF_SJLY=某单位"}, {"CF_CFLB=警告;罚款"},
	} {
		other := check(goodRow(change...))
		if other.State != Accepted {
			t.Fatalf("%v: %+v", change, other.Findings)
		}
		want, err := DiffContent(plain.Content, other.Content)
		if got := kind.DiffRecords(plain.Record, other.Record); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: records differ in %v, contents in %v, %v", change, got, want, err)
		}
	}
	masked := check(goodRow("CF_FR_ZJLX=身份证", "CF_FR_ZJHM=11010119900307001X"))
	unmasked := check(goodRow("CF_FR_ZJLX=身份证"))
	if got := kind.DiffRecords(masked.Record, unmasked.Record); got != nil {
		t.Errorf("a number that is in no record differs: %v", got)
	}
}

// TestOldForm sends rows of a form that lacks columns: they are not refused
// for what their form can't say, and nothing is guessed.
func TestOldForm(t *testing.T) {
	row := goodRow("CF_XDR_LB=", "CF_WFXW=", "CF_SJLYDM=", "CF_CFJGDM=")
	row.Lacks = []string{"CF_XDR_LB", "CF_WFXW", "CF_SJLYDM", "CF_CFJGDM"}
	o := check(row)
	if o.State != Accepted || o.Record.SourceUSCC != tianjin || o.Record.AuthorityUSCC != tianjin || o.Record.SubjectCategory != legalPerson {
		t.Errorf("%s %+v %+v", o.Rule, o.Record, o.Findings)
	}
	row = goodRow("CF_CFJGDM=", "CF_CFJG=某市某局")
	row.Lacks = []string{"CF_CFJGDM"}
	if o := check(row); o.Rule != Required {
		t.Errorf("an authority was guessed: %s %+v", o.Rule, o.Record)
	}
}

func TestColumnInYuanIsToldOnce(t *testing.T) {
	kind, _ := Default().Kind(PenaltyKind)
	checker := kind.NewChecker(testEnv())
	for range 5 {
		if o := checker.Check(goodRow("CF_NR_FK=2000")); o.Rule != AmountUnit {
			t.Fatal(o.Rule)
		}
	}
	if found := checker.Finish(); len(found) != 1 || found[0].Rule != ColumnInYuan {
		t.Errorf("%v", found)
	}
	checker.Check(goodRow())
	if len(checker.Finish()) != 0 {
		t.Error("one right amount shows that the column is in 万元")
	}
}
