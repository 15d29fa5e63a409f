package consensus

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// entryTime is what an entry takes in these tests: two full ones at a time make
// 25 MiB a second.
const entryTime = 20 * time.Millisecond

// newPaced returns a batcher that leads, in a bubble, and tells how many bytes of
// a source got their places.
func newPaced(t *testing.T) (b *batcher, taken func(source byte) int) {
	var mu sync.Mutex
	bytes := map[byte]int{}
	done := make(chan struct{})
	b = newBatcher(2, func(data []byte) func() error {
		_, ids, items, err := parsePayload(data)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for i, id := range ids {
			bytes[id[0]] += len(items[i])
		}
		return func() error { <-time.After(entryTime); return nil }
	}, func(err error) { t.Error(err) }, done)
	go b.run()
	b.lead(true)
	t.Cleanup(func() {
		b.lead(false)
		<-time.After(2 * entryTime) // the bubble's clock: what is under way ends
		close(done)
	})
	return b, func(source byte) int {
		mu.Lock()
		defer mu.Unlock()
		return bytes[source]
	}
}

// floods keeps a node's queue full for as long as it is let.
func (b *batcher) floods(node byte) {
	s := b.source(string(node), 1<<20, func() {})
	go func() {
		for n := 0; b.push(s, numberedItem(node, n, 64<<10)) == nil; n++ {
		}
	}()
}

// One node's queue is never empty, another has a small item now and then. That
// one waits for nothing, and the flood is held to its rate; when the other has
// nothing more to say, the flood has the leader to itself.
func TestAFloodIsHeldToItsRateWhileOthersPropose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, taken := newPaced(t)
		quiet := b.source("quiet", 1<<20, func() {})
		for n := range 50 {
			if err := b.push(quiet, numberedItem('q', n, 1000)); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				synctest.Wait()
				b.floods('f')
			}
			time.Sleep(2 * entryTime) // the bubble's clock
			if got := taken('q'); got != 1000*(n+1) {
				t.Fatalf("item %d of the small node waits behind the flood", n)
			}
			time.Sleep(100*time.Millisecond - 2*entryTime)
		}
		held := taken('f')
		if most := 5*floodRate + floodBurst + 2*maxEntryBytes; held > most || held < 4*floodRate {
			t.Errorf("the flood got %d bytes in 5 s, at most %d are its due", held, most)
		}
		time.Sleep(lately + 2*time.Second)
		if alone := taken('f') - held; alone < 20*floodRate {
			t.Errorf("alone it got %d bytes in 2 s", alone)
		}
	})
}

// A full load of two nodes is not a flood of one.
func TestNodesThatShareAFullLoadAreNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, taken := newPaced(t)
		for _, node := range []byte{'a', 'b'} {
			b.floods(node)
		}
		time.Sleep(3 * time.Second) // the bubble's clock
		for _, node := range []byte{'a', 'b'} {
			if got := taken(node); got < 12*floodRate {
				t.Errorf("%c got %d bytes in 3 s", node, got)
			}
		}
	})
}

// Whoever opens another queue loses the one before: more of them are not more
// turns, and not another quota.
func TestANodeHasOneQueue(t *testing.T) {
	b := newBatcher(1, nil, func(err error) { t.Error(err) }, make(chan struct{}))
	b.lead(true)
	lost := 0
	first := b.source("node", 0, func() { lost++ })
	if err := b.push(first, numberedItem(1, 0, 10)); err != nil {
		t.Fatal(err)
	}
	second := b.source("node", 0, func() { lost++ })
	if lost != 1 || b.push(first, numberedItem(1, 1, 10)) == nil {
		t.Error("the older queue goes on beside the new one")
	}
	if err := b.push(second, numberedItem(1, 0, 10)); err != nil || b.waiting != 1 || len(b.sources) != 1 {
		t.Errorf("%v, %d items wait in %d queues", err, b.waiting, len(b.sources))
	}
}
