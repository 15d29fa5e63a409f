package schemas

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/xinqiao/creditgw/schemas/ident"
)

// The reasons for which an amount can't be taken.
var (
	errAmountText      = errors.New("schemas: amount is not a number")
	errAmountNegative  = errors.New("schemas: amount is negative")
	errAmountPrecision = errors.New("schemas: amount is finer than a fen")
	errAmountSize      = errors.New("schemas: amount is too large")
)

// amount is what a cell of a money column holds.
type amount struct {
	fen      int64
	rounded  bool // a binary fraction's tail was taken off, or thousands marks
	marked   bool // a currency sign or the column's own unit was taken off
	folded   bool // full-width digits
	unitSlip bool // the cell says 元 in a column of 万元
}

// parseAmount reads an amount in 万元, or in 元 where the column says so,
// exactly to the fen. Spreadsheets keep 0.29 as 0.28999999999999998, so a
// number of more than 15 significant digits is rounded to 15 as they show it.
func parseAmount(s string, yuan bool) (amount, error) {
	var a amount
	if folded := ident.Fold(s); folded != s {
		s, a.folded = folded, true
	}
	s = ident.Compact(s)
	for _, sign := range []string{"¥", "￥", "人民币"} {
		if rest, ok := strings.CutPrefix(s, sign); ok {
			s, a.marked = rest, true
		}
	}
	if rest, ok := strings.CutSuffix(strings.TrimSuffix(s, "元"), "万"); ok {
		a.unitSlip = yuan
		s, a.marked, yuan = rest, true, false
	} else if rest, ok := strings.CutSuffix(s, "元"); ok {
		a.unitSlip = !yuan
		s, a.marked, yuan = rest, true, true
	}
	if strings.Contains(s, ",") {
		plain, ok := dropThousands(s)
		if !ok {
			return a, errAmountText
		}
		s, a.rounded = plain, true
	}
	mantissa, exponent, negative, ok := splitDecimal(s)
	if !ok {
		return a, errAmountText
	}
	// The exponent that turns the mantissa into fen: 万元 are 10^6 fen.
	shift := exponent + 6
	if yuan {
		shift = exponent + 2
	}
	mantissa, shift, cut := significant(mantissa, shift, 15)
	a.rounded = a.rounded || cut
	for strings.HasSuffix(mantissa, "0") {
		mantissa, shift = mantissa[:len(mantissa)-1], shift+1
	}
	if mantissa == "" {
		return a, nil
	}
	if negative {
		return a, errAmountNegative
	}
	if shift < 0 {
		return a, errAmountPrecision
	}
	// decimal(18,6) 万元 ends below 10^18 fen.
	if len(mantissa)+shift > 18 {
		return a, errAmountSize
	}
	n, err := strconv.ParseInt(mantissa, 10, 64)
	if err != nil {
		return a, errAmountText
	}
	for range shift {
		n *= 10
	}
	a.fen = n
	return a, nil
}

// dropThousands removes commas that stand before each three digits.
func dropThousands(s string) (string, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if (i > 0 && len(g) != 3) || len(g) == 0 || len(g) > 4 {
			return "", false
		}
	}
	if strings.Contains(fraction, ",") {
		return "", false
	}
	return strings.ReplaceAll(s, ",", ""), true
}

// splitDecimal splits a decimal number, perhaps in scientific notation, into
// its digits without leading zeros and the exponent of the last of them.
func splitDecimal(s string) (mantissa string, exponent int, negative, ok bool) {
	if len(s) > 64 {
		return "", 0, false, false
	}
	if rest, found := strings.CutPrefix(s, "-"); found {
		s, negative = rest, true
	} else {
		s = strings.TrimPrefix(s, "+")
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil || e < -64 || e > 64 {
			return "", 0, false, false
		}
		s, exponent = s[:i], e
	}
	whole, fraction, _ := strings.Cut(s, ".")
	all := whole + fraction
	if all == "" || digits(all) != len(all) {
		return "", 0, false, false
	}
	return strings.TrimLeft(all, "0"), exponent - len(fraction), negative, true
}

// significant rounds a mantissa half up to n digits.
func significant(mantissa string, exponent, n int) (string, int, bool) {
	if len(mantissa) <= n {
		return mantissa, exponent, false
	}
	exponent += len(mantissa) - n
	up := mantissa[n] >= '5'
	v, err := strconv.ParseInt(mantissa[:n], 10, 64)
	if err != nil || v >= math.MaxInt64-1 {
		return mantissa[:n], exponent, true
	}
	if up {
		v++
	}
	return strconv.FormatInt(v, 10), exponent, true
}

// formatWan writes fen as 万元 in the shortest form, the form of the column.
func formatWan(fen int64) string { return formatDecimal(fen, 6) }

// formatYuan writes fen as 元.
func formatYuan(fen int64) string { return formatDecimal(fen, 2) }

func formatDecimal(fen int64, places int) string {
	s := strconv.FormatInt(fen, 10)
	if len(s) <= places {
		s = strings.Repeat("0", places+1-len(s)) + s
	}
	whole, fraction := s[:len(s)-places], strings.TrimRight(s[len(s)-places:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
