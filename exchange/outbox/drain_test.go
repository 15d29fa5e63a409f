package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
)

// wantCanceled ends a drain that is to be alive still.
func wantCanceled(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("the drain ended with %v", err)
	}
}

// A lone notice leaves at once; what comes while it is on its way leaves
// together; what is plenty does not wait.
func TestBatchesFillBehindOneInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := newRegion(), &sharedLedger{latency: 10 * time.Millisecond}
		_, stop := drain(t, r, l)
		r.accept(1)
		synctest.Wait()
		for range 30 {
			r.accept(1)
			synctest.Wait()
		}
		if seq, _ := l.LastBatch(tianjin); seq != 1 {
			t.Errorf("%d batches left while the first was on its way", seq)
		}
		time.Sleep(25 * time.Millisecond) // the bubble's clock
		synctest.Wait()
		r.accept(700)
		synctest.Wait()
		if seq, _ := l.LastBatch(tianjin); seq != 5 {
			t.Errorf("of 700 entries at once %d batches are on their way", seq-2)
		}
		time.Sleep(50 * time.Millisecond)
		wantCanceled(t, stop)
		if want := []int{1, 30, 256, 256, 188}; !slices.Equal(l.sizes, want) {
			t.Errorf("batches of %v, want %v", l.sizes, want)
		}
		wantAll(t, r, l)
	})
}

// The process dies after a cut is in the journal. Whether or not the batch
// came through, the next one brings it to the ledger once, with the bytes that
// others may have seen.
func TestResendAfterRestartIsTheSameBytes(t *testing.T) {
	for name, arrived := range map[string]bool{"lost on the way": false, "applied, the answer lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, l := newRegion(), &sharedLedger{latency: time.Hour}
				if !arrived {
					l.script = func(exchange.Preamble) (*exchange.Rejection, bool) { return nil, true }
				}
				r.accept(700)
				_, stop := drain(t, r, l)
				synctest.Wait()
				wantCanceled(t, stop)
				before := l.proposed
				if len(before) != 3 {
					t.Fatalf("%d batches were on their way", len(before))
				}

				l.proposed, l.script, l.latency = nil, nil, time.Millisecond
				_, stop = drain(t, r, l)
				synctest.Wait()
				time.Sleep(10 * time.Millisecond)
				r.accept(1)
				synctest.Wait()
				wantCanceled(t, stop)
				if !arrived {
					for i, raw := range before {
						if !bytes.Equal(raw, l.proposed[i]) {
							t.Errorf("batch %d was sent again with other bytes", i+1)
						}
					}
				} else if len(l.proposed) != 1 {
					t.Errorf("%d batches sent again that the ledger has", len(l.proposed)-1)
				}
				wantAll(t, r, l)
			})
		})
	}
}

// The ledger refuses one entry. It alone stays out; its batch and those behind
// it are cut again and keep their order.
func TestRefusalTakesTheBadEntryOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion()
		r.accept(700)
		bad := []exchange.EntryID{r.entries[5].ID, r.entries[400].ID}
		l := &sharedLedger{latency: time.Millisecond, bad: map[exchange.EntryID]bool{bad[0]: true, bad[1]: true}}
		_, stop := drain(t, r, l)
		time.Sleep(time.Second)
		synctest.Wait()
		wantCanceled(t, stop)
		if len(r.refused) != 2 || r.refused[bad[0]] != exchange.CodeBadRef || r.refused[bad[1]] != exchange.CodeBadRef {
			t.Errorf("told as refused: %v", r.refused)
		}
		wantAll(t, r, l)
	})
}

// A batch that comes before the one it follows is not lost: the outbox goes
// back to where the ledger stands and sends the same bytes.
func TestGapRewinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := newRegion(), &sharedLedger{latency: time.Millisecond}
		r.accept(700)
		gaps := 0
		l.script = func(p exchange.Preamble) (*exchange.Rejection, bool) {
			if p.Seq >= 2 && gaps < 2 {
				gaps++
				return &exchange.Rejection{Code: exchange.CodeSeqGap, Item: -1, Expected: 1}, false
			}
			return nil, false
		}
		_, stop := drain(t, r, l)
		time.Sleep(time.Second)
		synctest.Wait()
		wantCanceled(t, stop)
		if gaps != 2 || len(l.proposed) != 5 || !bytes.Equal(l.proposed[1], l.proposed[3]) || !bytes.Equal(l.proposed[2], l.proposed[4]) {
			t.Errorf("%d gaps, %d batches proposed, not the same ones again", gaps, len(l.proposed))
		}
		wantAll(t, r, l)
	})
}

