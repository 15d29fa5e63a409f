package schemas

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/xinqiao/creditgw/schemas/ident"
)

// emptyMarks are what clerks write where there is nothing to write, and what a
// spreadsheet shows where a formula found nothing.
var emptyMarks = []string{
	"/", "//", "\\", "-", "--", "—", "——", "无", "NULL", "空", "暂无", "N/A", "NONE",
	"#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!",
}

// foreverMarks stand for a date without an end.
var foreverMarks = []string{"长期", "长期有效", "永久", "永久有效"}

// forever is how the national form writes a date without an end.
const forever Date = "2099-12-31"

// scientific is how a spreadsheet shows a long number that it does not keep
// exactly.
var scientific = regexp.MustCompile(`^\d(?:\.\d+[eE]\+?|[eE]\+)\d{1,3}$`)

// isScientific spares most codes the expression.
func isScientific(s string) bool {
	return strings.ContainsAny(s, ".+") && scientific.MatchString(s)
}

func (j *judged) normalise() {
	for i := range j.values {
		v := &j.values[i]
		if v.cell < 0 {
			continue
		}
		j.clean(v)
		if v.text == "" {
			continue
		}
		switch v.field.Type {
		case NameType:
			j.normaliseName(v)
		case USCCType, CodeType, OrgCodeType, IDNoType, DecisionType, PlateType:
			j.normaliseCode(v)
		case DateType:
			j.normaliseDate(v)
		case MoneyType:
			j.normaliseMoney(v)
		case EnumType:
			j.normaliseEnum(v)
		case EnumListType:
			j.normaliseEnumList(v)
		}
	}
}

// clean takes out what nobody sees or means, in any type of field.
func (j *judged) clean(v *value) {
	if !plain(v.text) {
		// The readers refuse broken text; what comes another way is marked.
		if s := norm.NFC.String(ident.Visible(strings.ToValidUTF8(v.text, "\uFFFD"))); s != v.text {
			v.text = s
			j.log(Invisible, v)
		}
	}
	if s := strings.TrimSpace(v.text); s != v.text {
		v.text = s
		if s != "" {
			j.log(Trim, v)
		}
	}
	if len(v.text) <= 8 && slices.Contains(emptyMarks, strings.ToUpper(ident.Fold(v.text))) {
		v.text = ""
		j.log(EmptyMark, v)
	}
}

// plain reports that neither Visible nor NFC changes a text, as is true of
// nearly every cell and cheaper to tell than to find out from them.
func plain(s string) bool {
	if strings.HasPrefix(s, "=") || strings.HasPrefix(s, "'") {
		return false
	}
	for _, r := range s {
		switch {
		case r >= ' ' && r <= '~', ideograph(r):
		case r >= 0x3000 && r <= 0x3029, r >= 0xFF01 && r <= 0xFF5E: // punctuation and full-width forms
		default:
			return false
		}
	}
	return true
}

// ideograph reports a character of the first and by far the largest block of
// them. None of it has another form.
func ideograph(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF }

func (j *judged) normaliseName(v *value) {
	if s := strings.Join(strings.Fields(v.text), " "); s != v.text {
		v.text = s
		j.log(Trim, v)
	}
}

func (j *judged) normaliseCode(v *value) {
	if s := ident.Fold(v.text); s != v.text {
		v.text = s
		j.log(FullWidth, v)
	}
	if v.field.Type != PlateType {
		if s := ident.Compact(v.text); s != v.text {
			v.text = s
			j.log(Trim, v)
		}
	}
	if isScientific(v.text) || (j.row.Cells[v.cell].Number && digits(v.text) > 15) {
		v.spoilt = true
		j.find(NumberPrecision, v)
		return
	}
	switch v.field.Type {
	case DecisionType:
		if s := ident.NormalDecisionNo(v.text); s != v.text {
			v.text = s
			j.log(Brackets, v)
		}
	case USCCType, PlateType, OrgCodeType, IDNoType:
		if s := strings.ToUpper(v.text); s != v.text {
			v.text = s
			j.log(Upper, v)
		}
		if v.field.Type == OrgCodeType {
			if s := ident.NormalOrgCode(v.text); s != v.text {
				v.text = s
				j.log(Trim, v)
			}
		}
	}
}

