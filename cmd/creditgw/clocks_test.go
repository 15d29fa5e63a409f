package main

import (
	"context"
	"errors"
	"log/slog"
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
	p, _, _ := testProgram(nil)
	p.now = time.Now
	d, err := p.foundDemo(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i, wrong := range []time.Duration{-day, 0, day, 400 * day} {
		d.regions[i].cfg.Clock = func() time.Time { return d.clock.Now().Add(wrong) }
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, d.Close()); err != nil {
			t.Error(err)
		}
	})
	s, err := openSamples("")
	if err != nil {
		t.Fatal(err)
	}
	report, err := p.tell(ctx, d, s) // it compares the roots
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
