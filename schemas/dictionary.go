package schemas

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"
)

// FieldType says how the cells of a field are normalised and judged.
type FieldType string

// The field types of the dictionaries.
const (
	NameType     FieldType = "name"     // one line of running text
	TextType     FieldType = "text"     // running text
	CodeType     FieldType = "code"     // digits and letters without a check
	USCCType     FieldType = "uscc"     // GB 32100
	OrgCodeType  FieldType = "orgcode"  // GB 11714
	IDNoType     FieldType = "idno"     // number of an identity document
	DecisionType FieldType = "decision" // decision number
	PlateType    FieldType = "plate"    // one or more licence plates
	MoneyType    FieldType = "money"    // 万元 with up to six decimals
	DateType     FieldType = "date"
	EnumType     FieldType = "enum"
	EnumListType FieldType = "enumlist"
)

// Field is one field of a record kind.
type Field struct {
	Code        string    `yaml:"code"` // national code, or the Chinese name of an extension
	ID          string    `yaml:"id"`   // name in the shared record
	Name        Text      `yaml:"name"`
	Type        FieldType `yaml:"type"`
	Max         int       `yaml:"max"` // characters; 0 where the type bounds it
	Required    bool      `yaml:"required"`
	List        string    `yaml:"list"`
	Personal    bool      `yaml:"personal"` // masked wherever it is shown
	Stays       bool      `yaml:"stays"`    // never leaves the region
	Forever     bool      `yaml:"forever"`  // 长期 is a value of this date
	Joins       bool      `yaml:"joins"`    // several columns make one value
	Extension   bool      `yaml:"extension"`
	Aliases     []string  `yaml:"aliases"`
	DateAliases []string  `yaml:"date_aliases"`
}

// CodeList is the set of values of an enumerated field, with the other
// spellings that are understood.
type CodeList struct {
	Values  []string          `yaml:"values"`
	Prefix  string            `yaml:"prefix"` // free values behind it are allowed
	Aliases map[string]string `yaml:"aliases"`
}

// Dictionary is the list of a kind's fields and of the names that files give
// them. It is immutable and may be shared.
type Dictionary struct {
	Kind     string              `yaml:"kind"`
	Title    Text                `yaml:"title"`
	Unmapped []string            `yaml:"unmapped"`
	Ordinals []string            `yaml:"ordinals"`
	Fields   []Field             `yaml:"fields"`
	Lists    map[string]CodeList `yaml:"lists"`

	headers map[string]Column
	codes   map[string]int
	names   map[string]int // in the shared record
}

// Column is what a header name means.
type Column struct {
	Field   *Field // nil for a column that is known but not collected
	Yuan    bool   // amounts are in 元, not 万元
	IfDate  bool   // counts only where it holds a date
	Ordinal bool   // numbers the rows
}

// ReadDictionary reads one dictionary in YAML, strictly.
func ReadDictionary(files fs.FS, name string) (*Dictionary, error) {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	var d Dictionary
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("schemas: dictionary %s: %w", name, err)
	}
	d.codes, d.names = make(map[string]int), make(map[string]int)
	d.headers = make(map[string]Column)
	add := func(header string, c Column) error {
		key := headerKey(header)
		if old, ok := d.headers[key]; ok && old.Field != c.Field {
			return fmt.Errorf("schemas: dictionary %s: header %q is ambiguous", name, header)
		}
		c.Yuan = c.Field != nil && c.Field.Type == MoneyType &&
			strings.HasSuffix(key, "元") && !strings.HasSuffix(key, "万元")
		d.headers[key] = c
		return nil
	}
	for i := range d.Fields {
		f := &d.Fields[i]
		if f.List != "" && len(d.Lists[f.List].Values) == 0 {
			return nil, fmt.Errorf("schemas: dictionary %s: %s has no code list", name, f.Code)
		}
		d.codes[f.Code], d.names[f.ID] = i, i
		for _, header := range append([]string{f.Code, f.Name.ZH}, f.Aliases...) {
			if err := add(header, Column{Field: f}); err != nil {
				return nil, err
			}
		}
		for _, header := range f.DateAliases {
			if err := add(header, Column{Field: f, IfDate: true}); err != nil {
				return nil, err
			}
		}
	}
	for _, header := range d.Unmapped {
		if err := add(header, Column{}); err != nil {
			return nil, err
		}
	}
	for _, header := range d.Ordinals {
		if err := add(header, Column{Ordinal: true}); err != nil {
			return nil, err
		}
	}
	return &d, nil
}

// Field returns the field with a national code.
func (d *Dictionary) Field(code string) (*Field, bool) {
	i, ok := d.codes[code]
	if !ok {
		return nil, false
	}
	return &d.Fields[i], true
}

// nationalCode finds a code inside a header that has a name as well.
var nationalCode = regexp.MustCompile(`CF_[A-Z_]+[A-Z]\d?`)

// Name returns what a header means that is nothing but a name or a code, in
// any width, with or without brackets and white space.
func (d *Dictionary) Name(header string) (Column, bool) {
	c, ok := d.headers[headerKey(header)]
	return c, ok
}

// Column returns what a header means. Case, width, white space, the marks of a
// mandatory column and notes in brackets make no difference.
func (d *Dictionary) Column(header string) (Column, bool) {
	if len(header) > 1024 {
		return Column{}, false
	}
	if c, ok := d.Name(header); ok {
		return c, true
	}
	// Name and code in one cell, or a name with a note on another line.
	upper := strings.ToUpper(norm.NFKC.String(header))
	if code := nationalCode.FindString(upper); code != "" {
		if c, ok := d.headers[headerKey(code)]; ok {
			return c, true
		}
	}
	for _, part := range strings.FieldsFunc(upper, func(r rune) bool { return r == '\n' || r == '\r' || r == ' ' || r == '/' }) {
		if c, ok := d.headers[headerKey(part)]; ok && c.Field != nil {
			return c, true
		}
	}
	return d.noted(upper)
}

// noted reads a header with a note in brackets, such as 处罚决定日期(格式YYYY/MM/DD).
// Forms number the codes of a subject in different orders, so that of
// 行政相对人代码_2(税务登记号) only the note counts. A note that is another column's
// name elsewhere makes the header mean neither.
func (d *Dictionary) noted(header string) (Column, bool) {
	const brackets = "([【〔"
	at := strings.LastIndexAny(header, brackets)
	if at < 0 {
		return Column{}, false
	}
	if before := header[:at]; strings.ContainsAny(before, brackets) {
		if c, ok := d.Name(before); ok {
			return c, true
		}
		return d.noted(before)
	}
	name, note := headerKey(header[:at]), header[at:]
	named, ok := d.headers[headerKey(note)]
	switch {
	case name == "":
		return Column{}, false
	case strings.Trim(name[len(name)-1:], "0123456789") == "":
		return named, ok
	case ok:
		return Column{}, false
	}
	c, ok := d.headers[name]
	if before, _, found := strings.Cut(note, "元"); found && ok && c.Field != nil && c.Field.Type == MoneyType {
		c.Yuan = !strings.HasSuffix(before, "万")
	}
	return c, ok
}

// headerKey reduces a header to its letters and digits.
func headerKey(header string) string {
	header = strings.ToUpper(norm.NFKC.String(header))
	for _, mark := range []string{"必填项", "选填项", "必填", "选填"} {
		header = strings.ReplaceAll(header, mark, "")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, header)
}
