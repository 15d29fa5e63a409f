package ident

import "time"

var orgCodeWeights = [8]int{3, 7, 9, 10, 5, 8, 4, 2}

// CheckOrgCode verifies a nine-character organisation code of GB 11714,
// written without its hyphen.
func CheckOrgCode(code string) error {
	if len(code) != 9 {
		return ErrLength
	}
	sum := 0
	for i, weight := range orgCodeWeights {
		switch c := code[i]; {
		case c >= '0' && c <= '9':
			sum += int(c-'0') * weight
		case c >= 'A' && c <= 'Z':
			sum += int(c-'A'+10) * weight
		default:
			return ErrCharset
		}
	}
	if code[8] != "0X987654321"[sum%11] {
		if c := code[8]; c != 'X' && (c < '0' || c > '9') {
			return ErrCharset
		}
		return ErrCheckChar
	}
	return nil
}

// CheckIDCard verifies an 18-character citizen identity number: alphabet,
// birth date and the MOD 11-2 check character of GB 11643.
func CheckIDCard(code string) error {
	if len(code) != 18 {
		return ErrLength
	}
	// The weights are 2^(18-i) mod 11, so that a valid number's weighted sum
	// including the check character is 1 mod 11.
	sum := 0
	for i := range 18 {
		c := code[i]
		value := int(c - '0')
		if c == 'X' && i == 17 {
			value = 10
		} else if c < '0' || c > '9' {
			return ErrCharset
		}
		sum = (sum*2 + value) % 11
	}
	if _, err := time.Parse("20060102", code[6:14]); err != nil {
		return ErrForm
	}
	if sum != 1 {
		return ErrCheckChar
	}
	return nil
}

// CheckBizRegNo verifies the check digit of a 15-digit business registration
// number (ISO 7064 MOD 11,10). Older 13-digit numbers carry no check digit
// and have ErrLength.
func CheckBizRegNo(code string) error {
	if len(code) != 15 {
		return ErrLength
	}
	product := 10
	for i := range 14 {
		c := code[i]
		if c < '0' || c > '9' {
			return ErrCharset
		}
		sum := (int(c-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	last := code[14]
	if last < '0' || last > '9' {
		return ErrCharset
	}
	if (int(last-'0')+product)%10 != 1 {
		return ErrCheckChar
	}
	return nil
}

// NormalOrgCode removes the hyphen before the check character, in which form
// organisation codes were printed on certificates.
func NormalOrgCode(s string) string {
	if len(s) == 10 && s[8] == '-' {
		return s[:8] + s[9:]
	}
	return s
}
