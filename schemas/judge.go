package schemas

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/schemas/ident"
)

// Categories of 行政相对人, of which one decides what else is mandatory.
const (
	legalPerson        = "法人及非法人组织"
	naturalPerson      = "自然人"
	individualBusiness = "个体工商户"
)

// fillOldForm gives a row of the form of before 2018 what the missing columns
// would have said, where nothing has to be guessed: the only permitted source,
// the authority that source is, and the category told by the code itself.
func (j *judged) fillOldForm() {
	for _, code := range j.row.Lacks {
		v := j.at(code)
		if v.text != "" {
			continue
		}
		switch code {
		case "CF_SJLYDM":
			if len(j.env.Sources) == 1 {
				for source := range j.env.Sources {
					v.text = source
				}
			}
		case "CF_XDR_LB":
			v.text = categoryOf(j.text("CF_XDR_SHXYM"), j.text("CF_XDR_ZJHM"))
		}
	}
	if v := j.at("CF_CFJGDM"); v.text == "" && slices.Contains(j.row.Lacks, v.field.Code) && j.env.Registers != nil {
		source := j.text("CF_SJLYDM")
		a, ok := j.env.Registers.Authority(j.env.Region, source)
		if ok && a.named(j.text("CF_CFJG")) {
			v.text = source
		}
	}
}

// categoryOf tells the category from a code: GB 32100 gives individual
// businesses the letters 92.
func categoryOf(uscc, idNo string) string {
	switch {
	case strings.HasPrefix(uscc, "92"), uscc == ident.SentinelUSCC:
		return individualBusiness
	case uscc != "":
		return legalPerson
	case idNo != "":
		return naturalPerson
	}
	return ""
}

// judgeFields applies the rules of the family 字段设置.
func (j *judged) judgeFields() {
	category := j.text("CF_XDR_LB")
	if name := j.at("CF_XDR_MC"); name.text == "" && category == individualBusiness {
		name.text = individualBusiness
	}
	uscc := j.at("CF_XDR_SHXYM")
	if category == naturalPerson && uscc.text != "" {
		j.find(NaturalPersonCode, uscc)
	}
	for i := range j.values {
		v := &j.values[i]
		if v.spoilt || v.text == "" || v.field.Max == 0 || v.field.Type == DateType {
			continue
		}
		if n := utf8.RuneCountInString(v.text); n > v.field.Max {
			f := j.find(Length, v)
			f.Message = Text{
				fmt.Sprintf("%s 有 %d 个字符，最多 %d 个", v.field.Name.ZH, n, v.field.Max),
				fmt.Sprintf("%s has %d characters, at most %d are allowed", v.field.Name.EN, n, v.field.Max),
			}
		}
	}
	j.judgeSize()
	for i := range j.values {
		v := &j.values[i]
		if v.field.Required && v.field.Code != "CF_GSJZQ" {
			j.require(v)
		}
	}
	switch category {
	case legalPerson, individualBusiness:
		j.require(uscc)
	case naturalPerson:
		j.require(j.at("CF_XDR_ZJLX"))
		j.require(j.at("CF_XDR_ZJHM"))
	}
	if slices.Contains(j.types, "暂扣或者吊销许可证") || slices.Contains(j.types, "暂扣或者吊销执照") {
		j.require(j.at("CF_NR_ZKDX"))
	}
	if category != naturalPerson && category != "" && j.text("CF_FRDB") == "" {
		j.miss(j.at("CF_FRDB")).Warning = true
	}
	if j.text("CF_FR_ZJHM") != "" && j.text("CF_FR_ZJLX") == "" && !j.at("CF_FR_ZJLX").spoilt {
		j.miss(j.at("CF_FR_ZJLX")).Warning = true
	}
}

// judgeSize refuses a row whose texts, each within its length, make a record
// too large together, as four-byte characters throughout would.
func (j *judged) judgeSize() {
	const names = 2 << 10 // room for keys, dates and numbers
	size, longest := names, &j.values[0]
	for i := range j.values {
		v := &j.values[i]
		if size += len(v.text); len(v.text) > len(longest.text) {
			longest = v
		}
	}
	if size > maxRecord {
		j.find(Length, longest)
	}
}

// coreFields make a record what it is; without them a row is refused even if
// its form of earlier years has no such column.
var coreFields = []string{"CF_XDR_MC", "CF_XDR_LB", "CF_WSH", "CF_CFLB", "CF_JDRQ", "CF_CFJG", "CF_CFJGDM", "CF_SJLYDM"}

// require finds a mandatory field empty. A column that the form of an earlier
// year lacks is told once for the file.
func (j *judged) require(v *value) {
	if v.text != "" || v.spoilt {
		return
	}
	if slices.Contains(j.row.Lacks, v.field.Code) && !slices.Contains(coreFields, v.field.Code) {
		return
	}
	j.miss(v)
}

func (j *judged) miss(v *value) *Finding {
	f := j.find(Required, v)
	f.Message = Text{v.field.Name.ZH + " 为空", v.field.Name.EN + " is empty"}
	return f
}

// judgeCodes checks the codes whose characters can be checked.
func (j *judged) judgeCodes() {
	j.judgeSubjectCode()
	for _, code := range []string{"CF_CFJGDM", "CF_SJLYDM"} {
		if v := j.at(code); v.text != "" && !v.spoilt && ident.CheckUSCC(v.text) != nil {
			v.spoilt = true
			j.findUSCC(v)
		}
	}
	for _, pair := range [][2]string{{"CF_FR_ZJLX", "CF_FR_ZJHM"}, {"CF_XDR_ZJLX", "CF_XDR_ZJHM"}} {
		if v := j.at(pair[1]); j.text(pair[0]) == "身份证" && v.text != "" && !v.spoilt && ident.CheckIDCard(v.text) != nil {
			j.find(IDCardCheck, v)
		}
	}
	if v := j.at("CF_XDR_GSZC"); len(v.text) == 15 && !v.spoilt && ident.CheckBizRegNo(v.text) != nil {
		j.find(BizRegCheck, v)
	}
}

