package store

import (
	"bytes"
	"slices"

	"github.com/xinqiao/creditgw/peers"
)

// maxForeseen bounds the entries that are prepared before their turn. A node
// that catches up has more in its log; those are prepared when they are applied.
const maxForeseen = 16

// A foreseen entry is in the log and may come to be applied. Its batches are
// parsed, hashed and verified while the log is being synced here and on the
// other nodes, so that little is left to do in the one place where entries come
// one after the other.
type foreseen struct {
	index      uint64
	candidates []*candidate
	done       chan struct{} // closed when the candidates are prepared
}

// foresee prepares the items of an entry. An entry at or behind an index that
// was foreseen replaces what Raft has dropped.
func (st *state) foresee(index uint64, items [][]byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for n := len(st.foreseen); n > 0 && st.foreseen[n-1].index >= index; n-- {
		st.foreseen = st.foreseen[:n-1]
	}
	if len(st.foreseen) == maxForeseen || index <= st.applied.index {
		return
	}
	f := &foreseen{index: index, done: make(chan struct{})}
	st.foreseen = append(st.foreseen, f)
	directory := st.directory
	go func() {
		f.candidates = st.candidates(items, false, directory)
		close(f.done)
	}()
}

// foreseenAs returns the candidates that were prepared of exactly these items,
// nil if none were, and forgets what lies before them.
func (st *state) foreseenAs(index uint64, items [][]byte) []*candidate {
	st.mu.Lock()
	var f *foreseen
	for len(st.foreseen) > 0 && st.foreseen[0].index <= index {
		f = st.foreseen[0]
		st.foreseen = slices.Delete(st.foreseen, 0, 1)
	}
	st.mu.Unlock()
	if f == nil || f.index != index {
		return nil
	}
	<-f.done
	if len(f.candidates) != len(items) {
		return nil
	}
	for i, c := range f.candidates {
		if !bytes.Equal(c.raw, items[i]) {
			return nil
		}
	}
	return f.candidates
}

// candidates parses and prepares items, a few side by side.
func (st *state) candidates(items [][]byte, stored bool, directory *peers.Directory) []*candidate {
	candidates := make([]*candidate, len(items))
	each(len(items), func(i int) {
		c := parse(items[i], stored)
		if key, ok := st.worthPreparing(c, directory); ok {
			c.prepare(key, st.config.Verified)
		}
		candidates[i] = c
	})
	return candidates
}
