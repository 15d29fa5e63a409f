package tabular

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/schemas"
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
	header   line     // where it stands
	settled  bool     // whether it goes on below is known, and what it lacks is told
	lacks    []string
	searched int  // lines without a header so far
	footer   bool // the notes below the data have begun
	found    bool // some sheet had a header
	told     []schemas.Finding
}

// mostFindings bounds what is told about one file.
const mostFindings = 1000

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
		if !t.settled && t.settleHeader(l) {
			continue
		}
		if t.isData(l, filled) {
			return t.row(l), nil
		}
	}
}

// endSheet tells of a sheet in which no header was found, and of a header
// without data.
func (t *table) endSheet() {
	switch {
	case t.columns != nil && !t.settled:
		t.judgeHeader()
	case t.sheet != "" && t.columns == nil && t.searched > 0:
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

// row makes a data row of a line.
func (t *table) row(l line) schemas.Row {
	row := schemas.Row{Sheet: l.sheet, SheetRow: l.number, Date1904: t.date1904, Lacks: t.lacks}
	row.Cells = make([]schemas.Cell, 0, len(l.cells))
	for i, text := range l.cells {
		var c column
		if i < len(t.columns) {
			c = t.columns[i]
		}
		blank := strings.TrimSpace(text) == ""
		if text == "" || c.own || c.Ordinal || blank && c.title == "" {
			continue
		}
		cell := schemas.Cell{
			Column: c.title, Index: i, Value: unquoteFormula(text), Number: slices.Contains(l.long, i), Yuan: c.Yuan, IfDate: c.IfDate,
		}
		if c.Field != nil {
			cell.Field = c.Field.Code
		}
		if c.title == "" {
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
		if strings.TrimSpace(cells[i-1]) != "" {
			return i
		}
	}
	return 0
}
