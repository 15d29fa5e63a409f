package tabular

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/schemas"
)

// formulaStarts are the characters, half and full width, with which a
// spreadsheet may take a text for a formula when it is edited or exported.
const formulaStarts = "=+-@＝＋－＠\t\r"

// quoteFormula puts an apostrophe before a text that could be taken for a
// formula, and cuts texts that no cell can hold.
func quoteFormula(s string) string {
	const most = 32_000 // a cell holds 32,767 UTF-16 units
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	if r, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune(formulaStarts, r) {
		return "'" + s
	}
	return s
}

// unquoteFormula undoes quoteFormula, so that a row that was sent back and is
// sent again is the same row.
func unquoteFormula(s string) string {
	rest, ok := strings.CutPrefix(s, "'")
	if !ok || rest == "" {
		return s
	}
	if r, _ := utf8.DecodeRuneInString(rest); strings.ContainsRune(formulaStarts, r) {
		return rest
	}
	return s
}

// place names where a row stood in the file that was sent.
func place(row schemas.Row) string {
	n := strconv.Itoa(row.SheetRow)
	if row.SheetRow == 0 {
		return strconv.Itoa(row.Number)
	}
	if row.Sheet != "" {
		return row.Sheet + "!" + n
	}
	return n
}
