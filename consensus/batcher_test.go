package consensus

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// bench holds a batcher whose entries the test applies by hand.
type bench struct {
	b       *batcher
	entries chan []byte
	answers chan error
}

func newBench(t *testing.T, inFlight int) *bench {
	done := make(chan struct{})
	x := &bench{entries: make(chan []byte), answers: make(chan error)}
	x.b = newBatcher(inFlight, func(data []byte) func() error {
		select {
		case x.entries <- data:
		case <-done:
		}
		return func() error {
			select {
			case err := <-x.answers:
				return err
			case <-done:
				return nil
			}
		}
	}, func(err error) { t.Error(err) }, done)
	ended := make(chan struct{})
	go func() { x.b.run(); close(ended) }()
	t.Cleanup(func() { close(done); <-ended })
	return x
}

func numberedItem(source byte, n, size int) proposed {
	p := proposed{item: make([]byte, size)}
	p.id[0] = source
	binary.BigEndian.PutUint32(p.id[12:], uint32(n))
	return p
}

func (x *bench) next(t *testing.T) (ids []proposalID) {
	t.Helper()
	_, ids, _, err := parsePayload(<-x.entries)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestAnEntryTakesWhatWaitsInTurn(t *testing.T) {
	x := newBench(t, 1)
	flood, quiet := x.b.source("a", 0, func() {}), x.b.source("b", 0, func() {})
	x.b.lead(true)
	if err := x.b.push(flood, numberedItem(1, 0, 10)); err != nil {
		t.Fatal(err)
	}
	if got := x.next(t); len(got) != 1 {
		t.Fatalf("an idle batcher waits: %d items in the first entry", len(got))
	}
	// While that entry is under way, one source floods and another one has a
	// single item.
	for n := range 400 {
		if err := x.b.push(flood, numberedItem(1, n+1, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.b.push(quiet, numberedItem(2, 0, 10)); err != nil {
		t.Fatal(err)
	}
	x.answers <- nil
	got := x.next(t)
	if len(got) != maxEntryItems {
		t.Errorf("%d items in a full entry", len(got))
	}
	if got[0][0] != 2 && got[1][0] != 2 {
		t.Error("the quiet source has to wait behind the flood")
	}
	last := uint32(0)
	for _, id := range got {
		if id[0] == 1 {
			if n := binary.BigEndian.Uint32(id[12:]); n != last+1 {
				t.Fatalf("item %d after %d", n, last)
			}
			last++
		}
	}
	x.answers <- nil
	if got := x.next(t); len(got) != 400+1-maxEntryItems {
		t.Errorf("%d items in the last entry", len(got))
	}
	x.answers <- nil
}

// The last places under way are not for entries that may still grow.
func TestASecondEntryLeavesWhenItIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, 2)
		s := x.b.source("a", 0, func() {})
		x.b.lead(true)
		push := func(n, size int) {
			if err := x.b.push(s, numberedItem(1, n, size)); err != nil {
				t.Fatal(err)
			}
		}
		push(0, 10)
		first := x.next(t)
		push(1, 10)
		synctest.Wait()
		select {
		case <-x.entries:
			t.Fatal("a small entry left while another was under way")
		default:
		}
		push(2, maxEntryBytes)
		if got := x.next(t); len(got) != 1 || got[0] != numberedItem(1, 1, 0).id {
			t.Errorf("the second entry holds %v", got)
		}
		x.b.shown(first)
		x.answers <- nil
		synctest.Wait()
		x.answers <- nil // the second; the third is larger than the rest of an entry
		if got := x.next(t); len(got) != 1 {
			t.Errorf("%d items in the third entry", len(got))
		}
	})
}

func TestAnEntryIsBoundedInBytes(t *testing.T) {
	x := newBench(t, 1)
	s := x.b.source("a", 0, func() {})
	x.b.lead(true)
	if err := x.b.push(s, numberedItem(1, 0, 1), numberedItem(1, 1, 200<<10), numberedItem(1, 2, 200<<10), numberedItem(1, 3, MaxItem)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 1, 1} { // the last is larger than an entry, and alone
		if got := x.next(t); len(got) != want {
			t.Errorf("%d items, want %d", len(got), want)
		}
		x.answers <- nil
	}
}

// The next entry leaves when the one before it is committed. It need not wait
// until that one has been applied, and what was applied frees nothing twice.
func TestAnEntryMakesRoomWhenItIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, 1)
		s := x.b.source("a", 0, func() {})
		x.b.lead(true)
		push := func(n int) {
			if err := x.b.push(s, numberedItem(1, n, 1)); err != nil {
				t.Fatal(err)
			}
		}
		push(0)
		first := x.next(t)
		push(1)
		synctest.Wait() // 1 waits for 0
		push(2)
		x.b.shown(first)
		if got := x.next(t); len(got) != 2 {
			t.Errorf("%d items in the second entry", len(got))
		}
		x.answers <- nil // the first one has been applied
		push(3)
		synctest.Wait()
		select {
		case <-x.entries:
			t.Error("two entries are under way")
		default:
		}
		x.answers <- nil // the second one
		if got := x.next(t); len(got) != 1 {
			t.Errorf("%d items in the third entry", len(got))
		}
	})
}

// After an entry was lost nothing that was queued behind it may get ahead.
func TestALostEntryTakesWhatIsQueuedWithIt(t *testing.T) {
	x := newBench(t, 1)
	lost := make(chan struct{}, 1)
	s := x.b.source("a", 0, func() { lost <- struct{}{} })
	x.b.lead(true)
	if err := x.b.push(s, numberedItem(1, 0, 1)); err != nil {
		t.Fatal(err)
	}
	x.next(t)
	if err := x.b.push(s, numberedItem(1, 1, 1)); err != nil {
		t.Fatal(err)
	}
	x.answers <- errors.New("leadership lost")
	<-lost
	if err := x.b.push(s, numberedItem(1, 2, 1)); err == nil {
		t.Error("the queue goes on behind a lost item")
	}
	again := x.b.source("a", 0, func() {})
	if err := x.b.push(again, numberedItem(1, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if got := x.next(t); len(got) != 1 || binary.BigEndian.Uint32(got[0][12:]) != 0 {
		t.Errorf("after the loss: %v", got)
	}
	x.answers <- nil
}

// A peer that sends faster than the log takes is made to wait, not to fill the
// leader's memory.
func TestAFullQueueHoldsItsSourceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t, 1)
		s := x.b.source("a", 1000, func() {})
		x.b.lead(true)
		var pushed atomic.Int32
		ended := make(chan error, 1)
		go func() {
			for n := range 10 {
				if err := x.b.push(s, numberedItem(1, n, 600)); err != nil {
					ended <- err
					return
				}
				pushed.Add(1)
			}
			ended <- nil
		}()
		under := len(x.next(t)) // an entry that stays under way
		synctest.Wait()
		if got := int(pushed.Load()) - under; got != 2 {
			t.Errorf("%d items of 600 bytes wait in a queue of 1000", got)
		}
		x.b.lead(false)
		if err := <-ended; err == nil {
			t.Error("the source was not let go when the leader was deposed")
		}
	})
}
