package ident

import (
	"strings"
	"unicode"
)

// Fold turns full-width forms (U+FF01 to U+FF5E) and the ideographic space
// into their ASCII counterparts. It is for codes, numbers, dates, decision
// numbers and plates only: in running text full-width punctuation is right.
func Fold(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return foldRune(r) != r }) {
		return s
	}
	return strings.Map(foldRune, s)
}

func foldRune(r rune) rune {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E:
		return r - 0xFEE0
	case r == 0x3000:
		return ' '
	}
	return r
}

// Visible removes what a reader of the cell can't see: zero-width characters,
// byte order marks, soft hyphens and other controls. A no-break space becomes
// a space. It also undoes the wrappings with which spreadsheets keep a number
// as text: a leading apostrophe or tab, and ="…".
func Visible(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return visibleRune(r) != r }) {
		s = strings.Map(visibleRune, s)
	}
	if inner, ok := strings.CutPrefix(s, `="`); ok {
		if inner, ok = strings.CutSuffix(inner, `"`); ok {
			s = inner
		}
	}
	if len(s) > 1 && (s[0] == '\'' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

func visibleRune(r rune) rune {
	// Nearly every character is one of these.
	if (r >= ' ' && r <= '~') || (r >= 0x4E00 && r <= 0x9FFF) {
		return r
	}
	switch r {
	case 0xA0, 0x2007, 0x202F:
		return ' '
	case '\t', '\n', '\r', ' ', 0x3000:
		return r
	}
	if unicode.In(r, unicode.Cc, unicode.Cf) || (r >= 0xFE00 && r <= 0xFE0F) {
		return -1
	}
	return r
}

// Compact removes every white space, which no code contains.
func Compact(s string) string {
	if !strings.ContainsFunc(s, unicode.IsSpace) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
