package witness_test

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

// What one mark costs all four nodes together, disk and network included: the
// difference between the two, in CPU time. Marks come five times a second.
func BenchmarkOneItem(b *testing.B) {
	b.Run("witnessed", func(b *testing.B) {
		c := startMarked(b, consensus.Marking{Busy: time.Microsecond, Idle: time.Hour})
		c.measure(b, func(ctx context.Context, n *node, size uint64) error { return n.witness.Wait(ctx, size) })
	})
	b.Run("committed", func(b *testing.B) {
		c := startMarked(b, consensus.Marking{Busy: time.Hour, Idle: time.Hour})
		c.measure(b, func(_ context.Context, n *node, size uint64) error {
			waiting.Until(b, "it has applied the item", func() bool { return view{machine: n.machine}.Size() >= size })
			return nil
		})
	})
}

// How long after it is on the ledger an item is witnessed everywhere, when the
// ledger is marked as it is in service: one item right behind the other, so that
// each waits for the next mark, and one now and then, which is marked at once.
func BenchmarkTimeToWitnessed(b *testing.B) {
	b.Run("busy", func(b *testing.B) { timeToWitnessed(b, 0) })
	b.Run("quiet", func(b *testing.B) { timeToWitnessed(b, 250*time.Millisecond) })
}

func timeToWitnessed(b *testing.B, rest time.Duration) {
	c := startCluster(b)
	leader := c.leader()
	witnessed := func() time.Duration {
		c.propose(leader, "notice")
		from := time.Now()
		size := view{machine: leader.machine}.Size()
		for _, n := range c.nodes {
			if err := n.witness.Wait(b.Context(), size); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(from)
	}
	witnessed() // until all have found each other
	var took []time.Duration
	for b.Loop() {
		<-time.After(rest)
		took = append(took, witnessed())
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
}

func (c *cluster) measure(b *testing.B, wait func(context.Context, *node, uint64) error) {
	leader := c.leader()
	before := cpu(b)
	for b.Loop() {
		c.propose(leader, "notice")
		size := view{machine: leader.machine}.Size()
		for _, n := range c.nodes {
			if err := wait(b.Context(), n, size); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
