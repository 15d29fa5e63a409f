package exchange

import (
	"math"
	"testing"
	"time"
)

func TestEveryClaimedTimeCanBeShown(t *testing.T) {
	for _, c := range []struct {
		seconds int64
		want    string
	}{
		{math.MinInt64, "1970-01-01T08:00:00+08:00"},
		{0, "1970-01-01T08:00:00+08:00"},
		{1777435200, "2026-04-29T12:00:00+08:00"},
		{lastMoment, "9999-12-31T23:59:59+08:00"},
		{lastMoment + 1, "9999-12-31T23:59:59+08:00"}, // the year 10000 here, though not yet in Greenwich
		{math.MaxInt64, "9999-12-31T23:59:59+08:00"},
	} {
		shown, err := Moment(c.seconds).MarshalJSON()
		if want := `"` + c.want + `"`; err != nil || string(shown) != want {
			t.Errorf("%d is shown as %s, %v, want %s", c.seconds, shown, err, want)
		}
		if _, err := time.Parse(time.RFC3339, c.want); err != nil {
			t.Error(err)
		}
	}
}
