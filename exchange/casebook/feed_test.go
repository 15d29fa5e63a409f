package casebook_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// A tag is an item's own, also when the casebook is built again. After a restore
// the same notice is read from the ledger at another time: another item.
func TestATagTellsItemsApart(t *testing.T) {
	told := func(delay time.Duration) *region {
		w := newWorld(t)
		w.now = w.now.Add(delay)
		tj, bj := w.members[tianjin], w.members[beijing]
		bj.bind(beijingFirm)
		tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "2", firm: beijingFirm, home: beijing})
		tj.drain()
		bj.follow()
		return bj
	}
	bj, later := told(0), told(time.Second)
	first := must[[8]byte](t)(bj.book.FeedTag(1))
	if first == must[[8]byte](t)(bj.book.FeedTag(2)) {
		t.Error("two items have one tag")
	}
	if first == must[[8]byte](t)(later.book.FeedTag(1)) {
		t.Error("the same notice read at another time has the same tag")
	}
	if _, err := bj.book.FeedTag(3); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("beyond the end: %v", err)
	}
	again, stop := bj.open("again", bj.journal)
	defer stop()
	if err := again.WaitFor(t.Context(), bj.book.Position()); err != nil {
		t.Fatal(err)
	}
	if first != must[[8]byte](t)(again.FeedTag(1)) {
		t.Error("built again, the casebook gives another tag")
	}
}

// A feed of firms that are bound no more is passed over in parts, each of them
// short, and comes to its end.
func TestWhatIsNotShownIsPassedOverInParts(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	var notices []notice
	for i := range 200 {
		notices = append(notices, notice{no: fmt.Sprint(i), firm: beijingFirm, home: beijing})
	}
	tj.submit("s-1", notices...)
	tj.drain()
	bj.follow()
	for range 26 { // each time all of them come as backfill
		bj.bind(beijingFirm)
		bj.unbind(beijingFirm)
	}
	end := must[uint64](t)(bj.book.FeedEnd())
	if end != 5200 {
		t.Fatalf("the feed has %d items", end)
	}
	calls := 0
	for after := uint64(0); ; calls++ {
		items, next, err := bj.book.Feed(after, 10)
		if err != nil || len(items) > 0 || next < after || next > end {
			t.Fatalf("after %d: %d items, next %d, %v", after, len(items), next, err)
		}
		if next == after {
			break
		}
		after = next
	}
	if calls != 2 {
		t.Errorf("passed over in %d calls", calls)
	}
}
