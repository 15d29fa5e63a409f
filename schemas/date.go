package schemas

import "time"

// Date is a calendar day in ISO form, 2006-01-02, or empty. Being text of one
// width, dates compare as strings do.
type Date string

// shanghai is fixed at UTC+8: the mainland has kept no summer time since
// 1991, and a machine without zone data must give the same answer.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// DateOf returns the day on which t falls in Asia/Shanghai.
func DateOf(t time.Time) Date {
	return Date(t.In(shanghai).Format(time.DateOnly))
}

// Valid reports whether d is a day of the calendar in its one spelling.
func (d Date) Valid() bool {
	_, err := time.Parse(time.DateOnly, string(d))
	return err == nil
}

// addMonths returns the same day of the month n months later, or the last day
// of that month where it is shorter. A date that is not Valid gives "".
func (d Date) addMonths(n int) Date {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	year, month, day := t.Date()
	last := time.Date(year, month+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC)
	if day > last.Day() {
		day = last.Day()
	}
	return newDate(last.Year(), int(last.Month()), day)
}

// DaysUntil counts the calendar days from d to end; negative if end is earlier,
// 0 if one of them is no date.
func (d Date) DaysUntil(end Date) int {
	from, errFrom := time.Parse(time.DateOnly, string(d))
	to, errTo := time.Parse(time.DateOnly, string(end))
	if errFrom != nil || errTo != nil {
		return 0
	}
	return int(to.Sub(from) / (24 * time.Hour))
}

// weekdaysUntil counts the days from Monday to Friday after d up to and
// including end.
func (d Date) weekdaysUntil(end Date) int {
	from, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return 0
	}
	to, err := time.Parse(time.DateOnly, string(end))
	if err != nil || !to.After(from) {
		return 0
	}
	days := int(to.Sub(from) / (24 * time.Hour))
	count := days / 7 * 5
	for i := range days % 7 {
		switch to.AddDate(0, 0, -i).Weekday() {
		case time.Saturday, time.Sunday:
		default:
			count++
		}
	}
	return count
}

// newDate returns the day, or "" if the calendar has none such.
func newDate(year, month, day int) Date {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 {
		return ""
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Day() != day {
		return "" // of the next month
	}
	return Date(t.Format(time.DateOnly))
}