// digits counts the decimal digits of s.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

func (j *judged) normaliseDate(v *value) {
	if s := ident.Fold(v.text); s != v.text {
		v.text = strings.TrimSpace(s)
		j.log(FullWidth, v)
	}
	if v.field.Forever && slices.Contains(foreverMarks, v.text) {
		v.date = forever
		j.log(EmptyMark, v)
		return
	}
	date, code, ok := parseDate(v.text, j.row.Date1904)
	if !ok {
		v.spoilt = true
		j.find(DateFormat, v)
		return
	}
	if code != "" {
		j.log(code, v)
	}
	v.date = date
}

func (j *judged) normaliseMoney(v *value) {
	a, err := parseAmount(v.text, j.row.Cells[v.cell].Yuan)
	if err != nil {
		v.spoilt = true
		j.findAmount(err, v)
		return
	}
	switch {
	case a.folded:
		j.log(FullWidth, v)
	case a.rounded:
		j.log(FloatTail, v)
	case a.marked:
		j.log(Trim, v)
	}
	if a.fen == 0 {
		// Zero in a column of amounts says that there is none.
		v.text = ""
		j.log(EmptyMark, v)
		return
	}
	v.fen, v.own = a.fen, a.unitSlip
}

func (j *judged) normaliseEnum(v *value) {
	list := j.kind.dictionary.Lists[v.field.List]
	s, ok := list.find(v.text)
	if !ok {
		v.spoilt = true
		f := j.find(Enum, v)
		f.Hint = list.hint()
		return
	}
	if s != v.text {
		v.text = s
		j.log(EnumAlias, v)
	}
}

func (j *judged) normaliseEnumList(v *value) {
	list := j.kind.dictionary.Lists[v.field.List]
	separators := ";；、,，\n"
	if v.field.List == "plate_colour" {
		separators += "/"
	}
	parts := strings.FieldsFunc(v.text, func(r rune) bool { return strings.ContainsRune(separators, r) })
	var values []string
	for _, part := range parts {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		s, ok := list.find(part)
		if !ok {
			v.spoilt = true
			f := j.find(Enum, v)
			f.Value, _ = maskPersonal(part)
			f.Hint = list.hint()
			return
		}
		if s != part {
			j.log(EnumAlias, v)
		}
		if v.field.List == "penalty_type" && slices.Contains(values, s) {
			j.log(EnumAlias, v)
			continue
		}
		values = append(values, s)
	}
	v.text = strings.Join(values, ";")
	if v.field.Code == "CF_CFLB" {
		j.types = values
	}
}

// find returns the listed value that s means.
func (l CodeList) find(s string) (string, bool) {
	if slices.Contains(l.Values, s) {
		return s, true
	}
	plain := ident.Compact(ident.Fold(s))
	if slices.Contains(l.Values, plain) {
		return plain, true
	}
	if alias, ok := l.Aliases[plain]; ok {
		return alias, true
	}
	if l.Prefix != "" {
		for _, lead := range []string{l.Prefix, "其他—", "其他–", "其他:", "其它-", "其它—", "其它:"} {
			if rest, ok := strings.CutPrefix(plain, lead); ok && strings.Trim(rest, "-—") != "" {
				return l.Prefix + strings.TrimLeft(rest, "-—"), true
			}
		}
	}
	return "", false
}

func (l CodeList) hint() Text {
	values := strings.Join(l.Values, "、")
	if l.Prefix != "" {
		values += "、" + l.Prefix + "…"
	}
	return Text{"可选：" + values, "one of: " + values}
}