func (j *judged) judgeSubjectCode() {
	uscc, org := j.at("CF_XDR_SHXYM"), j.at("CF_XDR_ZZJG")
	sentinel := uscc.text == ident.SentinelUSCC
	judgeable := false
	switch {
	case uscc.text == "" || uscc.spoilt || j.text("CF_XDR_LB") == naturalPerson:
	case sentinel && j.text("CF_XDR_LB") == individualBusiness:
	case sentinel || ident.CheckUSCC(uscc.text) != nil:
		j.findUSCC(uscc)
	default:
		judgeable = true
		if ident.CheckOrgCode(ident.OrgCode(uscc.text)) != nil {
			j.find(OrgCodeCheck, uscc)
		}
	}
	switch {
	case org.text == "" || org.spoilt:
	case judgeable && org.text != ident.OrgCode(uscc.text):
		f := j.find(OrgCodeCheck, org)
		f.Message = Text{"组织机构代码与统一社会信用代码第9至17位不一致", "differs from characters 9 to 17 of the unified social credit code"}
	case !judgeable && ident.CheckOrgCode(org.text) != nil:
		j.find(OrgCodeCheck, org)
	}
}

func (j *judged) findUSCC(v *value) {
	f := j.find(USCCCheck, v)
	switch {
	case v.text == ident.SentinelUSCC:
		f.Message = Text{"全零代码只可用于没有统一社会信用代码的个体工商户", "the all-zero code is for individual businesses without a code only"}
		f.Hint = Text{"请填写营业执照上的统一社会信用代码", "give the code on the licence"}
	case ident.Lookalikes(v.text):
		f.Hint = Text{"代码不使用字母 I、O、S、V、Z，可能把数字 1、0、5、2 写成了字母，请对照营业执照", "the code never has I, O, S, V or Z: a 1, 0, 5 or 2 may have been typed as a letter"}
	}
}

// judgeDates applies DATE_FUTURE and DATE_ORDER, and LATE.
func (j *judged) judgeDates() {
	decided, served := j.at("CF_JDRQ"), j.at("送达日期")
	for _, v := range []*value{decided, served} {
		if v.date != "" && v.date > j.env.Today {
			j.find(DateFuture, v)
		}
	}
	if decided.date == "" {
		return
	}
	for _, v := range []*value{j.at("CF_YXQ"), j.at("CF_GSJZQ"), served} {
		if v.date != "" && v.date < decided.date {
			j.find(DateOrder, v)
		}
	}
	pack, ok := inForce(j.kind.reporting, decided.date)
	if ok && decided.date.weekdaysUntil(j.env.Today) > pack.WorkingDays {
		j.find(Late, decided)
	}
}

// judgePublication bounds the time of publication by the pack in force on the
// day of the decision, and lets only some classes do without.
func (j *judged) judgePublication() {
	until, decided := j.at("CF_GSJZQ"), j.at("CF_JDRQ").date
	pack, ok := inForce(j.kind.publication, decided)
	if decided == "" || !ok {
		j.require(until)
		return
	}
	if until.date == "" {
		if !slices.Contains(pack.MayBeUnpublished, j.out.Class.Value) {
			j.require(until)
		}
		return
	}
	last, ok := pack.last(decided, j.out.Class)
	if ok && until.date > last {
		f := j.find(PublicationTooLong, until)
		f.Hint = Text{
			"失信程度按“" + j.out.Class.Value + "”，最晚公示至 " + strings.ReplaceAll(string(last), "-", "/"),
			"the last day allowed is " + string(last),
		}
	}
}

// judgeForms gives the warnings about the form of texts.
func (j *judged) judgeForms(record *Penalty) {
	if v := j.at("CF_CFYJ"); v.text != "" && !basisForm(v.text) {
		j.find(BasisForm, v)
	}
	if v := j.at("CF_WSH"); v.text != "" && !v.spoilt && !ident.DecisionNoForm(v.text) {
		j.find(DecisionNoForm, v)
	}
	j.judgePlates(record)
	for _, code := range maskedFields {
		if v := j.at(code); v.text != "" {
			if _, masked := maskPersonal(v.text); masked {
				j.masked = true
				j.find(PIIInText, v)
			}
		}
	}
}

// basisForm reports whether a text names a law and an article, 《…》第…条.
func basisForm(s string) bool {
	_, rest, ok := strings.Cut(s, "《")
	if !ok {
		return false
	}
	if _, rest, ok = strings.Cut(rest, "》"); !ok {
		return false
	}
	if _, rest, ok = strings.Cut(rest, "第"); !ok {
		return false
	}
	return strings.Contains(rest, "条")
}

func (j *judged) judgePlates(record *Penalty) {
	v := j.at("车牌号码")
	if v.spoilt {
		return
	}
	if len(record.Plates) > mostPlates || slices.ContainsFunc(record.Plates, Plate.tooLong) {
		j.find(Length, v)
		return
	}
	for _, plate := range record.Plates {
		if ident.CheckPlate(plate.Number) != nil {
			j.find(PlateForm, v)
			return
		}
	}
	if n := colours(j.text("车牌颜色")); n > 1 && n != len(record.Plates) {
		j.find(PlateForm, j.at("车牌颜色"))
	}
}
