package tabular

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// line is one line of a sheet or of a CSV file.
type line struct {
	sheet  string
	number int // as a spreadsheet numbers it
	cells  []string
	long   []int // columns whose cell is a number of more than 15 digits
}

// lines yields the lines of all sheets in order and ends with io.EOF.
type lines interface {
	next() (line, error)
}

// table finds header, data, totals and footers in lines.
type table struct {
	dict     *schemas.Dictionary
	limits   Limits
	lines    lines
	date1904 bool

	sheet    string
	columns  []column // of the sheet's header, nil until it is found
	lacks    []string
	searched int  // lines without a header so far
	footer   bool // the notes below the data have begun
	found    bool // some sheet had a header
	told     []schemas.Finding
}

// column is one column of the header.
type column struct {
	title string
	names []string // what a repeated header may say here
	schemas.Column
	known bool
	own   bool // written by WriteRejects, not by the clerk
}

const (
	// headerWithin is how many lines of titles may stand above the header.
	headerWithin = 50
	// headerLeast is how many fields make a line a header.
	headerLeast = 5
	// mostFindings bounds what is told about one file.
	mostFindings = 1000
)

func (t *table) findings() []schemas.Finding { return t.told }

// next returns the next data row.
func (t *table) next() (schemas.Row, error) {
	for {
		l, err := t.lines.next()
		if errors.Is(err, io.EOF) {
			t.endSheet()
			if !t.found {
				return schemas.Row{}, errHeader()
			}
			return schemas.Row{}, io.EOF
		}
		if err != nil {
			return schemas.Row{}, err
		}
		if l.sheet != t.sheet {
			t.endSheet()
			t.sheet, t.columns, t.searched, t.footer = l.sheet, nil, 0, false
		}
		filled := filledCells(l.cells)
		if filled == 0 {
			continue
		}
		if width(l.cells) > t.limits.Columns {
			e := errColumns(t.limits.Columns)
			e.Line = l.number
			return schemas.Row{}, e
		}
		if t.columns == nil {
			t.searchHeader(l)
			continue
		}
		if t.isData(l, filled) {
			return t.row(l), nil
		}
	}
}

// endSheet tells of a sheet in which no header was found.
func (t *table) endSheet() {
	if t.sheet != "" && t.columns == nil && t.searched > 0 {
		t.tell(schemas.SheetSkipped, line{sheet: t.sheet}, "", "没有可识别的表头", "it has no header that is known")
	}
}

// tell adds a finding about the file.
func (t *table) tell(rule schemas.Code, l line, column, zh, en string) *schemas.Finding {
	if len(t.told) >= mostFindings {
		return &schemas.Finding{}
	}
	f := schemas.NewFinding(rule, schemas.Row{Sheet: l.sheet, SheetRow: l.number})
	f.Column = column
	if zh != "" {
		f.Message = schemas.Text{ZH: f.Message.ZH + "：" + zh, EN: f.Message.EN + ": " + en}
	}
	t.told = append(t.told, f)
	return &t.told[len(t.told)-1]
}

// searchHeader takes the line as header if it names enough fields.
func (t *table) searchHeader(l line) {
	if t.searched++; t.searched > headerWithin {
		return
	}
	fields, filled := 0, 0
	columns := make([]column, len(l.cells))
	for i, cell := range l.cells {
		title := strings.TrimSpace(ident.Visible(cell))
		if title == "" {
			continue
		}
		filled++
		c := column{title: title, own: slices.Contains(ownTitles, title)}
		c.Column, c.known = t.dict.Column(title)
		if c.Field != nil {
			fields++
			c.names = append([]string{title, c.Field.Code, c.Field.Name.ZH}, c.Field.Aliases...)
		}
		columns[i] = c
	}
	if fields < headerLeast && (fields < 3 || fields*2 < filled) {
		return
	}
	t.columns, t.found = columns, true
	t.judgeHeader(l)
}

// judgeHeader tells of columns that are not taken and of those that the form
// of an earlier year lacks.
func (t *table) judgeHeader(l line) {
	present := make(map[string]bool)
	for i, c := range t.columns {
		at := line{sheet: l.sheet, number: l.number}
		switch {
		case c.title == "" || c.own:
		case !c.known:
			f := t.tell(schemas.UnknownColumn, at, c.title, "", "")
			f.Cell = schemas.ColumnName(i)
		case c.Field == nil:
			f := t.tell(schemas.ColumnSkipped, at, c.title, "", "")
			f.Cell = schemas.ColumnName(i)
		case c.Yuan:
			f := t.tell(schemas.ColumnInYuan, at, c.title, "", "")
			f.Field = c.Field.Code
			f.Message = schemas.Text{ZH: "表头单位为元，已换算", EN: "the header is in 元: converted"}
			f.Hint = schemas.Text{}
			present[c.Field.Code] = true
		case !c.IfDate:
			present[c.Field.Code] = true
		}
	}
	t.lacks = nil
	var names []string
	for _, f := range t.dict.Fields {
		if f.Required && !present[f.Code] {
			t.lacks = append(t.lacks, f.Code)
			names = append(names, f.Name.ZH)
		}
	}
	if len(names) > 0 {
		t.tell(schemas.OldForm, line{sheet: l.sheet, number: l.number}, "",
			strings.Join(names, "、"), strings.Join(t.lacks, ", "))
	}
}

// row makes a data row of a line.
func (t *table) row(l line) schemas.Row {
	row := schemas.Row{Sheet: l.sheet, SheetRow: l.number, Date1904: t.date1904, Lacks: t.lacks}
	row.Cells = make([]schemas.Cell, 0, len(l.cells))
	for i, text := range l.cells {
		if text == "" {
			continue
		}
		cell := schemas.Cell{Index: i, Value: unquoteFormula(text), Number: slices.Contains(l.long, i)}
		if i < len(t.columns) {
			c := t.columns[i]
			if c.own || c.Ordinal {
				continue
			}
			cell.Column, cell.Yuan, cell.IfDate = c.title, c.Yuan, c.IfDate
			if c.Field != nil {
				cell.Field = c.Field.Code
			}
		}
		if cell.Column == "" && strings.TrimSpace(text) != "" {
			f := t.tell(schemas.UnknownColumn, l, "", "单元格在表头之外，可能是内容里的逗号没有加引号", "a cell beyond the header, perhaps for want of quotes round a comma")
			f.Cell = schemas.ColumnName(i)
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

func filledCells(cells []string) int {
	n := 0
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			n++
		}
	}
	return n
}

// width is the number of columns up to the last that is filled.
func width(cells []string) int {
	for i := len(cells); i > 0; i-- {
		if cells[i-1] != "" {
			return i
		}
	}
	return 0
}
