package witness

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/peers"
)

func mustDir(t testing.TB, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bundles reads the evidence of a kind that a member has kept.
func (m *member) bundles(kind Kind) (found []Evidence) {
	m.w.t.Helper()
	names, err := filepath.Glob(filepath.Join(m.dir, "evidence", "*.json"))
	if err != nil {
		m.w.t.Fatal(err)
	}
	for _, name := range names {
		raw := must(os.ReadFile(name))
		e, err := ParseEvidence(raw)
		if err != nil {
			m.w.t.Fatal(err)
		}
		if e.Kind == kind {
			found = append(found, e)
			m.w.judged(raw, e.Guilty)
		}
	}
	return found
}

// state is what a member's witness has on disk.
func (m *member) state() (State, bool, error) {
	return (&stateFile{dir: filepath.Join(m.dir, "witness")}).read()
}

// remember writes a state in the place of a witness that is killed behind it.
func (m *member) remember(s State) error {
	f := &stateFile{dir: filepath.Join(m.dir, "witness")}
	if _, _, err := f.read(); err != nil {
		return err
	}
	return f.write(s)
}

func (m *member) alarmed(alarm Alarm) func() bool {
	return func() bool { return slices.Contains(m.witness.Status().Alarms, alarm) }
}

// Four regions that have applied the same come to one checkpoint, and everyone
// holds it with the signatures of at least three.
func TestWhatAllHaveSeenIsWitnessed(t *testing.T) {
	w := startWorld(t)
	w.apply("a", "b", "c")
	w.mark("110000", 7)
	w.witnessed(3, regions...)
	for _, r := range regions {
		m := w.members[r]
		c, _ := m.witness.Latest()
		d := must(m.ledger.DirectoryAt(3))
		if by, err := c.Verify(d.Witnesses()); err != nil || len(by) < 3 || c.Directory != d.Root() {
			t.Errorf("%s: by %v, %v", r, by, err)
		}
		if before, covering, err := m.witness.Around(2); err != nil || before.Size != 0 || covering.Size != 3 {
			t.Errorf("%s: around the last leaf %d %d, %v", r, before.Size, covering.Size, err)
		}
		if _, _, err := m.witness.Around(3); err != ErrUnwitnessed {
			t.Errorf("%s: a leaf that is not there: %v", r, err)
		}
		if state, _, err := m.state(); err != nil || state.Index != 7 || state.Checkpoint.Size != 3 {
			t.Errorf("%s: state %+v, %v", r, state, err)
		}
		waiting.Until(t, "no alarm", func() bool { return len(m.witness.Status().Alarms) == 0 })
	}
}

// One region that is away does not keep the others, and takes part again when
// it is back.
func TestOneMayBeAway(t *testing.T) {
	w := newWorld(t)
	for _, r := range regions[:3] {
		w.members[r].start()
	}
	w.apply("a")
	w.mark("110000", 1)
	w.witnessed(1, regions[:3]...)
	w.members["140000"].start()
	w.witnessed(1, "140000") // told by the others, held against its own ledger
	w.apply("b")
	w.mark("110000", 2)
	w.witnessed(2, regions...)
	waiting.Until(t, "all four have signed", func() bool {
		c, _ := w.members["110000"].witness.Latest()
		return len(c.Cosignatures) == 4
	})
}

// With two away nothing is witnessed; that is an alarm and no more.
func TestTwoAreTooFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.members["110000"].start()
		w.members["120000"].start()
		w.apply("a")
		w.mark("110000", 1)
		for _, r := range regions[:2] {
			m := w.members[r]
			waiting.Until(t, "it says that nothing is witnessed", m.alarmed(AlarmNotWitnessed))
			if _, ok := m.witness.Latest(); ok {
				t.Errorf("%s holds a checkpoint of two", r)
			}
		}
		w.members["130000"].start()
		w.mark("110000", 2) // an idle ledger is marked again and again
		w.witnessed(1, regions[:3]...)
	})
}

// A ledger that grows without being marked is an alarm after two seconds.
func TestALeaderThatDoesNotMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWorld(t)
		began := time.Now()
		w.apply("a")
		waiting.Until(t, "it says that no mark comes", w.members["120000"].alarmed(AlarmNoMark))
		if took := time.Since(began); took < patience || took > patience+time.Second {
			t.Errorf("after %s", took)
		}
	})
}

// A witness that is behind holds what the others say until its own ledger has
// come as far, and believes it no sooner. After two seconds it says that it is
// behind.
func TestAWitnessBelievesItsOwnLedgerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWorld(t)
		for _, r := range regions[:3] {
			w.members[r].apply("a", "b")
		}
		began := time.Now()
		w.mark("110000", 1)
		w.witnessed(2, regions[:3]...)
		late := w.members["140000"]
		waiting.Until(t, "it says that others are ahead", late.alarmed(AlarmBehind))
		if took := time.Since(began); took > patience+time.Second {
			t.Errorf("after %s", took)
		}
		if _, ok := late.witness.Latest(); ok {
			t.Error("it takes the others' word for a ledger that it has not seen")
		}
		late.apply("a", "b")
		w.witnessed(2, "140000")
	})
}

// Some checkpoints stay: about one a minute, and always the one before a gap.
func TestOneCheckpointAMinuteIsKept(t *testing.T) {
	h := must(openHistory(t.TempDir()))
	defer h.close()
	at := func(size uint64, seconds int64) {
		t.Helper()
		c := peers.Checkpoint{Size: size, Cosignatures: []peers.Cosignature{{Region: "110000", Time: 1e9 + seconds, Signature: make([]byte, 70)}}}
		if err := h.put(c); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(200) { // one a second
		at(uint64(10+i), i)
	}
	at(300, 4000) // after an hour's rest
	at(301, 4001)
	var kept []uint64
	for index := uint64(0); ; {
		_, c, err := h.around(index)
		if err != nil {
			t.Fatal(err)
		}
		if c.Size == 0 {
			break
		}
		kept = append(kept, c.Size)
		index = c.Size
	}
	if want := []uint64{10, 69, 128, 187, 209, 300, 301}; !slices.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
	before, covering, err := h.around(250)
	if err != nil || before.Size != 209 || covering.Size != 300 {
		t.Errorf("around a leaf: %d and %d, %v", before.Size, covering.Size, err)
	}
}
