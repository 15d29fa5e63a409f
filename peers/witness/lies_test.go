package witness

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/peers"
)

func (m *member) awaitHalt(reason HaltReason) Halt {
	m.w.t.Helper()
	select {
	case h := <-m.halted:
		if h.Reason != reason {
			m.w.t.Fatalf("%s: %+v, want %s", m.region, h, reason)
		}
		return h
	case <-time.After(waiting.Limit):
		m.w.t.Fatalf("%s goes on: %+v", m.region, m.witness.Status())
		return Halt{}
	}
}

// A leader sends one region other entries than the rest, and marks each ledger
// as its reader has it. The three others go on; the one that was lied to stops
// within two seconds and blames nobody for its ledger; and the leader's own two
// marks name the leader.
func TestALeaderThatForksIsNamedAndItsVictimIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWorld(t)
		leader, victim := peers.Region("110000"), w.members["140000"]
		for _, r := range regions[:3] {
			w.members[r].apply("a", "b")
		}
		victim.apply("a", "forged")
		began := time.Now()
		truth := signedMark(leader, 5, 2, must(w.members[leader].ledger.RootAt(2)))
		lie := signedMark(leader, 5, 2, must(victim.ledger.RootAt(2)))
		for _, r := range regions[:3] {
			w.members[r].witness.Marked(truth)
		}
		victim.witness.Marked(lie)

		halt := victim.awaitHalt(HaltForked)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("noticed after %s", took)
		}
		w.witnessed(2, regions[:3]...)
		if _, ok := victim.witness.Latest(); ok {
			t.Error("the victim gives out a checkpoint")
		}
		forked := victim.bundles(KindForked)
		if len(forked) != 1 || len(forked[0].Guilty) != 0 || halt.Size != 2 {
			t.Fatalf("halt %+v, evidence %+v", halt, forked)
		}
		// The bundle proves what it says, to whoever has the directory.
		e := forked[0]
		set := must(victim.ledger.DirectoryAt(2)).Witnesses()
		theirs := must(peers.ParseCheckpoint([]byte(e.Other)))
		if by, err := theirs.Verify(set); err != nil || len(by) != 3 {
			t.Errorf("the others' side: by %v, %v", by, err)
		}
		if own := must(peers.ParseCheckpoint([]byte(e.Own))); own.Root == theirs.Root || own.Size != theirs.Size {
			t.Error("the two sides agree")
		}
		text := string(must(os.ReadFile(filepath.Join(victim.dir, "evidence", halt.Evidence+".txt"))))
		for _, word := range []string{"账本分叉", "未证明", "The ledger has forked", "Not proven"} {
			if !strings.Contains(text, word) {
				t.Errorf("the text for people lacks %q", word)
			}
		}
		// The others have the victim's cosignature, and with it the leader's other mark.
		for _, r := range regions[:3] {
			m := w.members[r]
			waiting.Until(t, string(r)+" names the leader", func() bool {
				found := m.bundles(KindTwoMarks)
				return len(found) == 1 && len(found[0].Marks) == 2 && found[0].Guilty[0].Node == nodeOf(leader)
			})
			waiting.Until(t, string(r)+" tells of the victim", func() bool { return len(m.bundles(KindDisagreement)) == 1 })
			if d := m.bundles(KindDisagreement)[0]; len(d.Guilty) != 0 || m.witness.Status().Halt != nil {
				t.Errorf("%s blames the victim, or stops: %+v", r, d)
			}
			waiting.Until(t, string(r)+" raises the alarm", m.alarmed(AlarmDisagreement))
		}
		// Nor does a restart make the victim serve.
		victim.end()
		victim.start()
		if h := victim.witness.Status().Halt; h == nil || h.Reason != HaltForked {
			t.Errorf("after a restart it goes on: %+v", h)
		}
	})
}

// Two against two: nobody is in the right, nothing is witnessed, nobody stops.
func TestTwoAgainstTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWorld(t)
		for i, r := range regions {
			w.members[r].apply("a", []string{"b", "c"}[i/2])
		}
		for _, r := range regions {
			m := w.members[r]
			m.witness.Marked(signedMark(r, 5, 2, must(m.ledger.RootAt(2))))
		}
		for _, r := range regions {
			m := w.members[r]
			waiting.Until(t, "it says that nothing is witnessed", m.alarmed(AlarmNotWitnessed))
			waiting.Until(t, "it says that they disagree", m.alarmed(AlarmDisagreement))
			if _, ok := m.witness.Latest(); ok || m.witness.Status().Halt != nil {
				t.Errorf("%s: %+v", r, m.witness.Status())
			}
			if len(m.bundles(KindDisagreement)) == 0 {
				t.Errorf("%s has kept nothing", r)
			}
		}
	})
}

