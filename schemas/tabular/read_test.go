package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/xinqiao/creditgw/schemas"
)

func penaltyFields() *schemas.Dictionary {
	kind, _ := schemas.Default().Kind(schemas.PenaltyKind)
	return kind.Dictionary()
}

// readAll reads a file to its end or its error.
func readAll(raw []byte) ([]schemas.Row, []schemas.Finding, error) {
	return readLimited(bytes.NewReader(raw), Limits{})
}

func readLimited(src io.Reader, limits Limits) ([]schemas.Row, []schemas.Finding, error) {
	r, err := Open(src, penaltyFields(), limits)
	if err != nil {
		return nil, nil, err
	}
	var rows []schemas.Row
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, r.Findings(), nil
		}
		if err != nil {
			return rows, r.Findings(), err
		}
		rows = append(rows, row)
	}
}

// values renders a row's fields as "CODE=value …" in file order.
func values(row schemas.Row) string {
	var parts []string
	for _, c := range row.Cells {
		parts = append(parts, c.Field+"="+c.Value)
	}
	return strings.Join(parts, " ")
}

// told lists the findings of a file as "RULE@line".
func told(findings []schemas.Finding) string {
	var parts []string
	for _, f := range findings {
		if f.Rule != schemas.OldForm {
			parts = append(parts, fmt.Sprintf("%s@%d", f.Rule, f.SheetRow))
		}
	}
	return strings.Join(parts, " ")
}

