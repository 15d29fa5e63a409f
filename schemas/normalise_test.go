package schemas

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/xinqiao/creditgw/schemas/ident"
)

// Whatever plain passes over must be what cleaning would have left alone, next
// to any other character as well.
func TestPlainTextsNeedNoCleaning(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		s := "a" + string(r)
		if !plain(s) {
			continue
		}
		p := norm.NFC.PropertiesString(string(r))
		if ident.Visible(s) != s || !norm.NFC.IsNormalString(s) || !p.BoundaryBefore() || p.CCC() != 0 {
			t.Errorf("%U is not plain", r)
		}
		if ideograph(r) && nameKey("A"+string(r)) != "A"+nameKey(string(r)) {
			t.Errorf("%U has two keys", r)
		}
	}
	for _, s := range []string{"'0123", `="0123"`, "\t1", "a\u0301", "\xff", "甲\u200b"} {
		if plain(s) {
			t.Errorf("%q is plain", s)
		}
	}
}
