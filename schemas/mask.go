package schemas

import (
	"strings"
	"unicode/utf8"
)

// maskedFields are the free texts in which personal data is looked for.
var maskedFields = []string{"CF_WFXW", "CF_WFSS", "CF_CFYJ", "CF_NR", "CF_NR_ZKDX", "BZ"}

// maskPersonal replaces identity numbers and mobile numbers in a running text
// by their first digits and asterisks, and reports whether there were any.
// A number counts with a plausible birthday even if its check character is
// wrong: a mistyped identity number still points to somebody.
func maskPersonal(text string) (string, bool) {
	if countDigits(text) < 11 {
		return text, false
	}
	var out strings.Builder
	masked := false
	for i := 0; i < len(text); {
		if _, ok := digitAt(text, i); !ok {
			_, size := utf8.DecodeRuneInString(text[i:])
			out.WriteString(text[i : i+size])
			i += size
			continue
		}
		// The bare run first: a number of three digits may stand before a
		// telephone number as well as begin one.
		run, end := numberRun(text, i, false)
		keep := keepOf(run)
		if keep == 0 {
			if whole, wholeEnd := numberRun(text, i, true); keepOf(whole) > 0 {
				run, end, keep = whole, wholeEnd, keepOf(whole)
			}
		}
		if keep == 0 {
			out.WriteString(text[i:end])
		} else {
			out.WriteString(run[:keep])
			out.WriteString(strings.Repeat("*", len(run)-keep))
			masked = true
		}
		i = end
	}
	if !masked {
		return text, false
	}
	return out.String(), true
}

// keepOf returns how many leading digits of a number may be shown, or 0 if it
// is not personal.
func keepOf(run string) int {
	switch {
	case len(run) == 18 && birthday(run[6:14]):
		return 2
	case len(run) == 15 && digits(run) == 15 && birthday("19"+run[6:12]):
		return 2
	case len(run) == 11 && run[0] == '1' && run[1] >= '3' && digits(run) == 11:
		return 3
	case len(run) == 13 && strings.HasPrefix(run, "861") && run[3] >= '3':
		return 5
	}
	return 0
}

func birthday(s string) bool {
	return s >= "19000101" && s < "21000101" && Date(s[:4]+"-"+s[4:6]+"-"+s[6:]).Valid()
}

// numberRun returns the digits of the number that begins at i, in ASCII, and
// the index behind it. With spaced it reads over the single spaces or hyphens
// that group a number. An X after 17 digits belongs to the number.
func numberRun(text string, i int, spaced bool) (string, int) {
	var run []byte
	end := i
	for end < len(text) {
		if d, ok := digitAt(text, end); ok {
			_, size := utf8.DecodeRuneInString(text[end:])
			run = append(run, d)
			end += size
			continue
		}
		if c := text[end]; spaced && (c == ' ' || c == '-') && end+1 < len(text) && grouped(len(run)) {
			if _, ok := digitAt(text, end+1); ok {
				end++
				continue
			}
		}
		break
	}
	if len(run) == 17 && end < len(text) {
		r, size := utf8.DecodeRuneInString(text[end:])
		if strings.ContainsRune("XxＸｘ", r) {
			return string(append(run, 'X')), end + size
		}
	}
	return string(run), end
}

// grouped reports whether a number is commonly broken after n digits: 138 0013
// 8000, 110105 19491231 002X.
func grouped(n int) bool { return n == 3 || n == 6 || n == 7 || n == 14 }

// digitAt reads an ASCII or full-width digit.
func digitAt(text string, i int) (byte, bool) {
	if c := text[i]; c < utf8.RuneSelf {
		return c, c >= '0' && c <= '9'
	}
	r, _ := utf8.DecodeRuneInString(text[i:])
	if r >= '０' && r <= '９' {
		return byte(r-'０') + '0', true
	}
	return 0, false
}

func countDigits(text string) int {
	n := digits(text)
	if n < 11 && strings.ContainsFunc(text, func(r rune) bool { return r >= '０' && r <= '９' }) {
		return 11
	}
	return n
}
