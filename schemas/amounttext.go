package schemas

import (
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/schemas/ident"
)

// amountKind says what an amount in a text is for.
type amountKind int

const (
	unclearAmount amountKind = iota
	fineAmount
	confiscatedAmount
	totalAmount
)

// writtenAmount is an amount found in the text of a penalty.
type writtenAmount struct {
	fen  int64
	kind amountKind
}

const (
	numerals = "零〇○一二两三四五六七八九壹贰叁肆伍陆柒捌玖貳參陸"
	scales   = "十拾百佰千仟万萬亿"
)

// numeralValue gives the digit that a Chinese numeral means.
func numeralValue(r rune) int64 {
	for i, set := range []string{"零〇○", "一壹", "二两贰貳", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖"} {
		if strings.ContainsRune(set, r) {
			return int64(i)
		}
	}
	return -1
}

func scaleValue(r rune) int64 {
	switch r {
	case '十', '拾':
		return 10
	case '百', '佰':
		return 100
	case '千', '仟':
		return 1000
	case '万', '萬':
		return 10_000
	case '亿':
		return 100_000_000
	}
	return 0
}

// readAmounts finds the amounts of money in a text: in figures with or
// without thousands marks, in 元 or 万元, or in capitals. Ends of a range and
// amounts that accrue by the day are left out, for neither is what was
// imposed.
func readAmounts(text string) []writtenAmount {
	s := []rune(ident.Fold(text))
	var found []writtenAmount
	clause, inherited := 0, unclearAmount
	for i := 0; i < len(s); {
		if strings.ContainsRune(",，。；;\n", s[i]) {
			if k := kindBefore(s[clause:i]); k != unclearAmount {
				inherited = k
			}
			clause = i + 1
			i++
			continue
		}
		micro, end, ok := readNumber(s, i)
		if end == i {
			i++
			continue
		}
		if ok {
			before, after := s[clause:i], string(s[end:min(len(s), end+8)])
			kind := kindOf(before, after, inherited)
			if !bounded(before, after) {
				// Fractions of a fen can't have been meant; they read as no
				// agreement with any field.
				if micro%10_000 == 0 {
					found = append(found, writtenAmount{micro / 10_000, kind})
				}
			}
		}
		i = end
	}
	return found
}

// readNumber reads a number at s[i:] in millionths of a yuan. It returns the
// index behind it, equal to i where there is none; ok is false unless it is
// an amount of money.
func readNumber(s []rune, i int) (micro int64, end int, ok bool) {
	const yuan, limit = int64(1_000_000), int64(1) << 61
	var total, section, current int64
	start, spoken := i, false
	seen := false
	for i < len(s) {
		switch r := s[i]; {
		case r >= '0' && r <= '9':
			n, next, good := readFigures(s, i)
			if !good {
				return 0, next, false
			}
			current, i, seen, spoken = n, next, true, false
		case strings.ContainsRune(numerals, r):
			d := numeralValue(r) * yuan
			if spoken {
				d += current * 10
			}
			current, seen, spoken = d, true, true
			i++
		case strings.ContainsRune(scales, r):
			scale := scaleValue(r)
			if !seen && scale >= 10_000 {
				return 0, start, false
			}
			switch {
			case scale == 100_000_000:
				total, section = total+section+current, 0
				if total > limit/scale {
					return 0, i + 1, false
				}
				total *= scale
			case scale == 10_000:
				if section+current > limit/scale {
					return 0, i + 1, false
				}
				total, section = total+(section+current)*scale, 0
			default:
				if current == 0 && !spoken {
					current = yuan
				}
				if current > limit/scale {
					return 0, i + 1, false
				}
				section += current * scale
			}
			current, seen, spoken = 0, true, false
			i++
		case r == ' ' && seen:
			i++
		default:
			return finishAmount(s, start, i, total+section+current, seen)
		}
		if total > limit || section > limit || current > limit {
			return 0, i, false
		}
	}
	return finishAmount(s, start, i, total+section+current, seen)
}

