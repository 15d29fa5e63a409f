package ident

import "strings"

// usccAlphabet lists the 31 characters of GB 32100; a character's value is
// its index. I, O, S, V and Z are left out because they look like digits.
const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// SentinelUSCC is what agencies write for an individual business that was
// never given a code. It identifies nobody and is never a match key.
const SentinelUSCC = "00000000000000000X"

// CheckUSCC verifies length, alphabet and check character of a unified social
// credit code. It does not look inside: OrgCode of the code has a check
// character of its own.
func CheckUSCC(code string) error {
	if len(code) != 18 {
		return ErrLength
	}
	if code == SentinelUSCC {
		return ErrSentinel
	}
	sum, weight := 0, 1
	for i := range 17 {
		value := strings.IndexByte(usccAlphabet, code[i])
		if value < 0 {
			return ErrCharset
		}
		sum += value * weight
		weight = weight * 3 % 31
	}
	last := strings.IndexByte(usccAlphabet, code[17])
	if last < 0 {
		return ErrCharset
	}
	if last != (31-sum%31)%31 {
		return ErrCheckChar
	}
	return nil
}

// OrgCode returns the organisation code at characters 9 to 17 of an
// 18-character unified social credit code, or "" for another length.
func OrgCode(uscc string) string {
	if len(uscc) != 18 {
		return ""
	}
	return uscc[8:17]
}

// RegistrarRegion returns the six-digit region at characters 3 to 8: where
// the body was first registered, which need not be where it is now.
func RegistrarRegion(uscc string) string {
	if len(uscc) != 18 {
		return ""
	}
	return uscc[2:8]
}

// Lookalikes reports whether code holds a letter that GB 32100 leaves out
// because it is mistaken for a digit. Callers use it for a hint, never for a
// correction.
func Lookalikes(code string) bool {
	return strings.ContainsAny(code, "IOSVZiosvz")
}
