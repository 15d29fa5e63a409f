// Package register reads the registers of firms and of authorities, and the
// plan of sources, that a region keeps. Their files come in the same formats as
// records do and are read by the same reader, one row at a time.
package register

import (
	"embed"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

//go:embed firms.yaml authorities.yaml sources.yaml
var files embed.FS

var firmFields = sync.OnceValues(func() (*schemas.Dictionary, error) {
	return schemas.ReadDictionary(files, "firms.yaml")
})

var authorityFields = sync.OnceValues(func() (*schemas.Dictionary, error) {
	return schemas.ReadDictionary(files, "authorities.yaml")
})

var sourceFields = sync.OnceValues(func() (*schemas.Dictionary, error) {
	return schemas.ReadDictionary(files, "sources.yaml")
})

// Result counts what came of a register file.
type Result struct {
	Rows     int
	Accepted int
	// Findings tells of the rows that were refused, the first thousand of
	// them, and of the file.
	Findings []schemas.Finding
}

// mostFindings bounds what is told about one file.
const mostFindings = 1000

// ReadFirms calls each for every good row of a firm register. An error from
// each ends the reading and is returned.
func ReadFirms(src io.Reader, each func(schemas.Firm) error) (Result, error) {
	return read(src, firmFields, func(e *entry) (func() error, bool) {
		f := schemas.Firm{
			USCC: e.uscc("uscc"), Name: e.required("name"), FormerNames: e.names("former_names"),
			HomeRegion: e.region("home_region"), District: e.text("district"), Licence: e.text("road_transport_licence_no"),
		}
		if f.District != "" {
			if _, ok := ident.Province(f.District); !ok {
				e.find(schemas.Enum, "district", "区县代码不是六位行政区划代码", "not a six-digit region code")
			}
		}
		return func() error { return each(f) }, e.good
	})
}

// ReadAuthorities calls each for every good row of an authority register.
func ReadAuthorities(src io.Reader, each func(schemas.Authority) error) (Result, error) {
	return read(src, authorityFields, func(e *entry) (func() error, bool) {
		a := schemas.Authority{
			USCC: e.uscc("uscc"), Name: e.required("name"), Aliases: e.names("aliases"), Region: e.region("region"),
			ValidFrom: e.date("valid_from"), ValidTo: e.date("valid_to"),
		}
		if e.text("parent") != "" {
			a.Parent = e.uscc("parent")
		}
		if a.ValidFrom != "" && a.ValidTo != "" && a.ValidTo < a.ValidFrom {
			e.find(schemas.DateOrder, "valid_to", "失效日期早于生效日期", "ends before it begins")
		}
		return func() error { return each(a) }, e.good
	})
}

// longestPeriod bounds what a source may be given, in days.
const longestPeriod = 366

// ReadSources calls each for every good row of a source plan.
func ReadSources(src io.Reader, each func(schemas.SourcePlan) error) (Result, error) {
	return read(src, sourceFields, func(e *entry) (func() error, bool) {
		s := schemas.SourcePlan{USCC: e.uscc("uscc"), Name: e.required("name"), Kind: e.required("kind")}
		if _, known := schemas.Default().Kind(s.Kind); s.Kind != "" && !known {
			e.find(schemas.Enum, "kind", "未知的信息类别", "an unknown kind of record")
		}
		days, err := strconv.Atoi(e.required("every_days"))
		if e.good && (err != nil || days < 1 || days > longestPeriod) {
			e.find(schemas.Enum, "every_days", "更新周期应为 1 至 366 的整数", "the period is 1 to 366 days")
		}
		s.EveryDays = days
		return func() error { return each(s) }, e.good
	})
}

// read drives one file through take, which fills an item from an entry and
// returns how to deliver it.
func read(src io.Reader, fields func() (*schemas.Dictionary, error), take func(*entry) (func() error, bool)) (Result, error) {
	dictionary, err := fields()
	if err != nil {
		return Result{}, err
	}
	reader, err := tabular.Open(src, dictionary, tabular.Limits{})
	if err != nil {
		return Result{}, err
	}
	var result Result
	for {
		row, err := reader.Next()
		if errors.Is(err, io.EOF) {
			result.Findings = append(result.Findings, reader.Findings()...)
			return result, nil
		}
		if err != nil {
			return result, err
		}
		result.Rows++
		e := &entry{dictionary: dictionary, row: row, good: true}
		deliver, good := take(e)
		if good {
			if err := deliver(); err != nil {
				return result, err
			}
			result.Accepted++
		}
		for _, f := range e.findings {
			if len(result.Findings) < mostFindings {
				result.Findings = append(result.Findings, f)
			}
		}
	}
}

// entry is one row of a register while it is read.
type entry struct {
	dictionary *schemas.Dictionary
	row        schemas.Row
	findings   []schemas.Finding
	good       bool
}

// text returns a field, cleaned, and refuses it beyond its length.
func (e *entry) text(code string) string {
	field, ok := e.dictionary.Field(code)
	if !ok {
		return ""
	}
	for _, c := range e.row.Cells {
		if c.Field != code {
			continue
		}
		s := strings.TrimSpace(ident.Visible(c.Value))
		if field.Type == schemas.USCCType || field.Type == schemas.CodeType {
			s = strings.ToUpper(ident.Compact(ident.Fold(s)))
		}
		if utf8.RuneCountInString(s) > field.Max {
			e.find(schemas.Length, code, "超过字段长度", "longer than its field")
		}
		return s
	}
	return ""
}

func (e *entry) required(code string) string {
	s := e.text(code)
	if s == "" {
		e.find(schemas.Required, code, "必填字段为空", "a mandatory field is empty")
	}
	return s
}

func (e *entry) uscc(code string) string {
	s := e.required(code)
	if s != "" && (ident.CheckUSCC(s) != nil || ident.CheckOrgCode(ident.OrgCode(s)) != nil) {
		e.find(schemas.USCCCheck, code, "统一社会信用代码校验未通过", "the unified social credit code fails its check")
	}
	return s
}

// region returns the province of a region code.
func (e *entry) region(code string) string {
	s := e.required(code)
	province, ok := ident.Province(s)
	if s != "" && !ok {
		e.find(schemas.Enum, code, "不是六位行政区划代码", "not a six-digit region code")
	}
	return province
}

func (e *entry) names(code string) []string {
	var names []string
	for _, s := range strings.FieldsFunc(e.text(code), func(r rune) bool { return strings.ContainsRune(";；|、\n", r) }) {
		if s = strings.TrimSpace(s); s != "" {
			names = append(names, s)
		}
	}
	return names
}

func (e *entry) date(code string) schemas.Date {
	s := e.text(code)
	if s == "" {
		return ""
	}
	date, ok := schemas.ParseDate(s)
	if !ok {
		e.find(schemas.DateFormat, code, "日期无法识别", "the date can't be read")
	}
	return date
}

func (e *entry) find(rule schemas.Code, code, zh, en string) {
	e.good = false
	f := schemas.NewFinding(rule, e.row)
	f.Field = code
	f.Message = schemas.Text{ZH: zh, EN: en}
	e.findings = append(e.findings, f)
}
