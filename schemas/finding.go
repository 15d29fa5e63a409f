package schemas

import (
	"strconv"
	"strings"
)

// Finding says what is wrong with one row, or with the file when Row is 0,
// where it stands, and how to put it right.
type Finding struct {
	Rule     Code
	Family   Family
	Warning  bool // it is told, but refuses nothing
	Row      int  // data rows from 1; 0 for the whole file
	Sheet    string
	SheetRow int
	Cell     string // "T5", or a JSON pointer
	Column   string // the header as written
	Field    string // national code
	Value    string // masked if the field is personal or looks so
	Message  Text
	Hint     Text
}

// FindingView is a finding in one language, as programs and people get it.
type FindingView struct {
	Row      int    `json:"row"`
	Sheet    string `json:"sheet,omitempty"`
	SheetRow int    `json:"sheet_row,omitempty"`
	Cell     string `json:"cell,omitempty"`
	Column   string `json:"column,omitempty"`
	Value    string `json:"value,omitempty"`
	Rule     Code   `json:"rule"`
	Family   Family `json:"family,omitempty"`
	Warning  bool   `json:"warning,omitempty"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

// In returns the finding in lang, "zh" or "en".
func (f Finding) In(lang string) FindingView {
	return FindingView{
		Row: f.Row, Sheet: f.Sheet, SheetRow: f.SheetRow, Cell: f.Cell, Column: f.Column,
		Value: f.Value, Rule: f.Rule, Family: f.Family, Warning: f.Warning, Field: f.Field,
		Message: f.Message.In(lang), Hint: f.Hint.In(lang),
	}
}

// NewFinding returns a finding about a whole row, with the family, message
// and hint that the rule has by default.
func NewFinding(rule Code, row Row) Finding {
	r := rules[rule]
	return Finding{
		Rule: rule, Family: r.family, Warning: r.warns, Row: row.Number, Sheet: row.Sheet,
		SheetRow: row.SheetRow, Message: r.message, Hint: r.hint,
	}
}

// pointerEscapes are those of RFC 6901.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// ref names a cell as a clerk finds it: in sheet notation, or as a JSON
// pointer for a record that came as JSON.
func (row Row) ref(c Cell) string {
	if row.SheetRow == 0 {
		if row.Number == 0 {
			return ""
		}
		return "/records/" + strconv.Itoa(row.Number-1) + "/" + pointerEscapes.Replace(c.Column)
	}
	return ColumnName(c.Index) + strconv.Itoa(row.SheetRow)
}

// ColumnName returns the letters of a spreadsheet column counted from 0.
func ColumnName(index int) string {
	var buf [8]byte
	i := len(buf)
	for n := index + 1; n > 0 && i > 0; n = (n - 1) / 26 {
		i--
		buf[i] = byte('A' + (n-1)%26)
	}
	return string(buf[i:])
}
