package witness

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/peers"
)

// The state refuses what must never be signed, and damage is not taken for a
// first start.
func TestTheStateOnlyGoesForward(t *testing.T) {
	w := newWorld(t)
	m := w.members["110000"]
	m.apply("a", "b", "c")
	line := func(c peers.Checkpoint, at int64) peers.Checkpoint {
		return c.With(must(c.Cosign(m.region, w.keys[m.region], time.Unix(at, 0))))
	}
	two := must(newStatement(m, 2))
	s := State{Index: 1, Term: 1, Checkpoint: line(two, 1000)}
	other := two
	other.Root[0] ^= 1
	for name, c := range map[string]struct {
		next peers.Checkpoint
		want error
	}{
		"a smaller size":              {line(must(newStatement(m, 1)), 2000), ErrBackwards},
		"another root for the size":   {line(other, 2000), ErrTwoRoots},
		"the same at an earlier time": {line(two, 999), ErrBackwards},
		"the same at a later time":    {line(two, 1001), nil},
		"a larger size":               {line(must(newStatement(m, 3)), 500), nil},
	} {
		if err := s.next(c.next); err != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, sure, err := readFile(t, Founding()); err != nil || s.Checkpoint.Size != 0 || !sure {
		t.Errorf("the founding state: %+v, %v, %v", s, sure, err)
	}
}

func readFile(t testing.TB, raw []byte) (State, bool, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateName), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return (&stateFile{dir: dir}).read()
}

// A write that power cut short, or a flipped bit, leaves an older state that
// knows that it may not be the newest; damage to both slots refuses the start.
func TestATornStateIsNotTakenForTheNewest(t *testing.T) {
	dir := t.TempDir()
	f := &stateFile{dir: dir}
	for size := range uint64(5) {
		c := peers.Checkpoint{}
		if size > 0 {
			c = peers.Checkpoint{Size: size, Cosignatures: []peers.Cosignature{{Region: "110000", Time: 1, Signature: make([]byte, 70)}}}
		}
		if err := f.write(State{Index: size, Checkpoint: c}); err != nil {
			t.Fatal(err)
		}
		again := &stateFile{dir: dir}
		if s, sure, err := again.read(); err != nil || !sure || s.Checkpoint.Size != size || again.serial != f.serial {
			t.Fatalf("wrote size %d, read %+v, %v, %v", size, s, sure, err)
		}
	}
	whole := must(os.ReadFile(filepath.Join(dir, stateName)))
	for at := 0; at < len(whole); at += 13 {
		torn := slices.Clone(whole)
		torn[at] ^= 1
		s, sure, err := readFile(t, torn)
		if err != nil || sure || s.Checkpoint.Size != 3 && s.Checkpoint.Size != 4 {
			t.Fatalf("byte %d flipped: %+v, sure %v, %v", at, s, sure, err)
		}
		torn[(at+slotSize)%len(torn)] ^= 1
		if _, _, err := readFile(t, torn); err == nil {
			t.Fatalf("byte %d flipped in both slots: not refused", at%slotSize)
		}
	}
	if _, _, err := readFile(t, whole[:slotSize]); err == nil {
		t.Error("half a file is not refused")
	}
}

func FuzzParseSlot(f *testing.F) {
	f.Add(Founding()[:slotSize])
	f.Add(must(State{Index: 1, Term: 2, Checkpoint: peers.Checkpoint{Size: 3}}.slot(7)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, serial, err := parseSlot(raw)
		if err != nil || len(raw) != slotSize {
			return
		}
		if again, err := s.slot(serial); err != nil || string(again) != string(raw) {
			t.Errorf("%x parses, but is spelled %x (%v)", raw, again, err)
		}
	})
}
