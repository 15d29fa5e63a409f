package store

import (
	"sync"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// counted opens a store and counts the signatures that it verifies.
func (w *world) counted() (s *Store, verified func() int) {
	var mu sync.Mutex
	n := 0
	config := w.config(w.t.TempDir())
	config.Verified = func(bool, *sm.BatchPublic, []byte, []byte) {
		mu.Lock()
		defer mu.Unlock()
		n++
	}
	s = must[*Store](w.t)(Open(config))
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

func (w *world) apply(s *Store, index uint64, names ...string) (verdicts []string) {
	w.t.Helper()
	for _, answer := range s.Apply(index, 1, w.batches(names...)) {
		result := answer.(exchange.BatchResult)
		verdicts = append(verdicts, verdict(&result))
	}
	return verdicts
}

func (w *world) batches(names ...string) (items [][]byte) {
	for _, name := range names {
		items = append(items, w.batch(name))
	}
	return items
}

// The whole of an entry's costly work is done while it is being stored, though
// it names batches whose predecessors are not applied yet.
func TestPreparedEntriesAreVerifiedOnce(t *testing.T) {
	w := newWorld(t)
	s, verified := w.counted()
	s.Prepare(1, w.batches("A1", "B1"))
	s.Prepare(2, w.batches("A2"))
	w.apply(s, 1, "A1", "B1")
	if got := w.apply(s, 2, "A2"); got[0] != "" || s.Head().Size == 0 {
		t.Errorf("A2: %q", got)
	}
	if n := verified(); n != 3 {
		t.Errorf("%d signatures were verified for three batches", n)
	}
}

// Raft may drop what it had stored and put something else in its place.
func TestWhatWasPreparedIsNotTakenForAnotherEntry(t *testing.T) {
	w := newWorld(t)
	s, _ := w.counted()
	s.Prepare(1, w.batches("A1"))
	if got := w.apply(s, 1, "A1~sig"); got[0] != "BAD_SIGNATURE" {
		t.Errorf("a forged batch passed as the one that was prepared: %q", got)
	}
	s.Prepare(2, w.batches("A1~sig"))
	s.Prepare(3, w.batches("A2"))
	s.Prepare(2, w.batches("A1")) // the suffix from 2 on was dropped
	if got := w.apply(s, 2, "A1"); got[0] != "" {
		t.Errorf("A1: %q", got)
	}
	if got := w.apply(s, 3, "B1"); got[0] != "" {
		t.Errorf("B1: %q", got)
	}
}

// A node that catches up reads far ahead; what is kept is bounded.
func TestPreparingIsBounded(t *testing.T) {
	w := newWorld(t)
	s, verified := w.counted()
	for index := range uint64(3 * maxForeseen) {
		s.Prepare(index+1, w.batches("B1"))
	}
	if n := len(s.live.foreseen); n != maxForeseen {
		t.Errorf("%d entries are kept", n)
	}
	for index := range uint64(3 * maxForeseen) {
		want := "="
		if index == 0 {
			want = ""
		}
		if got := w.apply(s, index+1, "B1"); got[0] != want {
			t.Errorf("entry %d: %q", index+1, got)
		}
	}
	if n := verified(); n > maxForeseen {
		t.Errorf("%d signatures were verified", n)
	}
}
