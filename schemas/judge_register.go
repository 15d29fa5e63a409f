package schemas

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/xinqiao/creditgw/schemas/ident"
)

// judgeRegisters applies the rules that need registers or the token's scope.
func (j *judged) judgeRegisters() {
	j.judgeSource()
	j.judgeAuthority()
	j.judgeName()
}

func (j *judged) judgeSource() {
	v := j.at("CF_SJLYDM")
	if v.text == "" || v.spoilt {
		return
	}
	if !j.env.Sources[v.text] {
		j.find(SourceMismatch, v)
		return
	}
	name := j.at("CF_SJLY")
	if name.text == "" || j.env.Registers == nil {
		return
	}
	if a, ok := j.env.Registers.Authority(j.env.Region, v.text); ok && !a.named(name.text) {
		f := j.find(SourceMismatch, name)
		f.Warning = true
		f.Message = Text{"数据来源单位名称与代码登记的名称不符", "the source's name is not the one registered under its code"}
		f.Hint = Text{"登记名称：" + a.Name, "registered as " + a.Name}
	}
}

func (j *judged) judgeAuthority() {
	v := j.at("CF_CFJGDM")
	if v.text == "" || v.spoilt {
		return
	}
	if j.env.Authorities != nil && !j.env.Authorities[v.text] {
		f := j.find(AuthorityUnknown, v)
		f.Message = Text{"处罚机关不在本账号的报送范围内", "this token may not send for the authority"}
		return
	}
	if j.env.Registers == nil {
		j.find(AuthorityUnknown, v)
		return
	}
	a, ok := j.env.Registers.Authority(j.env.Region, v.text)
	if !ok {
		j.find(AuthorityUnknown, v)
		return
	}
	decided := j.at("CF_JDRQ").date
	if decided != "" && ((a.ValidFrom != "" && decided < a.ValidFrom) || (a.ValidTo != "" && decided > a.ValidTo)) {
		f := j.find(AuthorityUnknown, v)
		f.Message = Text{"作出决定时该机关不在名录有效期内", "the authority was not in office on the day of the decision"}
	}
}

func (j *judged) judgeName() {
	firm, ok := j.firm()
	name := j.at("CF_XDR_MC")
	if !ok || name.text == "" || name.text == individualBusiness {
		return
	}
	written := nameKey(name.text)
	if written == nameKey(firm.Name) || slices.ContainsFunc(firm.FormerNames, func(n string) bool { return nameKey(n) == written }) {
		return
	}
	f := j.find(NameMismatch, name)
	f.Hint = Text{"该代码登记的名称：" + firm.Name + "。请核对名称和代码", "registered under this code: " + firm.Name}
}

// firm finds the row's subject in the firm register. A natural person and the
// sentinel are never looked up.
func (j *judged) firm() (Firm, bool) {
	v := j.at("CF_XDR_SHXYM")
	if v.text == "" || v.spoilt || v.text == ident.SentinelUSCC || j.text("CF_XDR_LB") == naturalPerson || j.env.Registers == nil {
		return Firm{}, false
	}
	return j.env.Registers.Firm(v.text)
}

// named reports whether the authority goes by a name.
func (a Authority) named(name string) bool {
	written := nameKey(name)
	return written == nameKey(a.Name) || slices.ContainsFunc(a.Aliases, func(n string) bool { return nameKey(n) == written })
}

// nameKey is what names are compared by: width, brackets and spaces make no
// difference between two spellings of a name.
func nameKey(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return !ideograph(r) }) {
		return name
	}
	return strings.ToUpper(ident.Compact(norm.NFKC.String(name)))
}
