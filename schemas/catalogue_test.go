package schemas

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// TestDictionaryIsTheNationalForm compares the dictionary with the table of
// the 30 national fields, in their order.
func TestDictionaryIsTheNationalForm(t *testing.T) {
	f, err := os.Open("testdata/penalty_fields.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	d := kindForTest().Dictionary()
	for i, row := range table[1:] {
		field := d.Fields[i]
		code, other, _ := strings.Cut(row[1], " / ")
		if field.Code != code || field.ID != row[3] {
			t.Errorf("field %s: %s %s, want %s %s", row[0], field.Code, field.ID, code, row[3])
		}
		for _, header := range []string{code, other, row[2]} {
			if c, ok := d.Column(header); header != "" && (!ok || c.Field != &d.Fields[i]) {
				t.Errorf("header %s is not understood", header)
			}
		}
		if field.Required != (row[6] == "M") {
			t.Errorf("%s: required %v, want %s", code, field.Required, row[6])
		}
		if n, err := strconv.Atoi(row[5]); err == nil && field.Max != n {
			t.Errorf("%s: at most %d, want %d", code, field.Max, n)
		}
		for _, value := range strings.Split(row[7], "|") {
			list := d.Lists[field.List]
			if field.List != "" && !strings.HasPrefix(value, "as field") && value != list.Prefix+"..." && !slices.Contains(list.Values, value) {
				t.Errorf("%s: %s is missing from its list", code, value)
			}
		}
	}
	if len(table)-1 != 30 || d.Fields[30].Code != "送达日期" {
		t.Errorf("%d national fields", len(table)-1)
	}
}

// TestSchemaFitsTheType keeps the published schema, the record type and the
// dictionary from drifting apart.
func TestSchemaFitsTheType(t *testing.T) {
	var schema struct {
		Required   []string
		Properties map[string]struct {
			Enum      []string
			MaxLength int
		}
	}
	if err := json.Unmarshal(must(embedded.ReadFile("catalogue/administrative-penalty.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	typ := reflect.TypeFor[Penalty]()
	for i := range typ.NumField() {
		tag := typ.Field(i).Tag.Get("cbor")
		name, option, _ := strings.Cut(tag, ",")
		if _, ok := schema.Properties[name]; !ok {
			t.Errorf("%s is not in the schema", name)
		}
		if slices.Contains(schema.Required, name) != (option == "") {
			t.Errorf("%s: required by only one of type and schema", name)
		}
		if tag != typ.Field(i).Tag.Get("json") {
			t.Errorf("%s has another name in JSON", name)
		}
	}
	if typ.NumField() != len(schema.Properties) {
		t.Errorf("the schema has %d properties, the type %d fields", len(schema.Properties), typ.NumField())
	}
	for _, f := range kindForTest().Dictionary().Fields {
		p, ok := schema.Properties[f.ID]
		if f.Stays && ok {
			t.Errorf("%s never leaves the region and is in the schema", f.Code)
		}
		if ok && p.MaxLength != 0 && p.MaxLength != f.Max {
			t.Errorf("%s: %d characters in the schema, %d in the dictionary", f.ID, p.MaxLength, f.Max)
		}
		if f.Type == EnumType && ok && !slices.Equal(p.Enum, kindForTest().Dictionary().Lists[f.List].Values) {
			t.Errorf("%s: another code list in the schema", f.ID)
		}
	}
}

// TestMalformedPacksAreRefused reads packs that would judge a day twice, or
// not as their author meant.
func TestMalformedPacksAreRefused(t *testing.T) {
	for name, pack := range map[string]string{
		"unknown key":    "packs: [{id: a, monthes: {}}]",
		"no such day":    "packs: [{id: a, from: \"2026-02-30\"}]",
		"two in force":   "packs: [{id: a, until: \"2026-04-01\"}, {id: b, from: \"2026-04-01\"}]",
		"two open packs": "packs: [{id: a}, {id: b}]",
		"not YAML":       "packs: [",
	} {
		files := fstest.MapFS{"p.yaml": {Data: []byte(pack)}}
		if _, err := readPacks[publicationPack](files, "p.yaml"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, dictionary := range map[string]string{
		"one header, two fields": "fields: [{code: a, name: {zh: 甲}}, {code: b, name: {zh: 甲}}]",
		"no such list":           "fields: [{code: a, name: {zh: 甲}, list: x}]",
		"unknown key":            "fields: [{cod: a}]",
	} {
		files := fstest.MapFS{"d.yaml": {Data: []byte(dictionary)}}
		if _, err := ReadDictionary(files, "d.yaml"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestClerksRulesNameEveryCode keeps docs/intake-rules.md complete: rules,
// normalisations, and the columns of the form.
func TestClerksRulesNameEveryCode(t *testing.T) {
	page, err := os.ReadFile("../docs/intake-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for code := range rules {
		if !strings.Contains(string(page), "`"+string(code)+"`") {
			t.Errorf("%s is not explained", code)
		}
	}
	for _, code := range []NormalisationCode{FullWidth, Upper, Trim, Invisible, Brackets, DateText, SerialDate, EmptyMark, FloatTail, EnumAlias} {
		if !strings.Contains(string(page), "`"+string(code)+"`") {
			t.Errorf("%s is not explained", code)
		}
	}
	for _, f := range kindForTest().Dictionary().Fields {
		row := "| `" + f.Code + "` | " + f.Name.ZH + " |"
		if f.Extension {
			row = "| " + f.Code + " | "
		}
		if !strings.Contains(string(page), "\n"+row) {
			t.Errorf("the form has no row for %s", f.Code)
		}
	}
}

// What agencies add to a name in the header of their own file.
func TestHeadersWithNotes(t *testing.T) {
	d := kindForTest().Dictionary()
	for header, want := range map[string]string{
		"处罚决定日期（格式：YYYY/MM/DD）":        "CF_JDRQ",
		"处罚类别【多选用；分隔】":                 "CF_CFLB",
		"* 行政相对人名称\n（企业全称，不得简写）":       "CF_XDR_MC",
		"罚款金额（单位：万元，最多6位小数）":           "CF_NR_FK",
		"罚款金额（人民币元，保留两位小数）":            "CF_NR_FK in 元",
		"行政相对人代码_2（税务登记号）":             "CF_XDR_SWDJ",
		"行政相对人代码_2（其他代码）":              "",
		"数据来源单位（社会信用代码）":               "",
		"行政相对人代码_1（统一社会信用代码）（18位，见说明）": "CF_XDR_SHXYM",
		"没收金额（元）【没有的留空】":               "CF_NR_WFFF in 元",
		"（此列不填）":                       "",
		"处罚机关（统一社会信用代码）":               "CF_CFJGDM",
		"行政相对人代码_1 (统一社会信用代码)（必填）":     "CF_XDR_SHXYM",
	} {
		got := ""
		if c, ok := d.Column(header); ok && c.Field != nil {
			if got = c.Field.Code; c.Yuan {
				got += " in 元"
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}