// csvStories are files as they come, what is read from them and what is told.
var csvStories = []struct {
	name, file, rows, told string
}{
	{"national codes", "CF_XDR_MC,CF_WSH,CF_CFLB\n甲,1号,罚款\n乙,2号,警告\n",
		"2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款|3:CF_XDR_MC=乙 CF_WSH=2号 CF_CFLB=警告", ""},
	{"names with full-width brackets and marks", "*行政相对人名称,行政处罚决定书文号（必填）,罚款金额（万元）\n甲,1号,0.2\n",
		"2:CF_XDR_MC=甲 CF_WSH=1号 CF_NR_FK=0.2", ""},
	{"name and code in one cell", "\"行政相对人名称\nCF_XDR_MC\",\"文号\nCF_WSH\",\"处罚类别\nCF_CFLB\"\n甲,1号,罚款\n",
		"2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"title, blank line, unit and footer", "行政处罚信息报送表,,\n填报单位:某单位,,\n,,\n行政相对人名称,文号,处罚类别\n甲,1号,罚款\n,,\n填表说明:1.日期格式,,\n2.金额为万元,,\n",
		"5:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", "ROW_SKIPPED@7 ROW_SKIPPED@8"},
	{"serial numbers, totals and a repeated header", "序号,行政相对人名称,文号,处罚类别,罚款金额(万元),处罚机关\n1,甲,1号,罚款,0.2,某局\n本页小计,,,,0.2,\n序号,行政相对人名称,文号,处罚类别,罚款金额(万元),处罚机关\n2,乙,2号,罚款,0.3,某局\n合 计,2,,,0.5,\n",
		"2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款 CF_NR_FK=0.2 CF_CFJG=某局|5:CF_XDR_MC=乙 CF_WSH=2号 CF_CFLB=罚款 CF_NR_FK=0.3 CF_CFJG=某局",
		"COLUMN_SKIPPED@1 ROW_SKIPPED@3 ROW_SKIPPED@4 ROW_SKIPPED@6"},
	{"codes above names", "CF_XDR_MC,CF_XDR_SHXYM,CF_WSH,CF_CFLB,CF_NR_FK\n行政相对人名称,行政相对人代码_1（统一社会信用代码）,行政处罚决定书文号,处罚类别,罚款金额（万元）\n甲,1,1号,罚款,0.2\n",
		"3:CF_XDR_MC=甲 CF_XDR_SHXYM=1 CF_WSH=1号 CF_CFLB=罚款 CF_NR_FK=0.2", "ROW_SKIPPED@2"},
	{"aliases of the older form", "CF_XDR_MC,ZDM,GSDJ,SFZ,FR,XZJG,JG,CFLB1,CFLB2,CF_SY,CF_YJ,CFMC,ZT,DFBM,SJC,SYFW\n甲,1,2,3,乙,局,罚,警告,罚款,事,据,名,0,12,9,1\n",
		"2:CF_XDR_MC=甲 CF_XDR_ZZJG=1 CF_XDR_GSZC=2 CF_XDR_ZJHM=3 CF_FRDB=乙 CF_CFJG=局 CF_NR=罚 CF_CFLB=警告 CF_CFLB=罚款 CF_WFSS=事 CF_CFYJ=据 =名 =0 =12 =9 =1",
		"COLUMN_SKIPPED@1 COLUMN_SKIPPED@1 COLUMN_SKIPPED@1 COLUMN_SKIPPED@1 COLUMN_SKIPPED@1"},
	{"unknown column, kept for the way back", "CF_XDR_MC,CF_WSH,CF_CFLB,某列\n甲,1号,罚款,某\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款 =某", "UNKNOWN_COLUMN@1"},
	{"comma without quotes", "CF_XDR_MC,CF_WSH,CF_CFLB\n甲,1号,罚款,多\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款 =多", "UNKNOWN_COLUMN@2"},
	{"line break inside quotes", "CF_XDR_MC,CF_WSH,CF_WFSS\n甲,1号,\"一\n二\"\n乙,2号,三\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_WFSS=一\n二|3:CF_XDR_MC=乙 CF_WSH=2号 CF_WFSS=三", ""},
	{"tabs", "CF_XDR_MC\tCF_WSH\tCF_WFSS\n甲\t1号\t一,二\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_WFSS=一,二", ""},
	{"carriage returns", "CF_XDR_MC,CF_WSH,CF_CFLB\r\n甲,1号,罚款\r\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"a firm called 合计 is data", "CF_XDR_MC,CF_WSH,CF_CFLB\n合计运输公司,1号,罚款\n", "2:CF_XDR_MC=合计运输公司 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"a row with a name only is data", "CF_WSH,CF_XDR_MC,CF_CFLB\n,甲,\n", "2:CF_XDR_MC=甲", ""},
	{"amounts in 元 are told once", "CF_XDR_MC,CF_WSH,罚款金额（元）\n甲,1号,2000\n乙,2号,3000\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_NR_FK=2000|3:CF_XDR_MC=乙 CF_WSH=2号 CF_NR_FK=3000", "COLUMN_IN_YUAN@1"},
	{"semicolons, with commas in the texts", "CF_XDR_MC;CF_WSH;CF_WFSS\n甲;1号;a,b,c,d,e\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_WFSS=a,b,c,d,e", ""},
	{"a word to the spreadsheet", "sep=;\nCF_XDR_MC;CF_WSH;CF_CFLB\n甲;1号;罚款\n", "3:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"commas, with semicolons in the texts", "CF_XDR_MC,CF_WSH,CF_CFLB\n甲,1号,警告;罚款;行政拘留;没收违法所得\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=警告;罚款;行政拘留;没收违法所得", ""},
	{"bars", "行政相对人名称|文号|违法事实\n甲|1号|一,二;三\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_WFSS=一,二;三", ""},
	{"full-width commas", "行政相对人名称，文号，处罚类别\n甲，1号，罚款\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"carriage returns alone", "CF_XDR_MC,CF_WSH,CF_CFLB\r甲,1号,罚款\r乙,2号,警告\r", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款|3:CF_XDR_MC=乙 CF_WSH=2号 CF_CFLB=警告", ""},
	{"a title in brackets", "[内部资料]行政处罚信息,,\nCF_XDR_MC,CF_WSH,CF_CFLB\n甲,1号,罚款\n", "3:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"empty columns and lines at the end", "CF_XDR_MC,CF_WSH,CF_CFLB,,\n甲,1号,罚款,, \n,,,,\n , ,\t,,\n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"a space far to the right", "CF_XDR_MC,CF_WSH,CF_CFLB\n甲,1号,罚款" + strings.Repeat(",", 500) + " \n", "2:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款", ""},
	{"numbers of the columns", "CF_XDR_MC,CF_WSH,CF_CFLB,CF_WFSS,CF_NR\n1,2,3,4,5\n甲,1号,罚款,一,二\n", "3:CF_XDR_MC=甲 CF_WSH=1号 CF_CFLB=罚款 CF_WFSS=一 CF_NR=二", "ROW_SKIPPED@2"},
	{"a header of two lines", "序号,行政相对人,,,法定代表人,,文号,处罚机关,\n,名称,类别,统一社会信用代码,姓名,证件号码,,名称,统一社会信用代码\n1,甲,自然人,9,乙,1,1号,局,1\n",
		"3:CF_XDR_MC=甲 CF_XDR_LB=自然人 CF_XDR_SHXYM=9 CF_FRDB=乙 CF_FR_ZJHM=1 CF_WSH=1号 CF_CFJG=局 CF_CFJGDM=1", "COLUMN_SKIPPED@1"},
	{"header only", "CF_XDR_MC,CF_WSH,CF_CFLB\n", "", ""},
}

func TestCSV(t *testing.T) {
	gb18030 := simplifiedchinese.GB18030.NewEncoder()
	for _, s := range csvStories {
		encoded, err := gb18030.String(s.file)
		if err != nil {
			t.Fatal(err)
		}
		for charset, file := range map[string]string{"UTF-8": s.file, "UTF-8 with BOM": "\ufeff" + s.file, "GB18030": encoded} {
			rows, findings, err := readAll([]byte(file))
			if err != nil {
				t.Errorf("%s in %s: %v", s.name, charset, err)
				continue
			}
			var got []string
			for i, row := range rows {
				if row.Number != i+1 {
					t.Errorf("%s: row %d is numbered %d", s.name, i+1, row.Number)
				}
				got = append(got, fmt.Sprintf("%d:%s", row.SheetRow, values(row)))
			}
			if g := strings.Join(got, "|"); g != s.rows {
				t.Errorf("%s in %s:\n%s\nwant\n%s", s.name, charset, g, s.rows)
			}
			if g := told(findings); g != s.told {
				t.Errorf("%s in %s: told %s, want %s", s.name, charset, g, s.told)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	for _, s := range []struct{ name, file, rows string }{
		{"an object with records", `{"schema":"administrative-penalty","records":[{"CF_XDR_MC":"甲","CF_NR_FK":0.2},{"CF_WSH":"1号"}]}`, "CF_XDR_MC=甲 CF_NR_FK=0.2|CF_WSH=1号"},
		{"a bare array, names", `[{"行政相对人名称":"甲","罚款金额（元）":2000}]`, "CF_XDR_MC=甲 CF_NR_FK=2000"},
		{"schema behind records", `{"records":[],"schema":"administrative-penalty"}`, ""},
		{"an author's own", `{"records":[{"record":{"CF_XDR_MC":"甲"},"author":{"key_id":"k","sig":"s"}}]}`, "CF_XDR_MC=甲"},
		{"nulls and empties", `[{"CF_XDR_MC":null,"CF_WSH":"","BZ":"x"}]`, "BZ=x"},
		{"with a byte order mark", "\ufeff[{\"BZ\":\"x\"}]", "BZ=x"},
	} {
		rows, _, err := readAll([]byte(s.file))
		var got []string
		for _, row := range rows {
			got = append(got, values(row))
		}
		if g := strings.Join(got, "|"); err != nil || g != s.rows {
			t.Errorf("%s: %s %v, want %s", s.name, g, err, s.rows)
		}
	}
	rows, _, err := readAll([]byte(`[{"record":{"缴款识别码":22551681009804801234},"author":{"key_id":"k","sig":"s"}}]`))
	if err != nil || string(rows[0].Author) != `{"key_id":"k","sig":"s"}` || !rows[0].Cells[0].Number {
		t.Errorf("author block: %+v %v", rows, err)
	}
}

// workbook builds a workbook from what fill puts into it.
func workbook(t testing.TB, fill func(*excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var out bytes.Buffer
	if _, err := f.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func setRow(t testing.TB, f *excelize.File, sheet, cell string, cells ...any) {
	t.Helper()
	if err := f.SetSheetRow(sheet, cell, &cells); err != nil {
		t.Fatal(err)
	}
}

// TestWorkbook has what real workbooks have: a title over merged cells, notes
// on a sheet of their own, a hidden sheet, data on two sheets with different
// headers, typed numbers and dates, and a firm merged over two rows.
func TestWorkbook(t *testing.T) {
	raw := workbook(t, func(f *excelize.File) {
		for _, name := range []string{"说明", "代码", "二月"} {
			if _, err := f.NewSheet(name); err != nil {
				t.Fatal(err)
			}
		}
		setRow(t, f, "Sheet1", "A1", "行政处罚信息报送表")
		if err := f.MergeCell("Sheet1", "A1", "E1"); err != nil {
			t.Fatal(err)
		}
		setRow(t, f, "Sheet1", "A3", "序号", "行政相对人名称", "行政处罚决定书文号", "罚款金额（万元）", "处罚决定日期")
		setRow(t, f, "Sheet1", "A4", 1, "甲公司", "1号", 0.29, 46140)
		setRow(t, f, "Sheet1", "A5", 2, nil, "2号", "0.3", "2026/04/28")
		if err := f.MergeCell("Sheet1", "B4", "B5"); err != nil {
			t.Fatal(err)
		}
		setRow(t, f, "Sheet1", "A7", "填表说明:金额为万元")
		setRow(t, f, "说明", "A1", "请按格式填写")
		setRow(t, f, "代码", "A1", "CF_XDR_MC", "CF_WSH", "CF_CFLB")
		setRow(t, f, "代码", "A2", "藏", "9号", "罚款")
		if err := f.SetSheetVisible("代码", false); err != nil {
			t.Fatal(err)
		}
		setRow(t, f, "二月", "A1", "CF_WSH", "CF_XDR_MC", "CF_CFLB")
		setRow(t, f, "二月", "A2", "3号", "乙公司", "警告")
	})
	rows, findings, err := readAll(raw)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		got = append(got, fmt.Sprintf("%d %s!%d %s", row.Number, row.Sheet, row.SheetRow, values(row)))
	}
	want := []string{
		"1 Sheet1!4 CF_XDR_MC=甲公司 CF_WSH=1号 CF_NR_FK=0.29 CF_JDRQ=46140",
		"2 Sheet1!5 CF_XDR_MC=甲公司 CF_WSH=2号 CF_NR_FK=0.3 CF_JDRQ=2026/04/28",
		"3 二月!2 CF_WSH=3号 CF_XDR_MC=乙公司 CF_CFLB=警告",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	skipped := map[string]bool{}
	for _, f := range findings {
		if f.Rule == schemas.SheetSkipped {
			skipped[f.Sheet] = true
		}
	}
	if !skipped["说明"] || !skipped["代码"] || len(skipped) != 2 {
		t.Errorf("skipped sheets: %v", skipped)
	}
}

// TestHeaderOfMergedCells has names of groups over names of columns, both over
// merged cells.
func TestHeaderOfMergedCells(t *testing.T) {
	raw := workbook(t, func(f *excelize.File) {
		setRow(t, f, "Sheet1", "A1", "行政相对人名称", "处罚机关", nil, "文号", "我的列")
		setRow(t, f, "Sheet1", "A2", nil, "名称", "统一社会信用代码", nil, nil)
		setRow(t, f, "Sheet1", "A3", "甲公司", "某局", "1", "1号", "自用")
		for _, m := range [][2]string{{"A1", "A2"}, {"B1", "C1"}, {"D1", "D2"}, {"E1", "E2"}} {
			if err := f.MergeCell("Sheet1", m[0], m[1]); err != nil {
				t.Fatal(err)
			}
		}
	})
	rows, findings, err := readAll(raw)
	if err != nil || len(rows) != 1 || values(rows[0]) != "CF_XDR_MC=甲公司 CF_CFJG=某局 CF_CFJGDM=1 CF_WSH=1号 =自用" {
		t.Errorf("%v %v", rows, err)
	}
	if got := told(findings); got != "UNKNOWN_COLUMN@1" {
		t.Errorf("told %s", got)
	}
}

func TestWorkbookOf1904(t *testing.T) {
	raw := workbook(t, func(f *excelize.File) {
		yes := true
		if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}); err != nil {
			t.Fatal(err)
		}
		setRow(t, f, "Sheet1", "A1", "CF_XDR_MC", "CF_WSH", "CF_JDRQ")
		setRow(t, f, "Sheet1", "A2", "甲", "1号", 44678)
	})
	rows, _, err := readAll(raw)
	if err != nil || len(rows) != 1 || !rows[0].Date1904 {
		t.Fatalf("%+v %v", rows, err)
	}
	kind, _ := schemas.Default().Kind(schemas.PenaltyKind)
	o := kind.NewChecker(schemas.Env{Today: "2026-01-01"}).Check(rows[0])
	for _, f := range o.Findings {
		// 2026-04-28 lies after today only if the serial counts from 1904.
		if f.Rule == schemas.DateFuture {
			return
		}
	}
	t.Errorf("%v", o.Findings)
}

// TestCodesAsNumbers has codes that a workbook holds as numbers, in the two
// ways that spreadsheets write them. No digit is rebuilt.
func TestCodesAsNumbers(t *testing.T) {
	raw := sheetArchive(t, `<worksheet xmlns="`+sheetNS+`"><sheetData>`+
		`<row r="1"><c r="A1" t="inlineStr"><is><t>CF_XDR_SHXYM</t></is></c><c r="B1" t="inlineStr"><is><t>缴款识别码</t></is></c><c r="C1" t="inlineStr"><is><t>CF_NR_FK</t></is></c></row>`+
		`<row r="2"><c r="A2"><v>9.1120116001000102E+17</v></c><c r="B2"><v>22551681009804800000</v></c><c r="C2"><v>0.28999999999999998</v></c></row>`+
		`</sheetData></worksheet>`)
	rows, _, err := readAll(raw)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	kind, _ := schemas.Default().Kind(schemas.PenaltyKind)
	var spoilt []string
	for _, f := range kind.NewChecker(schemas.Env{Today: "2026-01-01"}).Check(rows[0]).Findings {
		if f.Rule == schemas.NumberPrecision {
			spoilt = append(spoilt, f.Cell)
		}
	}
	if strings.Join(spoilt, " ") != "A2 B2" {
		t.Errorf("spoilt: %v", spoilt)
	}
}

// TestOldFormIsToldOnce leaves three mandatory columns out.
func TestOldFormIsToldOnce(t *testing.T) {
	header := "CF_XDR_MC,CF_XDR_SHXYM,CF_WSH,CF_WFSS,CF_CFYJ,CF_CFLB,CF_NR,CF_JDRQ,CF_YXQ,CF_CFJG,CF_CFJGDM,CF_GSJZQ,CF_XDR_LB"
	rows, findings, err := readAll([]byte(header + "\n" + strings.Repeat("甲,1,1号,,,,,,,,,,\n", 100)))
	if err != nil || len(rows) != 100 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	if len(findings) != 1 || findings[0].Rule != schemas.OldForm || !strings.Contains(findings[0].Message.ZH, "旧版表样") {
		t.Errorf("%+v", findings)
	}
	if got := strings.Join(rows[0].Lacks, " "); got != "CF_WFXW CF_SJLY CF_SJLYDM" {
		t.Errorf("lacks %s", got)
	}
}

func utf16(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
