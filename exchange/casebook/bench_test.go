package casebook_test

import (
	"fmt"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// backlog lets Tianjin send n records to Beijing without Beijing following.
func backlog(b *testing.B, w *world, n int) []exchange.EntryID {
	b.Helper()
	tj := w.members[tianjin]
	var ids []exchange.EntryID
	for at := 0; at < n; at += 256 {
		var notices []notice
		for i := at; i < min(at+256, n); i++ {
			notices = append(notices, notice{no: fmt.Sprintf("津交罚〔2024〕%d号", i), firm: beijingFirm, home: beijing, fine: 200000})
		}
		ids = append(ids, tj.submit(fmt.Sprintf("s-%026d", at), notices...)...)
		tj.drain()
	}
	return ids
}

const benchRecords = 4096

// BenchmarkFoldReceived folds records at their recipient: opened, verified,
// validated, indexed, reminded, in the feed. One operation is one record.
func BenchmarkFoldReceived(b *testing.B) {
	for _, bound := range []bool{false, true} {
		b.Run(fmt.Sprintf("bound=%v", bound), func(b *testing.B) {
			w := newWorld(b)
			bj := w.members[beijing]
			if bound {
				bj.bind(beijingFirm)
			}
			backlog(b, w, benchRecords)
			bj.refold(b)
		})
	}
}

// BenchmarkFoldOwn folds records at their origin: accepted, cut, committed.
func BenchmarkFoldOwn(b *testing.B) {
	w := newWorld(b)
	backlog(b, w, benchRecords)
	w.members[tianjin].refold(b)
}

// refold reads the ledger to its end and then folds the journal again and again
// from its beginning.
func (r *region) refold(b *testing.B) {
	b.Helper()
	r.follow()
	last := r.journal.Last()
	r.stop()
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		book, stop := r.open(fmt.Sprintf("bench-%d", records), r.journal)
		waitFor(b, book, last)
		stop()
		records += benchRecords
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
}

// BenchmarkPending reads a full batch's worth of the outbox.
func BenchmarkPending(b *testing.B) {
	w := newWorld(b)
	tj := w.members[tianjin]
	var notices []notice
	for i := range 1024 {
		notices = append(notices, notice{no: fmt.Sprint(i), firm: beijingFirm, home: beijing})
	}
	for i := 0; i < len(notices); i += 256 {
		tj.submit(fmt.Sprint("s-", i), notices[i:i+256]...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if p, err := tj.book.Pending(256, exchange.MaxBatchItems); err != nil || len(p) != exchange.MaxBatchItems {
			b.Fatal(len(p), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/exchange.MaxBatchItems, "ns/record")
}

// BenchmarkFeed renders a page of reminders from their sealed bodies.
func BenchmarkFeed(b *testing.B) {
	w := newWorld(b)
	bj := w.members[beijing]
	bj.bind(beijingFirm)
	backlog(b, w, 1024)
	bj.follow()
	for b.Loop() {
		if items, _, err := bj.book.Feed(0, 500); err != nil || len(items) != 500 {
			b.Fatal(len(items), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/item")
}

// BenchmarkOneEvent is the price of an event that comes alone: journal, fold,
// and the fsyncs of both.
func BenchmarkOneEvent(b *testing.B) {
	w := newWorld(b)
	bj := w.members[beijing]
	backlog(b, w, benchRecords)
	bj.follow()
	b.ReportAllocs()
	for b.Loop() {
		bj.bind(tianjinFirm)
		bj.unbind(tianjinFirm)
	}
}