// A region that was restored from a backup finds in its outbox what the lost node
// has sent since. It sends nothing before it has read what the ledger holds.
func TestWhatTheLostNodeHasSentIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, l := newRegion(), &sharedLedger{latency: time.Millisecond, foreign: 1}
		lost.accept(300)
		_, stop := drain(t, lost, l)
		time.Sleep(time.Second) // the bubble's clock
		synctest.Wait()
		wantCanceled(t, stop)

		restored := newRegion()
		restored.entries, restored.behind = lost.entries, true
		restored.accept(5)
		_, stop = drain(t, restored, l)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(l.entries) != 300 {
			t.Errorf("%d entries are on the ledger, and it has read none", len(l.entries))
		}
		restored.follow(l)
		time.Sleep(time.Second)
		synctest.Wait()
		wantCanceled(t, stop)
		wantAll(t, restored, l)
	})
}

// Without an answer the outbox tries again, after a pause.
func TestLostAnswerIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := newRegion(), &sharedLedger{latency: time.Millisecond}
		lost := 0
		l.script = func(exchange.Preamble) (*exchange.Rejection, bool) {
			lost++
			return nil, lost <= 3
		}
		r.accept(10)
		_, stop := drain(t, r, l)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		wantCanceled(t, stop)
		if len(l.proposed) != 4 || !bytes.Equal(l.proposed[0], l.proposed[3]) {
			t.Errorf("proposed %d times", len(l.proposed))
		}
		wantAll(t, r, l)
	})
}

// Somebody else holds the region's batch key, or the journal is an old copy.
func TestForkStopsForGood(t *testing.T) {
	intruder := func(l *sharedLedger) {
		seq, preamble := l.LastBatch(tianjin)
		f := founded()
		c := outbox.Cutter{Ledger: f.sealer.Ledger, Region: tianjin, Keys: holding(f.batch), Secrets: envelope.NewSecrets(f.sealer.Rand)}
		b := must(c.Cut([]exchange.Pending{entry(seq+1000, 100, beijing)}, seq+1, preamble, f.directory))
		if r := must(l.apply(must(b.Marshal()))); r.Rejection != nil {
			panic(r.Rejection)
		}
	}
	t.Run("overtaken while running", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, l := newRegion(), &sharedLedger{latency: time.Millisecond}
			r.accept(1)
			d, stop := drain(t, r, l)
			time.Sleep(time.Second)
			synctest.Wait()
			intruder(l)
			r.accept(1)
			synctest.Wait()
			time.Sleep(time.Second)
			wantFork(t, d, stop)
		})
	})
	for _, batches := range []int{1, 2} {
		t.Run(fmt.Sprintf("overtaken by %d while stopped", batches), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, l := newRegion(), &sharedLedger{latency: time.Hour}
				l.script = func(exchange.Preamble) (*exchange.Rejection, bool) { return nil, true }
				r.accept(1)
				_, stop := drain(t, r, l)
				synctest.Wait()
				wantCanceled(t, stop)
				l.script, l.latency = nil, time.Millisecond
				for range batches {
					intruder(l)
				}
				d, stop := drain(t, r, l)
				time.Sleep(time.Second)
				synctest.Wait()
				wantFork(t, d, stop)
			})
		})
	}
}

func wantFork(t *testing.T, d *outbox.Drain, stop func() error) {
	t.Helper()
	forked := d.Forked()
	if err := stop(); !forked || !errors.Is(err, outbox.ErrFork) {
		t.Errorf("forked %v, ended with %v", forked, err)
	}
}

// A leader that leaves one region out, and one that leaves out nobody but does
// nothing: only of the first the region can say that it is held back.
func TestALeaderThatLeavesOneRegionOut(t *testing.T) {
	for name, c := range map[string]struct {
		others uint64 // entries of other regions, each second
		held   bool
	}{
		"the others' batches come through": {1, true},
		"nobody's do":                      {0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, l := newRegion(), &sharedLedger{latency: time.Minute}
				d, stop := drain(t, r, l)
				r.accept(3)
				synctest.Wait()
				for second := range 10 {
					time.Sleep(time.Second) // the bubble's clock
					l.others(c.others)
					if held := d.HeldBack(); held != (c.held && second >= 4) {
						t.Errorf("after %d s it is held back: %v", second+1, held)
					}
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if d.HeldBack() {
					t.Error("it is held back, and all has come through")
				}
				wantCanceled(t, stop)
				wantAll(t, r, l)
			})
		})
	}
}
