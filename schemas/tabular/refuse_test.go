package tabular

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/xinqiao/creditgw/schemas"
)

const goodHeader = "CF_XDR_MC,CF_WSH,CF_CFLB\n"

// compound is the beginning of an OLE2 compound file.
const compound = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// TestRefused sends what no row can be read from. Each has one code and one
// status, a message and a way out in both languages.
func TestRefused(t *testing.T) {
	encrypted := compound + "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00"
	for _, c := range []struct {
		name   string
		file   []byte
		code   string
		status int
	}{
		{"empty", nil, "EMPTY_FILE", 400},
		{"byte order mark only", []byte("\ufeff\r\n "), "EMPTY_FILE", 400},
		{".xls or .et", []byte(compound + strings.Repeat("\x00", 512)), "OLD_WORKBOOK", 415},
		{"encrypted", []byte(encrypted), "ENCRYPTED_WORKBOOK", 415},
		{"PDF", []byte("%PDF-1.7"), "UNSUPPORTED_FORMAT", 415},
		{"web page called .xls", []byte("<html><table>"), "UNSUPPORTED_FORMAT", 415},
		{"a document of words", archive(t, map[string]string{"word/document.xml": "<a/>",
			"_rels/.rels": `<Relationships><Relationship Id="1" Type="http://x/officeDocument" Target="word/document.xml"/></Relationships>`}), "UNSUPPORTED_FORMAT", 415},
		{"another zip", archive(t, map[string]string{"word/document.xml": "<a/>"}), "UNSUPPORTED_FORMAT", 415},
		{"half a workbook", workbook(t, func(*excelize.File) {})[:2000], "MALFORMED", 400},
		{"UTF-16", utf16(t, goodHeader), "WRONG_CHARSET", 415},
		{"Latin-1", []byte("CF_XDR_MC,CF_WSH,CF_CFLB\nM\xfcller,1,\xff\xff\n"), "WRONG_CHARSET", 415},
		{"broken UTF-8 further down", []byte(goodHeader + strings.Repeat("甲,1,罚款\n", 9000) + "\xff\xfe,1,1\n"), "WRONG_CHARSET", 415},
		{"unknown header", []byte("a,b,c\n1,2,3\n"), "UNKNOWN_HEADER", 400},
		{"no header in a workbook", workbook(t, func(*excelize.File) {}), "UNKNOWN_HEADER", 400},
		{"10,000 columns", []byte(strings.Repeat("CF_XDR_MC,", 10_000) + "\n"), "TOO_MANY_COLUMNS", 413},
		{"10,000 columns in JSON", []byte("[{" + manyKeys(10_000) + "}]"), "TOO_MANY_COLUMNS", 413},
		{"quote that is never closed", []byte(goodHeader + "甲,\"1" + strings.Repeat("x", 2<<20)), "RECORD_TOO_LONG", 413},
		{"JSON record without end", []byte(`[{"BZ":"` + strings.Repeat("x", 4<<20)), "RECORD_TOO_LONG", 413},
		{"zip bomb", archive(t, map[string]string{"xl/workbook.xml": "<a/>", "xl/worksheets/sheet1.xml": strings.Repeat("0", 40<<20)}), "WORKBOOK_TOO_LARGE", 413},
		{"truncated JSON", []byte(`{"records":[{"BZ":"x"}`), "MALFORMED", 400},
		{"JSON with a tail", []byte(`[{"BZ":"x"}] x`), "MALFORMED", 400},
		{"JSON of another shape", []byte(`{"BZ":"x"}`), "UNKNOWN_HEADER", 400},
		{"one JSON record to the line", []byte("{\"BZ\":\"x\"}\n{\"BZ\":\"y\"}\n"), "UNKNOWN_HEADER", 400},
		{"JSON with another name for records", []byte(`{"rows":[{"BZ":"x"}]}`), "UNKNOWN_HEADER", 400},
		{"records twice", []byte(`{"records":[],"records":[]}`), "MALFORMED", 400},
		{"a name twice in a record", []byte(`[{"BZ":"x","BZ":"y"}]`), "MALFORMED", 400},
		{"nested value", []byte(`[{"BZ":{"a":1}}]`), "MALFORMED", 400},
		{"array of numbers", []byte(`[1,2]`), "MALFORMED", 400},
		{"deep nesting", []byte(strings.Repeat("[", 100_000)), "MALFORMED", 400},
		{"broken UTF-8 in JSON", []byte("[{\"BZ\":\"\xff\"}]"), "WRONG_CHARSET", 415},
		{"damaged sheet", sheetArchive(t, `<worksheet xmlns="`+sheetNS+`"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>CF_XDR_MC</t></is></c><c r="B1" t="inlineStr"><is><t>CF_WSH</t></is></c><c r="C1" t="inlineStr"><is><t>CF_CFLB</t></is></c></row><row r="2"><c`), "MALFORMED", 400},
		{"a row of attributes", sheetArchive(t, sheetOf(`<row r="2" `+strings.Repeat(`a="" `, 300_000)+`/>`)), "MALFORMED", 400},
	} {
		_, _, err := readAll(c.file)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if e.Code != c.code || e.Status != c.status {
			t.Errorf("%s: %s %d, want %s %d", c.name, e.Code, e.Status, c.code, c.status)
		}
		if e.Message.ZH == "" || e.Message.EN == "" || e.Hint.ZH == "" || e.Hint.EN == "" {
			t.Errorf("%s: %s is not told in both languages", c.name, e.Code)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:1", fmt.Sprint("k", i))
	}
	return b.String()
}

func archive(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range parts {
		part, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sheetNS is the name space of sheets.
const sheetNS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

// sheetArchive is a sound workbook whose only sheet has the given XML.
func sheetArchive(t testing.TB, sheet string) []byte {
	t.Helper()
	raw := workbook(t, func(*excelize.File) {})
	sound, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	parts := make(map[string]string)
	for _, f := range sound.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = string(content)
	}
	const part = "xl/worksheets/sheet1.xml"
	if parts[part] == "" {
		t.Fatal("no sheet to replace")
	}
	parts[part] = sheet
	return archive(t, parts)
}

// endless is a file of good rows that never ends; it counts what is taken.
type endless struct {
	pending []byte
	taken   int64
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.pending) == 0 {
		e.pending = []byte(strings.Repeat("甲,1号,罚款\n", 1000))
		if e.taken == 0 {
			e.pending = append([]byte(goodHeader), e.pending...)
		}
	}
	n := copy(p, e.pending)
	e.pending = e.pending[n:]
	e.taken += int64(n)
	return n, nil
}

// drain reads rows without keeping them and returns how many there were.
func drain(t *testing.T, src io.Reader, limits Limits) (int, *Error) {
	t.Helper()
	r, err := Open(src, penaltyFields(), limits)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if _, err := r.Next(); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if _, again := r.Next(); again != err {
				t.Error("an error does not last")
			}
			return n, e
		}
	}
}

