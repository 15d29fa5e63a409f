package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// save writes what a cut holds to a directory of its own and opens it.
func save(t *testing.T, c *Cut) (*Journal, exchange.Position) {
	t.Helper()
	dir := t.TempDir()
	last, err := c.Each(func(name string, content io.Reader) error {
		raw, err := io.ReadAll(content)
		return errors.Join(err, os.WriteFile(filepath.Join(dir, name), raw, 0o600))
	})
	if err = errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return openDir(t, dir, segmentSize), last
}

// What is appended while a cut is read, into the same segment and into new ones,
// is not in it; what was acknowledged before is, all of it.
func TestACutStandsStillWhileTheJournalGrows(t *testing.T) {
	j := openDir(t, t.TempDir(), 512)
	defer closeJournal(t, j)
	var before []string
	for i := range 20 {
		before = append(before, fmt.Sprintf("before-%02d", i))
		appendAll(t, j, unbound(before[i]))
	}
	cut := j.Cut()
	for i := range 20 {
		appendAll(t, j, unbound(fmt.Sprintf("after-%02d", i)))
	}
	saved, last := save(t, cut)
	defer closeJournal(t, saved)
	if got := readAll(t, saved, 1); !slices.Equal(got, before) || last != 20 || saved.Last() != last {
		t.Errorf("up to %d it holds %v, want %v", last, got, before)
	}
	if j.Last() != 40 {
		t.Errorf("the journal itself ends at %d", j.Last())
	}
}

// A stopped node's journal may end with a frame that was never acknowledged. It
// is left out, and left where it is.
func TestACutOfAStoppedNodeLeavesATornTailOut(t *testing.T) {
	path, raw, ends, events := smallJournal(t)
	torn := raw[:ends[len(ends)-1]-3]
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	cut, err := OpenCut(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	saved, _ := save(t, cut)
	defer closeJournal(t, saved)
	if got := readAll(t, saved, 1); !slices.Equal(got, events[len(events)-2]) {
		t.Errorf("it holds %v of %v", got, events[len(events)-1])
	}
	if left, err := os.ReadFile(path); err != nil || len(left) != len(torn) {
		t.Errorf("the journal has %d bytes of %d: %v", len(left), len(torn), err)
	}
}

// Nothing of a damaged segment is handed over.
func TestADamagedJournalIsNotCut(t *testing.T) {
	dir, paths := segmented(t)
	raw, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-20] ^= 1
	if err := os.WriteFile(paths[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cut, err := OpenCut(dir)
	if err != nil {
		t.Fatal(err)
	}
	damage := (*DamageError)(nil)
	_, err = cut.Each(func(name string, _ io.Reader) error { t.Errorf("%s was handed over", name); return nil })
	if !errors.As(err, &damage) || damage.File != paths[0] {
		t.Errorf("%v", err)
	}
	if err := cut.Close(); err != nil {
		t.Error(err)
	}
}
