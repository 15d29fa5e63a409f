package schemas

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// writtenDate is a date in any of the forms met in files, with or without a day
// of the week and a time of day behind it.
var writtenDate = regexp.MustCompile(`^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?` +
	`(?:\s*\(?(?:星期|周)[一二三四五六日天]\)?)?(?:(?:[T\s]|上午|下午|AM|PM)*\d{1,2}\s*[:时].*)?$`)

// Spreadsheet serials of 1990-01-01 and 2100-01-01 in the 1900 date system;
// smaller and larger numbers are not dates of ours.
const (
	serialFirst = 32874
	serialEnd   = 73051
	serial1904  = 1462 // days between the two date systems
)

// parseDate reads a date and names the normalisation that it took, which is
// none for the national form 2006/01/02. Years of two digits are refused, and
// so are dates before 1990.
func parseDate(s string, date1904 bool) (Date, NormalisationCode, bool) {
	var year, month, day string
	code := DateText
	switch {
	case len(s) > 64:
		return "", "", false
	case len(s) == 8 && digits(s) == 8, len(s) == 14 && digits(s) == 14:
		year, month, day = s[:4], s[4:6], s[6:8]
	case len(s) == 10 && s[4] == '/' && s[7] == '/' && digits(s) == 8:
		year, month, day, code = s[:4], s[5:7], s[8:], ""
	case len(s) >= 5 && digits(s[:5]) == 5 && (len(s) == 5 || s[5] == '.'):
		return parseSerial(s, date1904)
	default:
		if date, ok := parseMoment(s); ok {
			return date, code, date >= earliest
		}
		m := writtenDate.FindStringSubmatch(inFigures(s))
		if m == nil {
			return "", "", false
		}
		year, month, day = m[1], m[2], m[3]
	}
	y, _ := strconv.Atoi(year)
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(day)
	date := newDate(y, m, d)
	return date, code, date >= earliest
}

// numeralRun is a number of a day in words, 二〇二六年六月二十四日.
var numeralRun = regexp.MustCompile(`[〇零○一二三四五六七八九十]+`)

// inFigures writes a day in words as one in figures.
func inFigures(date string) string {
	day, rest, ok := strings.Cut(date, "日")
	if !ok {
		return date
	}
	return numeralRun.ReplaceAllStringFunc(day, figures) + "日" + rest
}

// figures reads 二〇二六 digit by digit, and 十, 十二 and 二十四 as numbers below a
// hundred.
func figures(words string) string {
	tens, ones, ok := strings.Cut(words, "十")
	if ok {
		return figures(cmp.Or(tens, "一")) + figures(cmp.Or(ones, "〇"))
	}
	var out strings.Builder
	for _, r := range words {
		out.WriteByte('0' + byte(numeralValue(r)))
	}
	return out.String()
}

// earliest is the first day that a date of ours can be.
const earliest Date = "1990-01-01"

// parseMoment reads a moment with its offset, as programs write it. Midnight
// here is still the day before in UTC.
func parseMoment(s string) (Date, bool) {
	if !strings.Contains(s, "T") {
		return "", false
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return DateOf(t), true
		}
	}
	return "", false
}

// parseSerial reads the day number with which spreadsheets store dates.
func parseSerial(s string, date1904 bool) (Date, NormalisationCode, bool) {
	if len(s) > 5 && digits(s[6:]) != len(s)-6 {
		return "", "", false
	}
	n, err := strconv.Atoi(s[:5])
	if err != nil {
		return "", "", false
	}
	if date1904 {
		n += serial1904
	}
	if n < serialFirst || n >= serialEnd {
		return "", "", false
	}
	t := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	return Date(t.Format(time.DateOnly)), SerialDate, true
}

// ParseDate reads a date in any of the forms that files have, other than a
// spreadsheet's serial of the 1904 system.
func ParseDate(s string) (Date, bool) {
	date, _, ok := parseDate(s, false)
	return date, ok
}
