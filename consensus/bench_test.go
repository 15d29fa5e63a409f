package consensus_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// tally counts items and keeps nothing: what a benchmark of consensus alone has
// for a state machine.
type tally struct {
	*machine
	n atomic.Uint64
}

func (s *tally) Apply(_, _ uint64, items [][]byte) []any {
	s.n.Add(uint64(len(items)))
	return make([]any, len(items))
}

func (s *tally) Prepare(uint64, [][]byte)   {}
func (s *tally) Applied() uint64            { return 0 }
func (s *tally) Point() (uint64, sm.Digest) { return s.n.Load(), sm.Digest{} }
func (s *tally) Sync(uint64) error          { return nil }

// BenchmarkPropose is the closed loop of docs/performance.md without HTTP: a
// number of callers, spread over four nodes in one process, each of which waits
// for its node's own result before it proposes the next item of 1 KiB. Logs are
// synced.
func BenchmarkPropose(b *testing.B) {
	for _, callers := range []int{1, 64, 256, 1000} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			c := newCluster(b, consensus.Snapshots{})
			c.tally = true
			for _, id := range regions {
				c.members[id].start()
			}
			c.leader()
			work := make(chan uint64)
			var all sync.WaitGroup
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := range callers {
				m := c.members[regions[i%len(regions)]]
				all.Go(func() {
					for n := range work {
						item := make([]byte, 1024)
						binary.BigEndian.PutUint64(item, n)
						if _, err := m.node.Propose(ctx, item); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			var n uint64
			for b.Loop() {
				n++
				work <- n
			}
			close(work)
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
