package ident

import (
	"strings"
	"unicode/utf8"
)

const (
	plateRegions  = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
	plateSuffixes = "挂学警港澳领"
)

// CheckPlate verifies the form of one civil licence plate (GA 36): a region
// character, an authority letter and five characters, or six for new-energy
// vehicles, of which the last may be one of the suffixes such as 挂 for a
// trailer. Plates carry no check character.
func CheckPlate(plate string) error {
	region, size := utf8.DecodeRuneInString(plate)
	if !strings.ContainsRune(plateRegions, region) || region == utf8.RuneError {
		return ErrForm
	}
	rest := plate[size:]
	if len(rest) == 0 || rest[0] < 'A' || rest[0] > 'Z' {
		return ErrForm
	}
	rest = rest[1:]
	serial := 0
	if last, size := utf8.DecodeLastRuneInString(rest); strings.ContainsRune(plateSuffixes, last) && last != utf8.RuneError {
		rest = rest[:len(rest)-size]
		serial++
	}
	for i := range len(rest) {
		c := rest[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return ErrCharset
		}
	}
	if serial += len(rest); serial != 5 && serial != 6 {
		return ErrLength
	}
	return nil
}

// plateMarks are written between the letters and the digits of a plate.
var plateMarks = strings.NewReplacer("·", "", "•", "", ".", "", "-", "")

// SplitPlates separates the plates that one cell holds, typically those of a
// tractor and its trailer, and takes the dot out of 京A·12345. The input is
// already folded and upper-case.
func SplitPlates(cell string) []string {
	fields := strings.FieldsFunc(cell, func(r rune) bool {
		return strings.ContainsRune("/、,;，；|+&\\ \t\r\n和及", r)
	})
	plates := fields[:0]
	for _, f := range fields {
		if f = plateMarks.Replace(f); f != "" {
			plates = append(plates, f)
		}
	}
	return plates
}
