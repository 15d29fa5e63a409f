package tabular

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/xinqiao/creditgw/schemas"
)

// Reject is a row that goes back to the clerk with what is wrong with it.
type Reject struct {
	Row      schemas.Row
	Findings []schemas.Finding
}

// The columns that WriteRejects adds. A file that is sent again with them is
// read as if they were not there.
var (
	problemTitle = schemas.Text{ZH: "校验结果", EN: "problem"}
	hintTitle    = schemas.Text{ZH: "怎么改", EN: "how to correct"}
	placeTitle   = schemas.Text{ZH: "原行号", EN: "original row"}
	ownTitles    = []string{
		problemTitle.ZH, problemTitle.EN, hintTitle.ZH, hintTitle.EN, placeTitle.ZH, placeTitle.EN,
	}
)

// WriteRejects writes a workbook of the rejected rows as they were sent, all
// as text, with what is wrong and how to correct it in front. It can be
// corrected and submitted as it is.
func WriteRejects(w io.Writer, dict *schemas.Dictionary, rejects []Reject, lang string) error {
	file := excelize.NewFile(excelize.Options{TmpDir: noFolder})
	defer file.Close()
	sheet := file.GetSheetName(0)
	stream, err := file.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	// Text format keeps codes whole while the clerk edits them.
	text, err := file.NewStyle(&excelize.Style{NumFmt: 49})
	if err != nil {
		return err
	}
	columns := rejectColumns(dict, rejects)
	if err := stream.SetColStyle(1, len(columns)+3, text); err != nil {
		return err
	}
	if err := stream.SetColWidth(1, 2, 40); err != nil {
		return err
	}
	if err := stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	head := []any{problemTitle.In(lang), hintTitle.In(lang), placeTitle.In(lang)}
	for _, c := range columns {
		head = append(head, quoteFormula(c.title))
	}
	if err := stream.SetRow("A1", head); err != nil {
		return err
	}
	for i, reject := range rejects {
		cells := make([]any, len(columns)+3)
		problems, hints := explain(reject.Findings, lang)
		cells[0] = excelize.Cell{StyleID: text, Value: quoteFormula(problems)}
		cells[1] = excelize.Cell{StyleID: text, Value: quoteFormula(hints)}
		cells[2] = excelize.Cell{StyleID: text, Value: place(reject.Row)}
		for _, c := range reject.Row.Cells {
			if at := slices.Index(columns, columnOf(c)); at >= 0 {
				cells[at+3] = excelize.Cell{StyleID: text, Value: quoteFormula(c.Value)}
			}
		}
		cell, err := excelize.CoordinatesToCellName(1, i+2)
		if err != nil {
			return err
		}
		if err := stream.SetRow(cell, cells); err != nil {
			return err
		}
	}
	if err := stream.Flush(); err != nil {
		return err
	}
	_, err = file.WriteTo(w)
	return err
}

// noFolder has no room for a file. A sheet of over 16 MiB would be written to one in
// the system's folder for such, as anyone can read it who finds the disk; where
// that fails, the library keeps it in memory.
const noFolder = os.DevNull

// rejectColumn is a column of the workbook: a field under one title.
type rejectColumn struct{ field, title string }

func columnOf(c schemas.Cell) rejectColumn { return rejectColumn{c.Field, c.Column} }

// JSON records may each have names of their own; a sheet has no room for all of
// them. What is beyond is left out.
const (
	mostSpellings = 20  // of one field
	mostOthers    = 200 // that are no field's
)

// rejectColumns lists the national fields in their order, under the titles
// the clerk used, then whatever else his rows hold. Fields that none of the
// rows filled are there too: an empty one may be what is wrong.
func rejectColumns(dict *schemas.Dictionary, rejects []Reject) []rejectColumn {
	used := make(map[string][]rejectColumn)
	var others []rejectColumn
	for _, reject := range rejects {
		for _, c := range reject.Row.Cells {
			column := columnOf(c)
			switch {
			case c.Field != "" && len(used[c.Field]) < mostSpellings && !slices.Contains(used[c.Field], column):
				used[c.Field] = append(used[c.Field], column)
			case c.Field == "" && c.Column != "" && len(others) < mostOthers && !slices.Contains(others, column):
				others = append(others, column)
			}
		}
	}
	var columns []rejectColumn
	for _, f := range dict.Fields {
		switch {
		case len(used[f.Code]) > 0:
			columns = append(columns, used[f.Code]...)
		case !f.Extension:
			columns = append(columns, rejectColumn{f.Code, f.Name.ZH})
		}
	}
	return append(columns, others...)
}

// explain joins what is wrong and how to correct it, refusals only.
func explain(findings []schemas.Finding, lang string) (problems, hints string) {
	var said, advice []string
	for _, f := range findings {
		if f.Warning {
			continue
		}
		view := f.In(lang)
		message := view.Message
		if view.Column != "" && !strings.Contains(message, view.Column) {
			message = view.Column + ": " + message
		}
		said = append(said, message)
		if view.Hint != "" && !slices.Contains(advice, view.Hint) {
			advice = append(advice, view.Hint)
		}
	}
	return strings.Join(said, "\n"), strings.Join(advice, "\n")
}
