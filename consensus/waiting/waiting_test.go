package waiting

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a test that may fail.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Fatalf(string, ...any) { f.failed = true; panic(f) }

func TestAWaitEnds(t *testing.T) {
	for name, c := range map[string]struct {
		after  time.Duration
		failed bool
	}{
		"at once": {0, false}, "in time": {Limit - time.Second, false}, "never": {2 * Limit, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f := &failing{TB: t}
			func() {
				defer func() { _ = recover() }() // Fatalf does not return
				Until(f, "", func() bool { return time.Since(began) >= c.after })
			}()
			if took := time.Since(began); f.failed != c.failed || took < min(c.after, Limit) || took > Limit+time.Second {
				t.Errorf("%s: failed %v after %s", name, f.failed, took)
			}
		})
	}
}

func TestAContextEndsWithTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		t.Cleanup(func() {
			if ctx.Err() == nil {
				t.Error("it goes on")
			}
		})
		ctx = Context(t)
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != Limit {
			t.Errorf("until %v", deadline)
		}
	})
}