func TestEndlessFileIsStopped(t *testing.T) {
	src := &endless{}
	if n, e := drain(t, src, Limits{Rows: 20_000}); n != 20_000 || e.Code != "TOO_MANY_ROWS" || e.Status != 413 {
		t.Errorf("%d rows, %v", n, e)
	}
	src = &endless{}
	_, e := drain(t, src, Limits{Bytes: 1 << 20})
	if e.Code != "FILE_TOO_LARGE" || e.Status != 413 || src.taken > 1<<20+1 {
		t.Errorf("%v after %d bytes", e, src.taken)
	}
}

// TestFileOfExactlyTheLimitPasses keeps the limit from being one too low.
func TestFileOfExactlyTheLimitPasses(t *testing.T) {
	file := goodHeader + "甲,1号,罚款\n"
	if rows, _, err := readLimited(strings.NewReader(file), Limits{Bytes: int64(len(file)), Rows: 1}); err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

type brokenSource struct{ err error }

func (b brokenSource) Read([]byte) (int, error) { return 0, b.err }

// TestSourceErrorsAreNotTheFiles keeps a lost connection from being told to a
// clerk as a fault of his file.
func TestSourceErrorsAreNotTheFiles(t *testing.T) {
	lost := errors.New("connection lost")
	for _, head := range []string{"", goodHeader + strings.Repeat("甲,1号,罚款\n", 20_000), `[{"BZ":"x"},`, "PK\x03\x04"} {
		_, _, err := readLimited(io.MultiReader(strings.NewReader(head), brokenSource{lost}), Limits{})
		if !errors.Is(err, lost) {
			t.Errorf("%.20q: %v", head, err)
		}
	}
}

// TestRejectsRoundTrip sends bad rows back as a workbook and reads it as if
// the clerk had submitted it again untouched.
func TestRejectsRoundTrip(t *testing.T) {
	file := "序号,行政相对人名称,行政处罚决定书文号,罚款金额（元）,备注,我的列\n" +
		"1,=cmd|'/c calc'!A0,1号,2000,+86,自用\n2,＠甲,,0.30,-,\n3,乙\t公司,00123,1e3,\"两\n行\",=1+1\n"
	rows, _, err := readAll([]byte(file))
	if err != nil || len(rows) != 3 {
		t.Fatal(len(rows), err)
	}
	var rejects []Reject
	for _, row := range rows {
		f := schemas.NewFinding(schemas.Required, row)
		rejects = append(rejects, Reject{row, []schemas.Finding{f}})
	}
	for _, lang := range []string{"zh", "en"} {
		var out bytes.Buffer
		if err := WriteRejects(&out, penaltyFields(), rejects, lang); err != nil {
			t.Fatal(err)
		}
		requireNoFormulas(t, out.Bytes())
		again, findings, err := readAll(out.Bytes())
		if err != nil || len(again) != len(rows) {
			t.Fatalf("%d rows: %v", len(again), err)
		}
		for i := range rows {
			if !bytes.Equal(schemas.RowContent(again[i]), schemas.RowContent(rows[i])) {
				t.Errorf("row %d: %s, was %s", i+1, values(again[i]), values(rows[i]))
			}
			if len(again[i].Lacks) != 0 {
				t.Errorf("row %d lacks %v: columns to fill in are missing", i+1, again[i].Lacks)
			}
		}
		if got := told(findings); got != "COLUMN_IN_YUAN@1 UNKNOWN_COLUMN@1" {
			t.Errorf("told %s", got)
		}
	}
}

// requireNoFormulas opens the workbook as a spreadsheet would and looks for
// cells that it would evaluate, now or after an edit.
func requireNoFormulas(t *testing.T, raw []byte) {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sheet := f.GetSheetName(0)
	rows, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	if head := rows[0]; head[0] != problemTitle.ZH && head[0] != problemTitle.EN {
		t.Errorf("header %v", head)
	}
	for i, row := range rows {
		for k, cell := range row {
			name, err := excelize.CoordinatesToCellName(k+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			formula, err := f.GetCellFormula(sheet, name)
			if err != nil || formula != "" || (cell != "" && strings.ContainsRune(formulaStarts, []rune(cell)[0])) {
				t.Errorf("%s would be evaluated: %q %q %v", name, cell, formula, err)
			}
		}
	}
}

// Names stand again in every row that is kept, and each in every list of columns.
func TestNamesAreBounded(t *testing.T) {
	long := strings.Repeat("很长", 10_000)
	for name, file := range map[string]string{
		"CSV":  "CF_XDR_MC,CF_WSH,CF_CFLB," + long + "\n甲,1号,罚款,x\n",
		"JSON": `[{"CF_XDR_MC":"甲","` + long + `":"x"}]`,
	} {
		rows, _, err := readAll([]byte(file))
		if err != nil || len(rows) != 1 {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
			continue
		}
		last := rows[0].Cells[len(rows[0].Cells)-1]
		if last.Value != "x" || len(last.Column) > longestTitle || !strings.HasPrefix(long, last.Column) || last.Column == "" {
			t.Errorf("%s: the column's name has %d bytes", name, len(last.Column))
		}
	}
	var rejects []Reject
	for i := range 1000 {
		row := schemas.Row{Number: i + 1}
		for j := range 50 {
			row.Cells = append(row.Cells, schemas.Cell{Column: fmt.Sprint(i, " ", j), Value: "x"},
				schemas.Cell{Field: "BZ", Column: fmt.Sprint("BZ", i, " ", j), Value: "x"})
		}
		rejects = append(rejects, Reject{Row: row})
	}
	most := len(penaltyFields().Fields) + mostSpellings + mostOthers
	if n := len(rejectColumns(penaltyFields(), rejects)); n > most {
		t.Errorf("rows with names of their own make %d columns", n)
	}
}

// A large workbook of bad rows leaves nothing on the disk, not even while it is
// written.
func TestRejectsStayInMemory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var rejects []Reject
	for i := range 20 {
		rejects = append(rejects, Reject{Row: schemas.Row{Number: i + 1, Cells: []schemas.Cell{
			{Field: "BZ", Column: "BZ", Value: strings.Repeat("x", 30_000)}, {Column: "其他", Value: strings.Repeat("y", 30_000)}}}})
	}
	for len(rejects) < 400 {
		rejects = append(rejects, rejects...)
	}
	out := &onDisk{t: t, dir: dir}
	if err := WriteRejects(out, penaltyFields(), rejects, "zh"); err != nil {
		t.Fatal(err)
	}
	if !out.written {
		t.Error("nothing was written")
	}
}

// onDisk is written to while all is there that was put aside.
type onDisk struct {
	t       *testing.T
	dir     string
	written bool
}

func (o *onDisk) Write(p []byte) (int, error) {
	o.written = true
	files, err := os.ReadDir(o.dir)
	if err != nil || len(files) > 0 {
		o.t.Errorf("%d files lie beside it: %v", len(files), err)
	}
	return len(p), nil
}
