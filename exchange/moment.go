package exchange

import "time"

// lastMoment is the last second of the year 9999 in Shanghai, in Unix seconds: a
// later one has no place in a JSON date.
const lastMoment = 253402271999

// Moment is a time as a region or the app has claimed it, to be shown. What
// nobody can mean is shown as the last or the first moment that there is: one
// entry that claims the year 300000 must not make the page unreadable that it
// stands on.
func Moment(seconds int64) time.Time {
	return time.Unix(min(max(seconds, 0), lastMoment), 0).In(Shanghai)
}