// A witness key in two hands signs two roots for one size: the key is named, by
// everyone who sees both, and nobody stops for it.
func TestAKeyThatSignsTwoRootsIsNamed(t *testing.T) {
	w := startWorld(t)
	w.apply("a")
	w.mark("110000", 1)
	w.witnessed(1, regions...)
	thief := regions[3]
	own, _, err := w.members[thief].witness.statement(1)
	if err != nil {
		t.Fatal(err)
	}
	own.Root[0] ^= 1
	line := must(own.Cosign(thief, w.keys[thief], time.Now()))
	m := w.members["120000"]
	m.hear(thief, own.With(line))
	waiting.Until(t, "the key is named", func() bool {
		found := m.bundles(KindTwoRoots)
		return len(found) == 1 && found[0].Guilty[0].Region == thief
	})
	if s := m.witness.Status(); s.Halt != nil {
		t.Errorf("it stops for one liar: %+v", s.Halt)
	}
	e := m.bundles(KindTwoRoots)[0]
	set := must(m.ledger.DirectoryAt(1)).Witnesses()
	for _, side := range []string{e.Own, e.Other} {
		c := must(peers.ParseCheckpoint([]byte(side)))
		if l := lineOf(c, line); l == nil || c.Check(*l, set) != nil {
			t.Error("a side of the proof does not verify")
		}
	}
}

