package witness_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers/witness"
)

// forked is what a lying leader tells its victim in the place of an item.
func forked(item []byte) []byte {
	lie := slices.Clone(item)
	lie[0] ^= 0x20
	return lie
}

// forge rewrites the entries of a request: other items, and marks of the ledger
// that comes of them, signed by the leader. truth is the leader's ledger at the
// time from which on it lies.
func (c *cluster) forge(leader *node, from int) func(*raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	var forgedLeaves []sm.Digest
	_, leaves := leader.ledger()
	forgedLeaves = append(forgedLeaves, leaves[:from]...)
	seen := map[uint64]bool{}
	return func(r *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
		lie := *r
		lie.Entries = nil
		for _, e := range r.Entries {
			if e.Type != raft.LogCommand {
				lie.Entries = append(lie.Entries, e)
				continue
			}
			changed := *e
			mark, items := split(e.Data)
			if len(mark) > 0 {
				m := witness.Must(consensus.ParseMark(mark))
				if m.Size > uint64(from) {
					m.Root = ledger.RootOf(forgedLeaves[:m.Size])
					m.Signature = nil
					unsigned := m.Marshal()
					m.Signature = witness.Must(leader.key.Sign(sm.LabelMark, c.directory.Ledger(), unsigned[:len(unsigned)-1]))
					mark = m.Marshal()
				}
			}
			data := []byte{e.Data[0]}
			data = append(binary.BigEndian.AppendUint16(data, uint16(len(mark))), mark...)
			data = binary.BigEndian.AppendUint16(data, uint16(len(items)))
			for _, it := range items {
				lied := forked(it.bytes)
				if !seen[e.Index] {
					forgedLeaves = append(forgedLeaves, ledger.LeafHash(lied))
				}
				data = append(data, it.id...)
				data = append(binary.BigEndian.AppendUint32(data, uint32(len(lied))), lied...)
			}
			seen[e.Index] = true
			changed.Data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
			lie.Entries = append(lie.Entries, &changed)
		}
		return &lie
	}
}

type item struct{ id, bytes []byte }

// split takes a payload of docs/formats/raft-payload.md apart.
func split(data []byte) (mark []byte, items []item) {
	n := int(binary.BigEndian.Uint16(data[1:]))
	mark, data = data[3:3+n], data[3+n:]
	count := int(binary.BigEndian.Uint16(data))
	data = data[2:]
	for range count {
		size := int(binary.BigEndian.Uint32(data[16:]))
		items = append(items, item{id: data[:16], bytes: data[20 : 20+size]})
		data = data[20+size:]
	}
	return mark, items
}

func (n *node) ledger() (sm.Digest, []sm.Digest) {
	n.machine.mu.Lock()
	defer n.machine.mu.Unlock()
	return n.machine.roots[len(n.machine.leaves)], slices.Clone(n.machine.leaves)
}

// An elected leader gives one region another ledger than the rest, down to
// marks that fit it. It can: Raft compares indexes and terms. The victim stops,
// nothing false is witnessed, and the leader's key is named by everyone who has
// seen both marks.
func TestAnElectedLeaderThatForks(t *testing.T) {
	c := startCluster(t)
	leader := c.leader()
	c.propose(leader, "one", "two", "three")
	for _, n := range c.nodes {
		waiting.Until(t, n.id+" has all that was true", func() bool { return view{machine: n.machine}.Size() == 3 })
	}
	var victim *node
	var honest []*node
	for _, n := range c.nodes {
		switch {
		case n == leader:
		case victim == nil:
			victim = n
		default:
			honest = append(honest, n)
		}
	}
	lies := c.forge(leader, 3)
	leader.net.lie.Store(&lie{to: raft.ServerID(victim.id), change: lies})
	c.propose(leader, "four", "five")

	select {
	case h := <-victim.halted:
		if h.Reason != witness.HaltForked {
			t.Errorf("%+v", h)
		}
	case <-time.After(waiting.Limit):
		t.Fatalf("the victim goes on: %+v", victim.witness.Status())
	}
	for _, n := range append(honest, leader) {
		waiting.Until(t, n.id+" has the truth witnessed", func() bool {
			latest, _ := n.witness.Latest()
			return latest.Size == 5
		})
		latest, _ := n.witness.Latest()
		if root, _ := n.ledger(); latest.Root != root {
			t.Errorf("%s: a checkpoint that is not its ledger", n.id)
		}
	}
	if latest, _ := victim.witness.Latest(); latest.Size > 3 {
		t.Error("the victim holds something false as witnessed")
	}
	for _, n := range append(honest, victim) {
		waiting.Until(t, n.id+" names the leader", func() bool {
			for _, e := range n.evidence(t, witness.KindTwoMarks) {
				return len(e.Guilty) == 1 && e.Guilty[0].Node == leader.id
			}
			return n == victim // it has stopped, and may have stopped before it saw the other mark
		})
		for _, kind := range []witness.Kind{witness.KindForked, witness.KindDisagreement} {
			for _, e := range n.evidence(t, kind) {
				if len(e.Guilty) != 0 {
					t.Errorf("%s blames %v", n.id, e.Guilty)
				}
			}
		}
	}
}

// A leader that sends one region nothing more keeps it from nothing but the
// ledger: the others' cosignatures say that it is behind.
func TestAnElectedLeaderThatOmits(t *testing.T) {
	c := startCluster(t)
	leader := c.leader()
	c.propose(leader, "one")
	var victim *node
	for _, n := range c.nodes {
		if n != leader {
			victim = n
		}
	}
	waiting.Until(t, "the victim has what was sent", func() bool { return view{machine: victim.machine}.Size() == 1 })
	leader.net.lie.Store(&lie{to: raft.ServerID(victim.id), change: func(r *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
		empty := *r
		empty.Entries = nil
		return &empty
	}})
	c.propose(leader, "two")
	waiting.Until(t, "the victim says that others are ahead", func() bool {
		return slices.Contains(victim.witness.Status().Alarms, witness.AlarmBehind)
	})
	if victim.witness.Status().Halt != nil {
		t.Error("to be behind is no fork")
	}
}

func (n *node) evidence(t *testing.T, kind witness.Kind) (found []witness.Evidence) {
	t.Helper()
	for _, name := range witness.Must(filepath.Glob(filepath.Join(n.dir, "evidence", "*.json"))) {
		e, err := witness.ParseEvidence(witness.Must(os.ReadFile(name)))
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// founded makes the directory of a witness whose key has just been made.
func founded(t testing.TB, dir string) string {
	t.Helper()
	dir = filepath.Join(dir, "witness")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state"), witness.Founding(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
