package tabular

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
)

var (
	totalMarks = []string{"合计", "总计", "小计", "共计", "累计", "本页合计", "本页小计"}
	noteMarks  = []string{
		"填表说明", "填报说明", "填写说明", "说明", "注:", "注1", "备注:", "填报人", "填表人", "填报单位", "填报日期", "填报时间",
		"制表", "审核人", "审核:", "单位负责人", "负责人:", "联系人", "联系电话", "报送单位", "报送人", "报送日期", "报送时间",
		"单位(盖章)", "单位:", "第1页", "共",
	}
)

// isData tells data from what people put among and below it. What is not data
// is listed, so that nothing vanishes unseen.
func (t *table) isData(l line, filled int) bool {
	first, at := "", 0
	for i, c := range l.cells {
		if s := ident.Compact(ident.Fold(c)); s != "" {
			first, at = s, i
			break
		}
	}
	switch {
	case t.repeatsHeader(l, filled):
		t.tell(schemas.RowSkipped, l, "", "重复的表头", "a repeated header")
	case first == "1" && numbersColumns(l.cells):
		t.tell(schemas.RowSkipped, l, "", "栏目编号", "numbers of the columns")
	case hasPrefix(first, totalMarks) && t.anonymous(l):
		t.tell(schemas.RowSkipped, l, "", "合计行", "a total")
	case filled <= 4 && hasPrefix(first, noteMarks) && t.anonymous(l):
		t.footer = true
		t.tell(schemas.RowSkipped, l, "", "填表说明或签章", "notes below the table")
	case t.footer && filled <= 4 && t.anonymous(l):
		t.tell(schemas.RowSkipped, l, "", "填表说明或签章", "notes below the table")
	case filled == 1 && at == 0 && len(t.columns) >= headerLeast && (t.anonymous(l) || utf8.RuneCountInString(first) > 30):
		t.tell(schemas.RowSkipped, l, "", "只有一个单元格", "a single cell")
	default:
		t.footer = false
		return true
	}
	return false
}

// anonymous reports that a line has neither a decision number nor a code, as
// no line of data is.
func (t *table) anonymous(l line) bool {
	for i, c := range t.columns {
		if c.Field == nil || i >= len(l.cells) || strings.TrimSpace(l.cells[i]) == "" {
			continue
		}
		switch c.Field.Type {
		case schemas.DecisionType, schemas.USCCType:
			return false
		}
	}
	return true
}

// numbersColumns reports the line 1, 2, 3 and so on that some forms have below
// their header.
func numbersColumns(cells []string) bool {
	n := 0
	for _, c := range cells {
		if s := ident.Compact(ident.Fold(c)); s != "" {
			if n++; s != strconv.Itoa(n) {
				return false
			}
		}
	}
	return n >= headerLeast
}

// repeatsHeader reports a second header, perhaps in the other naming.
func (t *table) repeatsHeader(l line, filled int) bool {
	if filled < headerLeast {
		return false
	}
	same := 0
	for i, cell := range l.cells {
		if i >= len(t.columns) || cell == "" || t.columns[i].names == nil {
			continue
		}
		switch {
		case slices.Contains(t.columns[i].names, strings.TrimSpace(cell)):
			same++
		case same == 0:
			// Data differs from its header in the first column already.
			return false
		default:
			if c, ok := t.dict.Column(cell); ok && c.Field == t.columns[i].Field {
				same++
			}
		}
	}
	return same*5 >= filled*4
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}