// hear pushes a checkpoint to a member as another region's node would.
func (m *member) hear(from peers.Region, c peers.Checkpoint) {
	m.w.t.Helper()
	conn := must(m.w.members[from].Open(context.Background(), nodeOf(m.region), streamName))
	go func() { // the greeting
		buf := make([]byte, 1<<10)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	if _, err := conn.Write(appendChunk(appendChunk(nil, c.Marshal()), nil)); err != nil {
		m.w.t.Fatal(err)
	}
}

// What was signed once counts where it was signed and nowhere else.
func TestAReplayedCosignatureIsCountedAndPassedOver(t *testing.T) {
	w := startWorld(t)
	w.apply("a")
	w.mark("110000", 1)
	w.witnessed(1, regions...)
	m := w.members["120000"]
	old, _ := m.witness.Latest()
	w.apply("b")
	for name, replay := range map[string]func() peers.Checkpoint{
		"at another size": func() peers.Checkpoint { c := old; c.Size = 2; return c },
		"as another region's": func() peers.Checkpoint {
			c := old
			c.Cosignatures = slices.Clone(old.Cosignatures[:1])
			c.Cosignatures[0].Region = "150000"
			return c
		},
		"on another ledger": func() peers.Checkpoint { c := old; c.Ledger[0] ^= 1; return c },
	} {
		before := m.witness.Status().Refused
		m.hear("130000", replay())
		waiting.Until(t, "it is counted: "+name, func() bool { return m.witness.Status().Refused > before })
	}
	if c, _ := m.witness.Latest(); c.Size != 1 || m.witness.Status().Halt != nil {
		t.Errorf("a replay has moved the node: %+v", m.witness.Status())
	}
}

// Killed after the signature was on disk and before anybody had it: the witness
// gives the very same one out when it is back, and no other for that size.
func TestKilledBetweenSigningAndGivingOut(t *testing.T) {
	w := newWorld(t)
	for _, r := range regions[:2] {
		w.members[r].start()
	}
	killed := w.members["130000"]
	w.apply("a")
	own := must(newStatement(killed, 1))
	signed := own.With(must(own.Cosign(killed.region, w.keys[killed.region], time.Now())))
	if err := killed.remember(State{Index: 4, Term: 1, Checkpoint: signed}); err != nil {
		t.Fatal(err)
	}
	killed.start()
	w.mark("110000", 4)
	w.witnessed(1, regions[:3]...)
	c, _ := w.members["110000"].witness.Latest()
	if l := lineOf(c, signed.Cosignatures[0]); l == nil {
		t.Error("what it had signed did not count")
	}
	if killed.witness.Floor() != 4 {
		t.Errorf("its log may end at %d", killed.witness.Floor())
	}
}

// A witness whose disk fails ends, and nobody gets what it could not write down.
func TestNothingLeavesThatIsNotOnDisk(t *testing.T) {
	w := newWorld(t)
	for _, r := range regions[:3] {
		w.members[r].start()
	}
	broken := w.members["140000"]
	broken.listen()
	broken.witness = must(Open(broken.config()))
	if err := os.RemoveAll(filepath.Join(broken.dir, "witness")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- broken.witness.Run(t.Context()) }()
	w.apply("a")
	w.mark("110000", 4)
	select {
	case err := <-ended:
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(waiting.Limit):
		t.Error("it goes on")
	}
	w.witnessed(1, regions[:3]...)
	for _, r := range regions[:3] {
		c, _ := w.members[r].witness.Latest()
		if slices.ContainsFunc(c.Cosignatures, func(l peers.Cosignature) bool { return l.Region == broken.region }) {
			t.Errorf("%s has its signature", r)
		}
	}
	broken.hangUp()
	if err := broken.witness.Close(); err != nil {
		t.Error(err)
	}
}

func newStatement(m *member, size uint64) (peers.Checkpoint, error) {
	root, err := m.ledger.RootAt(size)
	d, _ := m.ledger.DirectoryAt(size)
	return peers.Checkpoint{Ledger: m.w.genesis.LedgerID(), Size: size, Root: root, Directory: d.Root()}, err
}

// A state that was put back to an older copy is found out by what the others
// hold, before anything is signed anew.
func TestAStateThatWasRolledBack(t *testing.T) {
	w := startWorld(t)
	w.apply("a")
	w.mark("110000", 1)
	w.witnessed(1, regions...)
	m := w.members["140000"]
	name := filepath.Join(m.dir, "witness", stateName)
	m.end()
	old := must(os.ReadFile(name))
	m.start()
	w.apply("b")
	w.mark("110000", 2)
	w.witnessed(2, regions...)
	waiting.Until(t, "the others hold its signature", func() bool {
		c, _ := w.members["110000"].witness.Latest()
		return c.Size == 2 && len(c.Cosignatures) == 4
	})
	m.end()
	if err := os.WriteFile(name, old, 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	h := m.awaitHalt(HaltRolledBack)
	found := m.bundles(KindRolledBack)
	if len(found) != 1 || h.Size != 2 || len(found[0].Guilty) != 0 {
		t.Errorf("%+v, %+v", h, found)
	}
	w.apply("c")
	w.mark("110000", 3)
	w.witnessed(3, regions[:3]...)
	if state, _, _ := m.state(); state.Checkpoint.Size != 1 {
		t.Errorf("it has signed size %d since", state.Checkpoint.Size)
	}
}

// A witness that was restored without its state asks the others what it has
// signed, waits for all of them, and signs nothing at or below that.
func TestARestoredWitnessAsksFirst(t *testing.T) {
	w := startWorld(t)
	w.apply("a", "b")
	w.mark("110000", 1)
	w.witnessed(2, regions...)
	m := w.members["140000"]
	waiting.Until(t, "the others hold its signature", func() bool {
		for _, r := range regions[:3] {
			if c, _ := w.members[r].witness.Latest(); len(c.Cosignatures) < 4 {
				return false
			}
		}
		return true
	})
	m.end()
	w.members["130000"].end() // one of those that know is away
	if err := os.Remove(filepath.Join(m.dir, "witness", stateName)); err != nil {
		t.Fatal(err)
	}
	m.start()
	w.mark("110000", 2)
	waiting.Until(t, "it waits for all others", m.alarmed(AlarmWaiting))
	if _, found, _ := m.state(); found {
		t.Fatal("it signs what it may have signed otherwise")
	}
	w.members["130000"].start()
	waiting.Until(t, "it has asked all", func() bool { return !m.alarmed(AlarmWaiting)() })
	if _, found, _ := m.state(); found {
		t.Error("it signs again at a size that the others have seen it sign")
	}
	w.apply("c")
	w.mark("110000", 3)
	w.witnessed(3, regions...)
	waiting.Until(t, "it signs above", func() bool {
		s, found, _ := m.state()
		return found && s.Checkpoint.Size == 3
	})
}

// A ledger that is not any more what its witness has signed. It needs nobody
// else to see that.
func TestALedgerThatWasRewritten(t *testing.T) {
	w := startWorld(t)
	w.apply("a", "b")
	m := w.members["140000"]
	m.witness.Marked(signedMark("110000", 1, 2, must(m.ledger.RootAt(2)))) // and nobody else: it is not witnessed
	waiting.Until(t, "it has signed", func() bool {
		state, _, err := m.state()
		return err == nil && state.Checkpoint.Size == 2
	})
	for _, r := range regions {
		w.members[r].end()
	}
	m.ledger.mu.Lock()
	m.ledger.leaves[0] = "another"
	m.ledger.mu.Unlock()
	m.start()
	m.awaitHalt(HaltRewritten)
	if n := len(m.bundles(KindRewritten)); n != 1 {
		t.Errorf("%d bundles of evidence", n)
	}
}
