package main

import (
	"math"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// Regions whose clocks are days apart make one ledger with one root, and the
// whole story of the demonstration goes through: no verdict on a batch hangs on
// the time of day.
func TestClocksApartMakeOneLedger(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	p, d, s := newDemo(t)
	for i, wrong := range []time.Duration{-day, 0, day, 400 * day} {
		d.regions[i].cfg.Clock = func() time.Time { return d.clock.Now().Add(wrong) }
	}
	keepRunning(t, d)
	report, err := p.tell(t.Context(), d, s) // it compares the roots
	if err != nil {
		t.Fatal(err)
	}
	// Their clocks were believed where clocks count: in what each claims.
	first, last := int64(math.MaxInt64), int64(0)
	if err := eachEntry(d.regions[0].store, report.Regions[0].LedgerSize, func(e *exchange.Entry) {
		first, last = min(first, e.Header.IssuedAt), max(last, e.Header.IssuedAt)
	}); err != nil {
		t.Fatal(err)
	}
	if apart := time.Duration(last-first) * time.Second; apart < 300*day {
		t.Errorf("the claims lie within %v", apart)
	}
}