// finishAmount looks for the unit behind a number, or the sign before it, and
// for 角 and 分.
func finishAmount(s []rune, start, i int, micro int64, seen bool) (int64, int, bool) {
	if !seen {
		return 0, start, false
	}
	if i >= len(s) || !strings.ContainsRune("元圆圓块", s[i]) {
		signed := start > 0 && strings.ContainsRune("¥￥", s[start-1])
		return micro, i, signed
	}
	i++
	for _, coin := range []struct {
		unit  rune
		micro int64
	}{{'角', 100_000}, {'分', 10_000}} {
		if i+1 < len(s) && s[i] == '零' {
			i++
		}
		if i+1 >= len(s) || s[i+1] != coin.unit {
			continue
		}
		d := numeralValue(s[i])
		if s[i] >= '0' && s[i] <= '9' {
			d = int64(s[i] - '0')
		}
		if d >= 0 {
			micro += d * coin.micro
			i += 2
		}
	}
	return micro, i, true
}

// readFigures reads figures with thousands marks and decimals, in millionths.
func readFigures(s []rune, i int) (micro int64, end int, ok bool) {
	n, count := int64(0), 0
	for i < len(s) {
		switch {
		case s[i] >= '0' && s[i] <= '9':
			if count++; count > 12 {
				for i < len(s) && s[i] >= '0' && s[i] <= '9' {
					i++
				}
				return 0, i, false
			}
			n = n*10 + int64(s[i]-'0')
			i++
			continue
		case (s[i] == ',' || s[i] == '，') && thousands(s, i):
			i++
			continue
		}
		break
	}
	micro = n * 1_000_000
	if i+1 < len(s) && s[i] == '.' && s[i+1] >= '0' && s[i+1] <= '9' {
		i++
		for place := int64(100_000); i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			micro += int64(s[i]-'0') * place
			place /= 10
		}
	}
	return micro, i, true
}

// thousands reports whether the comma at s[i] has exactly three digits behind
// it and at least one before.
func thousands(s []rune, i int) bool {
	if i == 0 || s[i-1] < '0' || s[i-1] > '9' || i+3 >= len(s) {
		return false
	}
	for _, r := range s[i+1 : i+4] {
		if r < '0' || r > '9' {
			return false
		}
	}
	return i+4 >= len(s) || s[i+4] < '0' || s[i+4] > '9'
}

func kindOf(before []rune, after string, inherited amountKind) amountKind {
	if strings.HasPrefix(strings.TrimLeft(after, "整正的)）] "), "罚款") {
		return fineAmount
	}
	if k := kindBefore(before); k != unclearAmount {
		return k
	}
	return inherited
}

// kindBefore takes the kind from the last word that tells one.
func kindBefore(before []rune) amountKind {
	text, kind, at := string(before), unclearAmount, -1
	for _, w := range []struct {
		word string
		kind amountKind
	}{
		{"罚款", fineAmount}, {"处以", fineAmount}, {"并处", fineAmount}, {"科处", fineAmount},
		{"没收", confiscatedAmount}, {"违法所得", confiscatedAmount}, {"非法财物", confiscatedAmount},
		{"合计", totalAmount}, {"共计", totalAmount}, {"总计", totalAmount}, {"罚没款", totalAmount},
	} {
		if i := strings.LastIndex(text, w.word); i > at {
			kind, at = w.kind, i
		}
	}
	return kind
}

// bounded reports whether an amount is an end of a range or accrues daily.
func bounded(before []rune, after string) bool {
	for _, word := range []string{"以上", "以下", "以内", "至", "到", "-", "~"} {
		if strings.HasPrefix(after, word) {
			return true
		}
	}
	text := string(before)
	for _, word := range []string{"以上", "至", "-", "~"} {
		if strings.HasSuffix(text, word) {
			return true
		}
	}
	return containsAny(text, []string{"每日", "每天", "按日", "加处", "滞纳金"})
}

// agrees reports whether an amount stands in the text as one of the given
// kind or as their sum, and whether any such amount could be read at all.
func agrees(found []writtenAmount, kind amountKind, fen int64) (agrees, read bool) {
	var sum int64
	var amounts []int64
	for _, a := range found {
		switch a.kind {
		case kind:
			amounts = append(amounts, a.fen)
			sum += a.fen
		case totalAmount:
			agrees = agrees || a.fen == fen
			read = true
		}
	}
	if len(amounts) == 0 && !read {
		for _, a := range found {
			if a.kind == unclearAmount {
				amounts = append(amounts, a.fen)
				sum += a.fen
			}
		}
	}
	return agrees || slices.Contains(amounts, fen) || (len(amounts) > 0 && sum == fen), read || len(amounts) > 0
}
