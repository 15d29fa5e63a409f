package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

const benchBody = 1 << 10

// chain makes the batches of one origin, n records of 1 KiB in each.
type chain struct {
	w        *world
	seq      uint64
	previous sm.Digest
}

func (c *chain) next(n int) []byte {
	c.seq++
	d := c.w.newDraft(regions['A'], c.seq, c.previous)
	for i := range n {
		d.add(c.w.entry(regions['A'], fmt.Sprintf("%d/%d", c.seq, i), benchBody))
	}
	raw := c.w.seal(d, mutation{})
	c.previous = sm.Sum(d.preamble.Marshal())
	return raw
}

// One round applies all records of a prepared corpus to an empty store, in Raft
// entries of up to 256 KiB as the leader makes them, and waits until they are
// durable.
func BenchmarkApply(b *testing.B) {
	for _, perBatch := range []int{1, 64, 190} {
		b.Run(fmt.Sprintf("%d-a-batch", perBatch), func(b *testing.B) {
			w := newWorld(b)
			c := chain{w: w}
			const records = 8 * 190 * 4
			var entries [][][]byte
			size := exchange.MaxBatch
			for made := 0; made < records; made += perBatch {
				raw := c.next(perBatch)
				if size+len(raw) > exchange.MaxBatch {
					entries, size = append(entries, nil), 0
				}
				entries[len(entries)-1] = append(entries[len(entries)-1], raw)
				size += len(raw)
			}
			applied := 0
			var spent time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				s := w.open(b.TempDir())
				b.StartTimer()
				start := time.Now()
				for i, items := range entries {
					s.Apply(uint64(i+1), 1, items)
				}
				if err := s.Sync(s.Head().RaftIndex); err != nil {
					b.Fatal(err)
				}
				spent += time.Since(start)
				applied += int(s.Head().Size)
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(applied), "ns/record")
			b.ReportMetric(float64(applied)/spent.Seconds(), "records/s")
		})
	}
}

func BenchmarkEntries(b *testing.B) {
	for _, perBatch := range []int{1, 190} {
		b.Run(fmt.Sprintf("%d-a-batch", perBatch), func(b *testing.B) {
			w := newWorld(b)
			c := chain{w: w}
			s := w.open(b.TempDir())
			for s.Head().Size < 1900 {
				s.Apply(s.Head().RaftIndex+1, 1, [][]byte{c.next(perBatch)})
			}
			if err := s.Sync(s.Head().RaftIndex); err != nil {
				b.Fatal(err)
			}
			read := 0
			for b.Loop() {
				entries, err := s.Entries(0, 1900)
				if err != nil {
					b.Fatal(err)
				}
				read += len(entries)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(read), "ns/record")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkGrowth fills one store and tells how the cost changes as it grows.
// STORE_GROWTH=1000000 sets the number of entries.
func BenchmarkGrowth(b *testing.B) {
	entries := 100_000
	if text := os.Getenv("STORE_GROWTH"); text != "" {
		if _, err := fmt.Sscan(text, &entries); err != nil {
			b.Fatal(err)
		}
	}
	const perBatch = 100
	for b.Loop() {
		w := newWorld(b)
		c := chain{w: w}
		dir := b.TempDir()
		s := w.open(dir)
		var first, last time.Duration
		for done := 0; done < entries; done += perBatch {
			raw := c.next(perBatch)
			start := time.Now()
			s.Apply(s.Head().RaftIndex+1, 1, [][]byte{raw})
			spent := time.Since(start)
			if done < entries/10 {
				first += spent
			}
			if done >= entries-entries/10 {
				last += spent
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		s = w.open(dir)
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/open")
		var memory runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "MiB-heap")
		b.ReportMetric(float64(last)/float64(first), "last/first-tenth")
		b.ReportMetric(float64(diskUse(b, dir))/float64(entries), "bytes/record")
		b.ReportMetric(float64(last.Nanoseconds())/float64(entries/10), "ns/record")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func diskUse(b *testing.B, dir string) (total int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}
