package schemas

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Checker judges the rows of one file. It is not for concurrent use.
type Checker struct {
	kind   *Kind
	env    Env
	values []value // of the row that is checked; used again for the next
	// compared and inYuan count the amounts that could be compared with the
	// text, and those that agree with it when read as 元.
	compared, inYuan int
}

// NewChecker returns a checker for one file of the kind.
func (k *Kind) NewChecker(env Env) *Checker {
	return &Checker{kind: k, env: env, values: make([]value, len(k.dictionary.Fields))}
}

// judged is one row while it is checked, and the outcome as far as it is known.
type judged struct {
	*Checker
	row    Row
	out    Outcome
	types  []string // 处罚类别, normalised
	masked bool     // personal data was taken out of a text
}

// value is what one field holds after normalisation.
type value struct {
	field  *Field
	text   string
	cell   int   // index into row.Cells, -1 if the file has none
	spoilt bool  // its digits are lost or it can't be read; already reported
	date   Date  // of a date field
	fen    int64 // of a money field
	own    bool  // the money cell names 元 as its unit in a column of 万元
}

// Check normalises and judges one row.
func (c *Checker) Check(row Row) Outcome {
	j := &judged{Checker: c, row: row}
	j.collect()
	j.normalise()
	j.fillOldForm()
	j.judgeFields()
	j.judgeCodes()
	j.judgeDates()
	j.judgeAmounts()
	record := j.record()
	j.out.Class = c.kind.class(record)
	j.judgePublication()
	j.judgeRegisters()
	j.judgeForms(record)
	j.conclude(record)
	return j.out
}

// collect assigns the cells to their fields. Where two columns mean the same
// field the first non-empty one counts, except for fields that join columns.
func (j *judged) collect() {
	fields := j.kind.dictionary.Fields
	for i := range fields {
		j.values[i] = value{field: &fields[i], cell: -1}
	}
	for i, cell := range j.row.Cells {
		at, ok := j.kind.dictionary.codes[cell.Field]
		if !ok {
			continue
		}
		v := &j.values[at]
		switch {
		case cell.IfDate:
			if date, _, ok := parseDate(strings.TrimSpace(cell.Value), j.row.Date1904); !ok || date == "" {
				continue
			}
			if v.text == "" {
				v.text, v.cell = cell.Value, i
			}
		case v.text == "":
			v.text, v.cell = cell.Value, i
		case v.field.Joins:
			v.text += ";" + cell.Value
		}
	}
}

// at returns the value of a field by its national code.
func (j *judged) at(code string) *value {
	return &j.values[j.kind.dictionary.codes[code]]
}

// text returns the normalised text of a field.
func (j *judged) text(code string) string { return j.at(code).text }

// log notes a normalisation of a value.
func (j *judged) log(code NormalisationCode, v *value) {
	cell := ""
	if v.cell >= 0 {
		cell = j.row.ref(j.row.Cells[v.cell])
	}
	n := Normalisation{Code: code, Field: v.field.Code, Cell: cell}
	if !slices.Contains(j.out.Normalisations, n) {
		j.out.Normalisations = append(j.out.Normalisations, n)
	}
}

// find adds a finding about a field and returns it, so that the caller can
// make message and hint more exact.
func (j *judged) find(rule Code, v *value) *Finding {
	f := NewFinding(rule, j.row)
	if v != nil {
		f.Field = v.field.Code
		f.Column = v.field.Name.ZH
		if v.cell >= 0 {
			cell := j.row.Cells[v.cell]
			f.Cell, f.Column = j.row.ref(cell), cell.Column
			f.Value = j.shown(v)
		}
	}
	j.out.Findings = append(j.out.Findings, f)
	return &j.out.Findings[len(j.out.Findings)-1]
}

// shown is a value as a finding may show it: short, and without what would
// identify a person.
func (j *judged) shown(v *value) string {
	text := v.text
	if text == "" {
		text = j.row.Cells[v.cell].Value
	}
	if v.field.Personal || (v.field.Code == "CF_XDR_MC" && j.text("CF_XDR_LB") == "自然人") {
		first, _ := utf8.DecodeRuneInString(text)
		return string(first) + "***"
	}
	text, _ = maskPersonal(text)
	const most = 80
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return text
}

// conclude orders the findings, names the rule of the row and fills in what
// an accepted or releasable row needs.
func (j *judged) conclude(record *Penalty) {
	rank := func(f Finding) int {
		if f.Warning {
			return len(precedence)
		}
		return slices.Index(precedence, f.Rule)
	}
	slices.SortStableFunc(j.out.Findings, func(a, b Finding) int { return cmp.Compare(rank(a), rank(b)) })
	j.out.State, j.out.Releasable = Accepted, true
	for _, f := range j.out.Findings {
		if f.Warning {
			continue
		}
		if j.out.Rule == "" {
			j.out.State, j.out.Rule = Quarantined, f.Rule
		}
		j.out.Releasable = j.out.Releasable && f.Rule.Releasable()
	}
	j.out.Operation = Add
	if op := j.text("操作"); op != "" {
		j.out.Operation = Operation(op)
	}
	if j.text("CF_CFJGDM") != "" && j.text("CF_WSH") != "" {
		j.out.Key = j.key()
	}
	if !j.out.Releasable {
		return
	}
	j.out.Releasable = j.out.State == Quarantined
	j.out.Record = record
	j.out.Published = record.PublicationUntil != ""
	j.out.Content = j.content()
	j.route()
	j.out.Canonical = len(j.out.Normalisations) == 0 && !j.masked && len(j.row.Lacks) == 0
}

// Finish returns the findings about the file as a whole.
func (c *Checker) Finish() []Finding {
	// A few slips are slips of rows; when every amount is off by the same
	// factor, the column is in another unit.
	const least = 3
	if c.compared < least || c.inYuan != c.compared {
		return nil
	}
	f := NewFinding(ColumnInYuan, Row{})
	f.Field = "CF_NR_FK"
	return []Finding{f}
}
