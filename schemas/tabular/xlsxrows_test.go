package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// headRow is a header of three known columns as inline strings.
const headRow = `<row r="1"><c r="A1" t="inlineStr"><is><t>CF_XDR_MC</t></is></c>` +
	`<c r="B1" t="inlineStr"><is><t>CF_WSH</t></is></c><c r="C1" t="inlineStr"><is><t>CF_CFLB</t></is></c></row>`

func sheetOf(rows string) string {
	return `<worksheet xmlns="` + sheetNS + `"><sheetData>` + headRow + rows + `</sheetData></worksheet>`
}

// The ways in which spreadsheet programs write a cell down.
func TestCellsAsProgramsWriteThem(t *testing.T) {
	for name, c := range map[string]struct{ row, want string }{
		"runs of rich text": {
			`<row r="2"><c r="A2" t="inlineStr"><is><r><t>甲</t></r><r><rPr><b/></rPr><t xml:space="preserve"> 公司</t></r></is></c></row>`,
			"2 CF_XDR_MC=甲 公司"},
		"how to read it aloud": {
			`<row r="2"><c r="A2" t="inlineStr"><is><t>重庆</t><rPh sb="0" eb="2"><t>chongqing</t></rPh></is></c></row>`,
			"2 CF_XDR_MC=重庆"},
		"escaped characters": {
			`<row r="2"><c r="A2" t="inlineStr"><is><t>甲_x000A_乙_x005F_x000A_</t></is></c></row>`,
			"2 CF_XDR_MC=甲\n乙_x000A_"},
		"no references": {
			`<row><c><v>1</v></c><c/><c><v>3</v></c></row>`,
			"2 CF_XDR_MC=1 CF_CFLB=3"},
		"a gap in both directions": {
			`<row r="7"><c r="C7"><v>3</v></c></row>`,
			"7 CF_CFLB=3"},
		"a formula and its value": {
			`<row r="2"><c r="B2" t="str"><f>CONCAT("1","号")</f><v>1号</v></c></row>`,
			"2 CF_WSH=1号"},
		"escaped characters in a formula's value": {
			`<row r="2"><c r="B2" t="str"><f>A1</f><v>1_x000D_号</v></c></row>`,
			"2 CF_WSH=1\r号"},
		"a date as the standard writes it": {
			`<row r="2"><c r="B2" t="d"><v>2026-06-24T00:00:00</v></c></row>`,
			"2 CF_WSH=2026-06-24T00:00:00"},
		"a formula without a value": {
			`<row r="2"><c r="A2"><v>1</v></c><c r="B2"><f>A1</f><v></v></c></row>`,
			"2 CF_XDR_MC=1"},
		"styled cells and rows without content": {
			`<row r="2"><c r="A2"><v>1</v></c><c r="B2" s="3"/><c r="AMJ2" s="3"/></row><row r="3" spans="1:3"><c r="A3" s="1"/></row><row r="1048576" ht="12.8"/>`,
			"2 CF_XDR_MC=1"},
		"a space in the last column": {
			`<row r="2"><c r="A2"><v>1</v></c><c r="XFD2" t="str"><v xml:space="preserve"> </v></c></row>`,
			"2 CF_XDR_MC=1"},
		"a shared text that is not there": {
			`<row r="2"><c r="A2" t="s"><v>99</v></c><c r="B2"><v>2</v></c></row>`,
			"2 CF_WSH=2"},
		"an entity": {
			`<row r="2"><c r="A2" t="str"><v>甲&amp;乙</v></c></row>`,
			"2 CF_XDR_MC=甲&乙"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _, err := readAll(sheetArchive(t, sheetOf(c.row)))
			if err != nil || len(rows) != 1 {
				t.Fatalf("%d rows: %v", len(rows), err)
			}
			if got := fmt.Sprint(rows[0].SheetRow, " ", values(rows[0])); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Some programs give every element a prefix.
func TestSheetWithPrefixes(t *testing.T) {
	sheet := sheetOf(`<row r="2"><c r="A2" t="inlineStr"><is><t>甲</t></is></c></row>`)
	sheet = strings.NewReplacer("</", "</x:", "<", "<x:", "xmlns=", "xmlns:x=").Replace(sheet)
	rows, _, err := readAll(sheetArchive(t, sheet))
	if err != nil || len(rows) != 1 || values(rows[0]) != "CF_XDR_MC=甲" {
		t.Errorf("%v %v", rows, err)
	}
}

// Damage to the order of rows is told where it is, with the row before it; the
// rows up to there were good.
func TestRowsOutOfOrderAreTold(t *testing.T) {
	row := func(r string) string { return `<row r="` + r + `"><c><v>1</v></c></row>` }
	rows, _, err := readAll(sheetArchive(t, sheetOf(row("2")+row("5")+row("4")+row("6"))))
	var e *Error
	if !errors.As(err, &e) || e.Line != 5 || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestMergedCells(t *testing.T) {
	rows := ""
	for r := 2; r <= 9; r++ {
		rows += fmt.Sprintf(`<row r="%d"><c r="B%d"><v>%d</v></c></row>`, r, r, r)
	}
	rows = strings.Replace(rows, `<c r="B2">`, `<c r="A2"><v>甲</v></c><c r="B2">`, 1)
	rows = strings.Replace(rows, `<c r="B5">`, `<c r="A5"><v>乙</v></c><c r="B5">`, 1)
	sheet := strings.Replace(sheetOf(rows), "</sheetData>",
		`</sheetData><mergeCells><mergeCell ref="A8:A9"/><mergeCell ref="A5:A6"/><mergeCell ref="A2:A4"/></mergeCells>`, 1)
	got, _, err := readAll(sheetArchive(t, sheet))
	var names []string
	for _, row := range got {
		names = append(names, values(row))
	}
	want := "CF_XDR_MC=甲 CF_WSH=2|CF_XDR_MC=甲 CF_WSH=3|CF_XDR_MC=甲 CF_WSH=4|CF_XDR_MC=乙 CF_WSH=5|CF_XDR_MC=乙 CF_WSH=6|CF_WSH=7|CF_WSH=8|CF_WSH=9"
	if g := strings.Join(names, "|"); err != nil || g != want {
		t.Errorf("%s %v, want %s", g, err, want)
	}
}

// What would put a value into another's place, or hide rows, is refused.
func TestDamagedSheetsAreRefused(t *testing.T) {
	for name, sheet := range map[string]string{
		"ends that do not match": sheetOf(`<row r="2"><c r="A2"><v>1</c></v></row>`),
		"an end too many":        sheetOf(``) + `</worksheet>`,
		"cut off":                strings.TrimSuffix(sheetOf(``), `</worksheet>`),
		"too deep":               strings.Repeat("<a>", mostDepth+1) + strings.Repeat("</a>", mostDepth+1),
		"rows out of order":      sheetOf(`<row r="3"/><row r="2"/>`),
		"a row beyond the last":  sheetOf(`<row r="1048577"/>`),
		"cells out of order":     sheetOf(`<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>2</v></c></row>`),
		"a column beyond ZZZ":    sheetOf(`<row r="2"><c r="ZZZZ2"><v>1</v></c></row>`),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readAll(sheetArchive(t, sheet))
			var e *Error
			if !errors.As(err, &e) || e.Code != "MALFORMED" {
				t.Errorf("%v", err)
			}
		})
	}
}

// Programs differ in where they put the parts of a workbook and in how they
// refer to them.
func TestPartsWhereProgramsPutThem(t *testing.T) {
	const types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	sheet := sheetOf(`<row r="2"><c r="A2" t="inlineStr"><is><t>甲</t></is></c></row>`)
	declared := `<workbook xmlns="` + sheetNS + `" xmlns:r="` + strings.TrimSuffix(types, "/") + `"><sheets><sheet name="表" sheetId="1" r:id="rId1"/></sheets></workbook>`
	related := func(kind, target string) string {
		return `<Relationships><Relationship Id="rId1" Type="` + types + kind + `" Target="` + target + `"/></Relationships>`
	}
	for name, parts := range map[string]map[string]string{
		"relative":                 {"xl/workbook.xml": declared, "xl/_rels/workbook.xml.rels": related("worksheet", "worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml": sheet},
		"absolute":                 {"xl/workbook.xml": declared, "xl/_rels/workbook.xml.rels": related("worksheet", "/xl/worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml": sheet},
		"absolute without a slash": {"xl/workbook.xml": declared, "xl/_rels/workbook.xml.rels": related("worksheet", "xl/worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml": sheet},
		"another folder":           {"xl/workbook.xml": declared, "xl/_rels/workbook.xml.rels": related("worksheet", "sheet.xml"), "xl/sheet.xml": sheet},
		"in other cases":           {"xl/workbook.xml": declared, "xl/_rels/workbook.xml.rels": related("worksheet", "Worksheets/Sheet1.xml"), "xl/worksheets/Sheet1.xml": sheet},
		"with backslashes":         {`xl\workbook.xml`: declared, `xl\_rels\workbook.xml.rels`: related("worksheet", "worksheets/sheet1.xml"), `xl\worksheets\sheet1.xml`: sheet},
		"a workbook of another name": {"_rels/.rels": related("officeDocument", "/xl/workbook2.xml"), "xl/workbook2.xml": declared,
			"xl/_rels/workbook2.xml.rels": related("worksheet", "worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml": sheet},
	} {
		rows, _, err := readAll(archive(t, parts))
		if err != nil || len(rows) != 1 || values(rows[0]) != "CF_XDR_MC=甲" {
			t.Errorf("%s: %v %v", name, rows, err)
		}
	}
}

// However often a workbook lists a sheet, it is read once.
func TestASheetIsReadOnce(t *testing.T) {
	const list = `<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>`
	const kind = `Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>`
	raw := archive(t, map[string]string{
		"xl/workbook.xml":            list + strings.Repeat(`<sheet name="a" r:id="r1"/><sheet name="b" r:id="r2"/>`, 5) + `</sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" ` + kind + `<Relationship Id="r2" ` + kind + `</Relationships>`,
		"xl/worksheets/sheet1.xml":   sheetOf(`<row r="2"><c r="A2"><v>1</v></c></row>`),
	})
	rows, _, err := readAll(raw)
	if err != nil || len(rows) != 1 || rows[0].Sheet != "a" {
		t.Errorf("%d rows of a sheet of one, %v", len(rows), err)
	}
}

// A text that is kept once may stand in every cell. What comes of it is bounded
// like the rows of any other file.
func TestOneTextInManyCellsIsCountedInEach(t *testing.T) {
	limits := Limits{Bytes: 1 << 20, Record: 64 << 10}
	text := strings.Repeat("x", 20<<10)
	book := func(rows, cells int) []byte {
		t.Helper()
		return workbook(t, func(f *excelize.File) {
			setRow(t, f, "Sheet1", "A1", "CF_XDR_MC", "CF_WSH", "CF_CFLB", "CF_NR", "CF_JDRQ")
			for i := range rows {
				row := make([]any, cells)
				for j := range row {
					row[j] = text
				}
				setRow(t, f, "Sheet1", fmt.Sprint("A", i+2), row...)
			}
		})
	}
	for _, c := range []struct {
		rows, cells int
		code        string
	}{
		{rows: 10, cells: 3},
		{rows: 1, cells: 4, code: "RECORD_TOO_LONG"},
		{rows: 100, cells: 3, code: "WORKBOOK_TOO_LARGE"},
	} {
		rows, _, err := readLimited(bytes.NewReader(book(c.rows, c.cells)), limits)
		var e *Error
		if c.code == "" && (err != nil || len(rows) != c.rows) || c.code != "" && (!errors.As(err, &e) || e.Code != c.code) {
			t.Errorf("%d rows of %d cells: %d are read, %v", c.rows, c.cells, len(rows), err)
		}
	}
}

// A space in the last column that there is makes no row as long as that: a
// million of them would be as much work as all cells of a full sheet.
func TestBlanksBeyondTheColumnsAreNotHandedOut(t *testing.T) {
	limits := Limits{}.withDefaults()
	raw := sheetArchive(t, sheetOf(`<row r="2"><c r="A2"><v>1</v></c><c r="XFD2"><v> </v></c></row>`+
		`<row r="3"><c r="A3"><v>1</v></c><c r="XFD3" t="s"><v>0</v></c></row>`))
	book, err := readParts(raw, limits)
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSheet(book.sheets[0].file, []string{"\u3000"}, limits)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for l, ok := s.next(); ok; l, ok = s.next() {
		if lines++; len(l.cells) > limits.Columns {
			t.Errorf("line %d has %d cells", l.number, len(l.cells))
		}
	}
	if lines != 3 {
		t.Errorf("%d lines, want 3", lines)
	}
}
