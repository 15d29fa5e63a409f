package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// benchFlooded says what a flood of one region does to the others: latencies of
// the same clients, in the same run, before it began.
type benchFlooded struct {
	Clients   int     `json:"clients"`       // that flood
	PerS      float64 `json:"records_per_s"` // of the flood, warm-up included
	QuietPerS float64 `json:"quiet_records_per_s"`
	QuietP50  float64 `json:"quiet_p50_ms"`
	QuietP99  float64 `json:"quiet_p99_ms"`
}

// loadFlood times the clients, spread over all nodes but the first, twice: by
// themselves, and while flags.flood clients of the first node send one item
// right behind the other. It returns the second.
func (c *benchCluster) loadFlood(ctx context.Context, r *benchReport) ([]benchSample, error) {
	items, err := c.openItems(ctx, max(c.flags.flood, c.flags.clients))
	if err != nil {
		return nil, err
	}
	defer items.close()
	others := len(c.nodes) - 1
	call := func(ctx context.Context, client int) error {
		return items.send(ctx, 1+client%others, client/others)
	}
	quiet, err := c.drive(ctx, call)
	if err != nil {
		return nil, err
	}
	took := make([]time.Duration, len(quiet))
	for i, s := range quiet {
		took[i] = s.took
	}
	r.Flood = &benchFlooded{Clients: c.flags.flood, QuietPerS: float64(len(quiet)) / c.flags.duration.Seconds()}
	r.Flood.QuietP50, r.Flood.QuietP99 = percentiles(took)

	var flooded atomic.Int64
	began := time.Now()
	flood, stopped := errgroup.WithContext(ctx)
	stopping := make(chan struct{})
	for caller := range c.flags.flood {
		flood.Go(func() error {
			for {
				select {
				case <-stopping:
					return nil
				default:
				}
				if err := items.send(stopped, 0, caller); err != nil {
					return err
				}
				flooded.Add(1)
			}
		})
	}
	samples, err := c.drive(stopped, call)
	r.Flood.PerS = float64(flooded.Load()) / time.Since(began).Seconds()
	close(stopping)
	return samples, errors.Join(err, flood.Wait())
}
