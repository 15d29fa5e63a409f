package main

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// benchSample is one request that was answered within the timed part.
type benchSample struct {
	at   time.Duration // of the answer, since the timed part began
	took time.Duration
}

// benchWarmUp comes before the timed part: leaders, connections, caches.
func benchWarmUp(duration time.Duration) time.Duration { return min(duration/2, time.Second) }

// drive has each client call once again when it has been answered, or each time
// that flags.every has gone by. The timed part ends after flags.duration, or with
// flags.records requests answered.
func (c *benchCluster) drive(ctx context.Context, call func(ctx context.Context, client int) error) ([]benchSample, error) {
	from := time.Now().Add(benchWarmUp(c.flags.duration))
	var answered atomic.Int64
	timed := func(now time.Time) bool {
		if c.flags.records > 0 {
			return answered.Load() < int64(c.flags.records)
		}
		return now.Before(from.Add(c.flags.duration))
	}
	samples := make([][]benchSample, c.flags.clients)
	g, ctx := errgroup.WithContext(ctx)
	for client := range c.flags.clients {
		g.Go(func() error {
			// Clients that keep a pace take turns, not the same instant.
			due := time.Now().Add(c.flags.every * time.Duration(client) / time.Duration(c.flags.clients))
			for {
				if err := sleepUntil(ctx, due); err != nil {
					return err
				}
				due = due.Add(c.flags.every)
				sent := time.Now()
				if !timed(sent) {
					return nil
				}
				if err := call(ctx, client); err != nil {
					return err
				}
				if now := time.Now(); !now.Before(from) && timed(now) {
					answered.Add(1)
					samples[client] = append(samples[client], benchSample{at: now.Sub(from), took: now.Sub(sent)})
				}
			}
		})
	}
	err := g.Wait()
	return slices.Concat(samples...), err
}

func sleepUntil(ctx context.Context, t time.Time) error {
	wait := time.Until(t)
	if wait <= 0 {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// summarize reads the figures off at least one sample.
func (r *benchReport) summarize(samples []benchSample, f benchFlags) {
	slices.SortFunc(samples, func(a, b benchSample) int { return cmp.Compare(a.at, b.at) })
	timed := f.duration
	if f.records > 0 {
		timed = samples[len(samples)-1].at
	}
	r.DurationMS = timed.Milliseconds()
	r.RecordsPerS = float64(len(samples)) / timed.Seconds()
	count := func(from, to time.Duration) (n int) {
		for _, s := range samples {
			if s.at >= from && s.at < to {
				n++
			}
		}
		return n
	}
	tenth := timed / 10
	r.FirstTenth = float64(count(0, tenth)) / tenth.Seconds()
	r.LastTenth = float64(count(timed-tenth, timed)) / tenth.Seconds()

	slices.SortFunc(samples, func(a, b benchSample) int { return cmp.Compare(a.took, b.took) })
	at := func(share int) float64 {
		return float64(samples[min(len(samples)*share/100, len(samples)-1)].took.Microseconds()) / 1000
	}
	r.P50, r.P99 = at(50), at(99)
}
