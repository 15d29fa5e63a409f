package schemas

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/xinqiao/creditgw/schemas/detcbor"
)

var publishedSchema = sync.OnceValue(func() *jsonschema.Schema {
	raw := must(embedded.ReadFile("catalogue/administrative-penalty.schema.json"))
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("record.json", must(jsonschema.UnmarshalJSON(bytes.NewReader(raw)))); err != nil {
		panic(err)
	}
	return must(compiler.Compile("record.json"))
})

// bySchema judges a record by the JSON Schema that is published, interpreted.
func bySchema(record []byte) error {
	if len(record) > maxRecord {
		return ErrRecordSize
	}
	var value any
	if err := strictDecoding.Unmarshal(record, &value); err != nil {
		return ErrRecordEncoding
	}
	if holdsFloat(value) {
		return ErrRecordEncoding
	}
	again, err := detcbor.Marshal(value)
	if err != nil {
		return ErrRecordEncoding
	}
	if !bytes.Equal(again, record) {
		return ErrRecordCanonical
	}
	return publishedSchema().Validate(value)
}

// holdsFloat looks for floating-point numbers, which no record has: a JSON
// Schema would take 2.0 for the integer 2.
func holdsFloat(value any) bool {
	switch v := value.(type) {
	case float64:
		return true
	case []any:
		return slices.ContainsFunc(v, holdsFloat)
	case map[string]any:
		for _, member := range v {
			if holdsFloat(member) {
				return true
			}
		}
	}
	return false
}

func requireOneVerdict(t *testing.T, record []byte) (valid bool) {
	t.Helper()
	published, built := bySchema(record), kindForTest().Validate(record)
	if (published == nil) != (built == nil) {
		t.Errorf("%x\nby the schema: %v\nby its checks: %v", record, published, built)
	}
	return published == nil
}

// TestOneVerdict puts values that lie on the edge of something in the place of
// each member of good records.
func TestOneVerdict(t *testing.T) {
	edges := []any{
		nil, true, -1, 0, 1, 2, int64(1e18), int64(1e18) + 1, uint64(1) << 63, 1.5, "", " ", "x", "甲\n乙", "其他-", "其他-x", "其他-\n", "其他", "罚款",
		"自然人", "个体工商户", "法人及非法人组织", "身份证", "轻微", "蓝色", firm, "00000000000000000X", "9113O900MA0B23532F", "MA0B23532", "MA0B2353X", "MA0B2353Y",
		"1989-12-31", "1990-01-01", "2026-02-31", "2026-13-01", "2026-1-01", "2099-12-31", "9999-12-31", "2026-06-24T00:00:00",
		[]any{}, []any{"罚款"}, []any{"罚款", "罚款"}, []any{"罚款", "警告"}, []any{"罚金"}, []any{1}, []any{""}, map[string]any{}, map[string]any{"number": "京A12345"},
		[]any{map[string]any{"number": ""}}, []any{map[string]any{"colour": "黄色"}}, []any{map[string]any{"number": "京A12345", "colour": ""}},
		[]any{map[string]any{"number": "京A12345", "colour": "黄色", "more": 1}},
	}
	var long []any
	for _, n := range []int{8, 9, 16, 17, 18, 19, 32, 33, 50, 51, 64, 65, 100, 101, 128, 129, 200, 201, 512, 513, 2000, 2001, 4000, 4001, 5000, 5001} {
		long = append(long, strings.Repeat("长", n), strings.Repeat("𠀀", n),
			[]any{"其他-" + strings.Repeat("长", n)}, []any{map[string]any{"number": strings.Repeat("长", n)}},
			[]any{map[string]any{"number": "京A12345", "colour": strings.Repeat("长", n)}})
	}
	for n := 15; n <= 22; n++ {
		var types, plates []any
		for i := range n {
			types = append(types, "其他-"+ColumnName(i))
			plates = append(plates, map[string]any{"number": "京A12345"})
		}
		long = append(long, types, plates)
	}
	verdicts := map[bool]int{}
	for i, row := range []Row{
		goodRow("车牌号码=冀B12345", "车牌颜色=黄色", "送达日期=2026/06/25", "失信程度=一般", "缴款识别码=1", "BZ=x", "CF_XDR_ZZJG=MA0B23532", "CF_XDR_SWDJ=1", "CF_XDR_SYDW=1", "CF_XDR_SHZZ=1", "CF_XDR_GSZC=1"),
		goodRow("CF_XDR_LB=自然人", "CF_XDR_SHXYM=", "CF_XDR_ZJLX=身份证", "CF_XDR_ZJHM=11010519491231002X"),
		goodRow("CF_XDR_LB=个体工商户", "CF_XDR_SHXYM=00000000000000000X", "CF_FR_ZJLX=护照号"),
	} {
		raw, err := check(row).Record.Encode()
		if err != nil {
			t.Fatal(err)
		}
		requireOneVerdict(t, raw)
		var good map[string]any
		if err := cbor.Unmarshal(raw, &good); err != nil {
			t.Fatal(err)
		}
		names := append(slices.Collect(maps.Keys(publishedSchema().Properties)), "unknown")
		for _, name := range names {
			changed := maps.Clone(good)
			delete(changed, name)
			requireOneVerdict(t, must(detcbor.Marshal(changed)))
			tried := edges
			if i == 0 {
				tried = append(tried, long...)
			}
			for _, edge := range tried {
				changed[name] = edge
				verdicts[requireOneVerdict(t, must(detcbor.Marshal(changed)))]++
			}
		}
	}
	if verdicts[true] < 500 || verdicts[false] < 500 {
		t.Errorf("%v say little", verdicts)
	}
}
