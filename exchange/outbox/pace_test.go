package outbox_test

import (
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange/outbox"
)

func assertPace(t *testing.T, p *outbox.Pace, waiting, underWay int, want time.Duration, ok bool) {
	t.Helper()
	if wait, may := p.Wait(waiting, underWay); wait != want || may != ok {
		t.Errorf("%d entries with %d batches under way: wait %s, %t; want %s, %t", waiting, underWay, wait, may, want, ok)
	}
}

// Somebody who is alone never waits for company, however long the way is.
func TestALoneEntryLeavesAtOnce(t *testing.T) {
	var p outbox.Pace
	for range 3 {
		assertPace(t, &p, 1, 0, 0, true)
		p.Left(1)
		p.Landed(30 * time.Millisecond)
	}
}

func TestABatchGrowsWhileAnotherIsUnderWay(t *testing.T) {
	var p outbox.Pace
	p.Left(30)
	assertPace(t, &p, 34, 1, 0, false)
	assertPace(t, &p, 200, 1, 0, true)
	assertPace(t, &p, 200, 3, 0, true)
	assertPace(t, &p, 200, 4, 0, false)
}

// What has come back after a landing is waited for, up to an eighth of the way;
// when less comes for good, that is soon expected.
func TestABatchWaitsForTheUsualCompany(t *testing.T) {
	var p outbox.Pace
	p.Left(64)
	p.Landed(16 * time.Millisecond)
	assertPace(t, &p, 63, 0, time.Millisecond, true) // the mean of 0 and 16 ms, an eighth
	assertPace(t, &p, 64, 0, 0, true)
	for range 16 {
		p.Left(2)
	}
	assertPace(t, &p, 2, 0, 0, true)
}
