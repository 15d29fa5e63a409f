package journal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// notice is an event as one accepted notice makes it, of about 1.5 KiB.
func notice() exchange.Event {
	return exchange.Event{At: noon, Rows: &exchange.RowsTaken{Submission: "s-00000000000000000000000000", Rows: []exchange.Row{{
		N: 1, Outcome: exchange.RowAccepted, Slot: 1, Private: make([]byte, 300),
		Entry: &exchange.Authored{Header: make([]byte, 200), Body: bytes.Repeat([]byte{7}, 900)},
	}}}}
}

func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			j := openDir(b, b.TempDir(), segmentSize)
			defer closeJournal(b, j)
			e := notice()
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := j.Append(b.Context(), e); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkReadOne(b *testing.B) {
	j := openDir(b, b.TempDir(), segmentSize)
	defer closeJournal(b, j)
	events := make([]exchange.Event, 100)
	for i := range events {
		events[i] = notice()
	}
	for range 20 {
		appendAll(b, j, events...)
	}
	b.ReportAllocs()
	for at := exchange.Position(1); b.Loop(); at = at%j.Last() + 1 {
		if _, err := j.ReadOne(at); err != nil {
			b.Fatal(err)
		}
	}
}

// What opening costs at most: the last segment, nearly full.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	j := openDir(b, dir, segmentSize)
	events := make([]exchange.Event, 1000)
	for i := range events {
		events[i] = notice()
	}
	for j.segments[0].size < segmentSize-2<<20 {
		appendAll(b, j, events...)
	}
	b.SetBytes(j.segments[0].size)
	closeJournal(b, j)
	for b.Loop() {
		closeJournal(b, openDir(b, dir, segmentSize))
	}
}
