package store

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// model is the ledger in a few lines: what was accepted, in order.
type model struct {
	names  []string         // of the accepted batches
	last   map[byte]uint64  // per origin
	taken  map[string]int   // accepted name to its place in names
	linked map[byte]bool    // the origin's last batch is the one that others name as previous
	leaves []exchange.Entry // as accepted
	erased map[uint64]bool
}

func (m *model) verdict(name string, letter byte, seq uint64, variant, spoiled string) string {
	_, taken := m.taken[name]
	switch {
	case taken:
		return "="
	case spoiled == "sig":
		return string(exchange.CodeBadSignature)
	case seq <= m.last[letter]:
		return string(exchange.CodeBatchFork)
	case seq != m.last[letter]+1 || seq > 1 && !m.linked[letter]:
		return string(exchange.CodeSeqGap)
	case spoiled == "root":
		return string(exchange.CodeBadRoot)
	case spoiled == "body":
		return string(exchange.CodeBadBody)
	}
	m.taken[name] = len(m.names)
	m.names = append(m.names, name)
	m.last[letter], m.linked[letter] = seq, variant == ""
	return ""
}

func (m *model) accept(t *rapid.T, raw []byte) {
	b, err := exchange.ParseBatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range b.Items {
		m.leaves = append(m.leaves, exchange.Entry{RawHeader: item.Header, Body: item.Body})
	}
}

// Whatever comes in whatever order, with restarts, power cuts, snapshots to a
// new node and erasures in between, the store answers like the model and holds
// what the model holds.
func TestAnyStoryIsToldLikeTheModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		w.t = t
		m := &model{last: map[byte]uint64{}, taken: map[string]int{}, linked: map[byte]bool{}, erased: map[uint64]bool{}}
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		s := w.open(dir)
		defer func() {
			if err := s.Close(); err != nil {
				rt.Error(err)
			}
		}()
		var log [][][]byte // Raft's
		apply := func() {
			var items [][]byte
			var names, wants []string
			for range rapid.IntRange(0, 4).Draw(rt, "batches") {
				letter := rapid.SampledFrom([]byte("ABC")).Draw(rt, "origin")
				seq := rapid.Uint64Range(max(m.last[letter], 1), m.last[letter]+2).Draw(rt, "seq")
				variant := rapid.SampledFrom([]string{"", "", "", "'"}).Draw(rt, "variant")
				spoiled := rapid.SampledFrom([]string{"", "", "", "", "sig", "root", "body"}).Draw(rt, "spoiled")
				name := fmt.Sprintf("%c%d%s", letter, seq, variant)
				if spoiled != "" {
					name += "~" + spoiled
				}
				raw := w.batch(name)
				want := m.verdict(name, letter, seq, variant, spoiled)
				if want == "" {
					m.accept(rt, raw)
				}
				items, names, wants = append(items, raw), append(names, name), append(wants, want)
			}
			log = append(log, items)
			for i, answer := range s.Apply(uint64(len(log)), 1, items) {
				if r := answer.(exchange.BatchResult); verdict(&r) != wants[i] {
					rt.Fatalf("%s: answered %q, want %q", names[i], verdict(&r), wants[i])
				}
			}
		}
		replay := func() {
			for i := s.Head().RaftIndex; i < uint64(len(log)); i++ {
				s.Apply(i+1, 1, log[i])
			}
		}
		actions := []func(){apply, apply, apply, func() { // restart
			if err := s.Close(); err != nil {
				rt.Fatal(err)
			}
			s = w.open(dir)
		}, func() { // power cut
			left := copyDir(t, dir)
			if err := s.Close(); err != nil {
				rt.Fatal(err)
			}
			dir = left
			s = w.open(dir)
			replay()
		}, func() { // another node gets a snapshot
			point := pointOf(s)
			if point.Index == 0 {
				return
			}
			stream, _ := exported(t, s, point.Size)
			if err := s.Close(); err != nil {
				rt.Fatal(err)
			}
			dir = t.TempDir()
			s = w.open(dir)
			if _, err := s.Stage(point, bytes.NewReader(stream)); err != nil {
				rt.Fatal(err)
			}
			if err := s.Install(point); err != nil {
				rt.Fatal(err)
			}
		}, func() { // erasure
			if len(m.leaves) == 0 {
				return
			}
			index := rapid.Uint64Range(0, uint64(len(m.leaves)-1)).Draw(rt, "erase")
			if err := s.Erase(index); err != nil {
				rt.Fatal(err)
			}
			m.erased[index] = true
		}}
		for range rapid.IntRange(1, 12).Draw(rt, "actions") {
			actions[rapid.IntRange(0, len(actions)-1).Draw(rt, "action")]()
		}
		compare(rt, s, m)
	})
}

func compare(t *rapid.T, s *Store, m *model) {
	entries, err := s.Entries(0, len(m.leaves)+1)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(m.leaves) {
		t.Fatalf("%d entries, want %d", len(entries), len(m.leaves))
	}
	hashes := make([]sm.Digest, len(entries))
	for i, e := range entries {
		want := m.leaves[i]
		if m.erased[uint64(i)] {
			want.Body = nil
		}
		if !bytes.Equal(e.RawHeader, want.RawHeader) || !bytes.Equal(e.Body, want.Body) {
			t.Fatalf("entry %d differs", i)
		}
		hashes[i] = ledger.LeafHash(want.RawHeader)
	}
	if s.Head().Root != ledger.RootOf(hashes) {
		t.Fatal("another root")
	}
}
