package tabular

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/xinqiao/creditgw/schemas"
)

// smallLimits make the limits easy to reach for the fuzzer.
var smallLimits = Limits{Bytes: 1 << 20, Rows: 1000, Columns: 50, Record: 4096, Unzipped: 1 << 20}

// FuzzOpen reads any bytes. What it reads must keep the promises of a row,
// and what it refuses must be told.
func FuzzOpen(f *testing.F) {
	for _, s := range csvStories {
		f.Add([]byte(s.file))
		if gb, err := simplifiedchinese.GB18030.NewEncoder().String(s.file); err == nil {
			f.Add([]byte(gb))
		}
	}
	f.Add([]byte(`{"schema":"administrative-penalty","records":[{"CF_XDR_MC":"甲","CF_NR_FK":0.2}]}`))
	f.Add([]byte(`[{"record":{"BZ":"x"},"author":{}}]`))
	f.Add(workbook(f, func(file *excelize.File) {
		setRow(f, file, "Sheet1", "A1", "CF_XDR_MC", "CF_WSH", "CF_CFLB")
		setRow(f, file, "Sheet1", "A2", "甲", "1号", "罚款")
	}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := Open(bytes.NewReader(raw), penaltyFields(), smallLimits)
		if err != nil {
			requireTold(t, err)
			return
		}
		for n := 1; ; n++ {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				requireTold(t, err)
				return
			}
			if row.Number != n || n > smallLimits.Rows || len(row.Cells) > smallLimits.Columns {
				t.Fatalf("row %d is numbered %d and has %d cells", n, row.Number, len(row.Cells))
			}
			for _, c := range row.Cells {
				if c.Value == "" || strings.Contains(c.Column, "\x00") && c.Field != "" {
					t.Fatalf("empty cell in row %d", n)
				}
			}
		}
	})
}

func requireTold(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code == "" || e.Status < 400 {
		t.Fatalf("%v is not an error that a clerk can be told", err)
	}
}

// FuzzSheet puts any XML in the place of a sheet's.
func FuzzSheet(f *testing.F) {
	f.Add(`<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>CF_XDR_MC</t></is></c></row></sheetData><mergeCells><mergeCell ref="A1:A9"/></mergeCells></worksheet>`)
	f.Add(`<worksheet><sheetData><row r="1048576"><c r="XFD1048576" t="s"><v>9</v></c></row></sheetData></worksheet>`)
	f.Fuzz(func(t *testing.T, sheet string) {
		if _, _, err := readLimited(bytes.NewReader(sheetArchive(t, sheet)), smallLimits); err != nil {
			requireTold(t, err)
		}
	})
}

// FuzzRejects holds a text to surviving the way out to a clerk and back.
func FuzzRejects(f *testing.F) {
	f.Add("=1+1", "备注")
	f.Add("'＝1", "x")
	f.Fuzz(func(t *testing.T, value, column string) {
		if quoted := quoteFormula(value); quoted != "" && strings.ContainsRune(formulaStarts, []rune(quoted)[0]) {
			t.Fatalf("%q is written as %q", value, quoted)
		}
		row := schemas.Row{Number: 1, Cells: []schemas.Cell{{Field: "BZ", Column: column, Value: value}}}
		if err := WriteRejects(io.Discard, penaltyFields(), []Reject{{Row: row}}, "zh"); err != nil {
			t.Fatal(err)
		}
	})
}
