package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
)

// One round streams a ledger to a node that has nothing, which verifies all of
// it and makes it its own. What the local half of a snapshot costs, a sync of
// what is applied, is told apart. The stream is not sent over a network.
func BenchmarkSnapshot(b *testing.B) {
	for _, size := range []uint64{10_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const perBatch = 100
			w := newWorld(b)
			c := chain{w: w}
			from := w.open(b.TempDir())
			for from.Head().Size < size {
				from.Apply(from.Head().RaftIndex+1, 1, [][]byte{c.next(perBatch)})
			}
			start := time.Now()
			if err := from.Sync(from.Head().RaftIndex); err != nil {
				b.Fatal(err)
			}
			local := time.Since(start)
			head := from.Head()
			var bytes int64
			for b.Loop() {
				to := w.open(b.TempDir())
				stream, length, err := from.Export(head.Size)
				if err != nil {
					b.Fatal(err)
				}
				p := consensus.Point{Index: head.RaftIndex, Term: 1, Size: head.Size, Root: head.Root}
				if root, err := to.Stage(p, stream); err != nil || root != head.Root {
					b.Fatal(root, err)
				}
				if err := to.Install(p); err != nil {
					b.Fatal(err)
				}
				bytes += length
				if err := to.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
			b.ReportMetric(float64(local.Microseconds())/1000, "local-ms")
			if err := from.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
