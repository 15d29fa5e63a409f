package tabular_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// TestOneFileInManyDresses sends the same decisions as different programs and
// clerks write them. Each must be judged and recorded as the plain file is.
func TestOneFileInManyDresses(t *testing.T) {
	in, m := newIntake(t)
	clean := m.Files[slices.IndexFunc(m.Files, func(f sampleFile) bool { return f.File == "tj-clean.csv" })]
	raw, err := os.ReadFile(filepath.Join(samples, clean.File))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	plain = plain[:40]
	read := func(name string, file []byte) []schemas.Outcome {
		reader, err := tabular.Open(bytes.NewReader(file), in.kind.Dictionary(), tabular.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checker := in.kind.NewChecker(in.env(clean))
		var outcomes []schemas.Outcome
		for {
			row, err := reader.Next()
			if errors.Is(err, io.EOF) {
				return outcomes
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			outcomes = append(outcomes, checker.Check(row))
		}
	}
	want := read("plain", delimited(t, plain, ','))
	if len(want) != len(plain)-1 {
		t.Fatalf("%d rows", len(want))
	}
	for name, dress := range map[string]func(*testing.T, [][]string) []byte{
		"tabs":       func(t *testing.T, table [][]string) []byte { return delimited(t, table, '\t') },
		"semicolons": func(t *testing.T, table [][]string) []byte { return delimited(t, table, ';') },
		"bars in GB18030": func(t *testing.T, table [][]string) []byte {
			file, err := simplifiedchinese.GB18030.NewEncoder().Bytes(delimited(t, table, '|'))
			if err != nil {
				t.Fatal(err)
			}
			return file
		},
		"names with notes": func(t *testing.T, table [][]string) []byte {
			for i := range table[0] {
				c, _ := in.kind.Dictionary().Column(table[0][i])
				table[0][i] = c.Field.Name.ZH + "（必填，见填表说明）"
			}
			return delimited(t, table, ',')
		},
		"between title and notes": func(t *testing.T, table [][]string) []byte {
			numbers := make([]string, len(table[0]))
			for i := range numbers {
				numbers[i] = strconv.Itoa(i + 1)
			}
			head := [][]string{{"［内部］行政处罚信息报送表"}, {"填报单位：某单位", "", "单位：万元"}, {}, table[0], numbers}
			return delimited(t, append(append(head, table[1:]...), []string{"合计", "39"}, []string{}, []string{"填表人：某"}), ',')
		},
		"dates in words": func(t *testing.T, table [][]string) []byte {
			return delimited(t, redated(table, func(day time.Time) string { return day.Format("2006年1月2日") }), ',')
		},
		"dates with the day of the week": func(t *testing.T, table [][]string) []byte {
			return delimited(t, redated(table, func(day time.Time) string {
				return day.Format("2006-1-2 ") + "星期" + []string{"日", "一", "二", "三", "四", "五", "六"}[day.Weekday()]
			}), ',')
		},
		"moments in UTC": func(t *testing.T, table [][]string) []byte {
			return delimited(t, redated(table, func(day time.Time) string { return day.Add(-8 * time.Hour).Format(time.RFC3339) }), ',')
		},
		"full-width codes, dates and amounts": func(t *testing.T, table [][]string) []byte {
			for i := range table[0] {
				switch table[0][i] {
				case "CF_XDR_SHXYM", "CF_WSH", "CF_NR_FK", "CF_JDRQ", "CF_CFJGDM":
					for _, row := range table[1:] {
						row[i] = fullWidth(row[i])
					}
				}
			}
			return delimited(t, table, ',')
		},
		"amounts in 元": func(t *testing.T, table [][]string) []byte {
			at := slices.Index(table[0], "CF_NR_FK")
			table[0][at] = "罚款金额（单位：元）"
			for _, row := range table[1:] {
				if row[at] != "" {
					wan, err := strconv.ParseFloat(row[at], 64)
					if err != nil {
						t.Fatal(err)
					}
					row[at] = strconv.FormatFloat(wan*10_000, 'f', 2, 64)
				}
			}
			return delimited(t, table, ',')
		},
		"JSON": func(t *testing.T, table [][]string) []byte {
			records := make([]map[string]any, 0, len(table))
			for _, row := range table[1:] {
				record := make(map[string]any)
				for i, cell := range row {
					if record[table[0][i]] = cell; cell == "" {
						record[table[0][i]] = nil
					}
				}
				records = append(records, record)
			}
			file, err := json.MarshalIndent(map[string]any{"count": len(records), "records": records}, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			return file
		},
		"a workbook of texts":  func(t *testing.T, table [][]string) []byte { return inWorkbook(t, table, false) },
		"a workbook of values": func(t *testing.T, table [][]string) []byte { return inWorkbook(t, table, true) },
	} {
		t.Run(name, func(t *testing.T) {
			table := make([][]string, len(plain))
			for i := range plain {
				table[i] = slices.Clone(plain[i])
			}
			got := read(name, dress(t, table))
			if len(got) != len(want) {
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i].State != want[i].State || got[i].Rule != want[i].Rule || !bytes.Equal(got[i].Content, want[i].Content) {
					t.Fatalf("row %d: %s %s %q\n%v, want %s %q", i+1, got[i].State, got[i].Rule, got[i].Content, got[i].Findings, want[i].State, want[i].Content)
				}
			}
		})
	}
}

func delimited(t *testing.T, table [][]string, comma rune) []byte {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Comma = comma
	if err := w.WriteAll(table); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// redated writes the dates of a table in another way.
func redated(table [][]string, write func(time.Time) string) [][]string {
	for _, row := range table[1:] {
		for i, cell := range row {
			if day, err := time.Parse("2006/01/02", cell); err == nil {
				row[i] = write(day)
			}
		}
	}
	return table
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r + 0xFEE0
		}
		return r
	}, s)
}

// inWorkbook writes a table below a merged title, beside a hidden sheet, with
// styled empty cells far to the right and below. As values, amounts are
// numbers and dates are serials.
func inWorkbook(t *testing.T, table [][]string, values bool) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const sheet = "Sheet1"
	must(f.SetCellValue(sheet, "A1", "行政处罚信息"))
	must(f.MergeCell(sheet, "A1", "F1"))
	for r, row := range table {
		cells := make([]any, len(row))
		for i, cell := range row {
			cells[i] = cell
			if day, err := time.Parse("2006/01/02", cell); err == nil && values {
				cells[i] = day
			}
			if amount, err := strconv.ParseFloat(cell, 64); err == nil && values && table[0][i] == "CF_NR_FK" {
				cells[i] = amount
			}
		}
		must(f.SetSheetRow(sheet, fmt.Sprintf("A%d", r+3), &cells))
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	must(err)
	must(f.SetCellStyle(sheet, "AMJ5", "AMJ5", bold))
	must(f.SetCellStyle(sheet, "A900", "F900", bold))
	_, err = f.NewSheet("上月")
	must(err)
	must(f.SetSheetRow("上月", "A1", &table[0]))
	must(f.SetSheetRow("上月", "A2", &table[1]))
	must(f.SetSheetVisible("上月", false))
	var out bytes.Buffer
	_, err = f.WriteTo(&out)
	must(err)
	return out.Bytes()
}
