package tabular

import (
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
)

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
)

// searchHeader takes the line as header if it names enough fields.
func (t *table) searchHeader(l line) {
	if t.searched++; t.searched > headerWithin {
		return
	}
	fields, filled := 0, 0
	columns := make([]column, len(l.cells))
	for i, cell := range l.cells {
		columns[i] = newColumn(cell, t.dict.Column)
		if columns[i].title != "" {
			filled++
		}
		if columns[i].Field != nil {
			fields++
		}
	}
	if fields < headerLeast && (fields < 3 || fields*2 < filled) {
		return
	}
	t.columns, t.found = columns, true
	t.header, t.settled = line{sheet: l.sheet, number: l.number}, false
}

// longestTitle is how much of a column's title, of a JSON name or of a sheet's name
// is kept, in bytes: it stands again in every row and finding. A longer title is
// no column's.
const longestTitle = 1024

func shortened(title string) string {
	if len(title) <= longestTitle {
		return title
	}
	return strings.ToValidUTF8(title[:longestTitle], "")
}

// newColumn looks up what a title stands for.
func newColumn(title string, look func(string) (schemas.Column, bool)) column {
	c := column{title: strings.TrimSpace(ident.Visible(title))}
	if c.title == "" {
		return c
	}
	c.own = slices.Contains(ownTitles, c.title)
	c.Column, c.known = look(c.title)
	c.title = shortened(c.title)
	if c.Field != nil {
		c.names = append([]string{c.title, c.Field.Code, c.Field.Name.ZH}, c.Field.Aliases...)
	}
	return c
}

// settleHeader takes the line below the header for a second line of it if it
// says more: 名称 and 代码 below a merged 处罚机关, or names below 行政相对人代码. Nothing
// else may stand in it, so that no line of data is lost.
func (t *table) settleHeader(l line) (second bool) {
	columns := slices.Clone(t.columns)
	group, more := "", 0
	for i, cell := range l.cells {
		if i == len(columns) {
			columns = append(columns, column{})
		}
		above := columns[i]
		if above.title != "" {
			group = above.title
		}
		below := newColumn(cell, t.dict.Column)
		if below.title == "" || below.title == above.title {
			continue
		}
		if both := newColumn(group+below.title, t.dict.Name); both.known {
			below = both
		}
		switch {
		case !below.known:
			t.judgeHeader()
			return false
		case below.Field != above.Field:
			more++
			columns[i] = below
		}
	}
	if more > 0 {
		t.columns = columns
	}
	t.judgeHeader()
	return more > 0
}

// judgeHeader tells of columns that are not taken and of those that the form
// of an earlier year lacks.
func (t *table) judgeHeader() {
	t.settled = true
	at := t.header
	present := make(map[string]bool)
	for i, c := range t.columns {
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
		t.tell(schemas.OldForm, at, "",
			strings.Join(names, "、"), strings.Join(t.lacks, ", "))
	}
}
