package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyDir copies what is on disk at this moment: what a power cut would leave.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// At each point the process ends without writing behind, and Raft replays its
// log from the beginning, or from where the store says.
func TestRestartAfterACutAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	groups := []string{"A1 B1", "A1= C1", "A2 A2'!BATCH_FORK", "B2~body!BAD_BODY", "B2 C2 A3"}
	whole := w.temporary()
	w.tell(whole, strings.Join(groups, ","))
	want := dump(t, whole)

	for flushedAt := range groups {
		for cutAt := flushedAt; cutAt < len(groups); cutAt++ {
			dir := t.TempDir()
			s := w.open(dir)
			for i, group := range groups[:cutAt+1] {
				w.tell(s, group)
				if i == flushedAt {
					if err := s.Sync(s.Head().RaftIndex); err != nil {
						t.Fatal(err)
					}
				}
			}
			left := copyDir(t, dir)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			again := w.open(left)
			if got := again.Head().RaftIndex; got < uint64(flushedAt+1) {
				t.Fatalf("synced %d, found %d", flushedAt+1, got)
			}
			for i, group := range groups {
				var items [][]byte
				for _, word := range strings.Fields(group) {
					items = append(items, w.batch(parseStep(word).name))
				}
				again.Apply(uint64(i+1), 1, items)
			}
			if got := dump(t, again); got != want {
				t.Errorf("flushed at %d, cut at %d:\n%s\nwant\n%s", flushedAt, cutAt, got, want)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestWhatBboltDoesNotSpeakOfIsCutAway(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 B1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, "000001", "segments", "00000001.seg")
	before := must[[]byte](t)(os.ReadFile(segment))
	later := filepath.Join(dir, "000001", "segments", "00000002.seg")
	for name, data := range map[string][]byte{segment: append(bytes.Clone(before), "torn"...), later: []byte("torn")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = w.open(dir)
	w.tell(s, "A2")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(later); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a later segment was kept")
	}
	report := must[Report](t)(Check(dir, &w.genesis, nil))
	if !report.OK() || report.Batches != 3 {
		t.Errorf("%+v", report)
	}

	if err := os.Truncate(segment, int64(len(before)-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.config(dir)); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a segment that is too short: %v", err)
	}
}

func TestSegmentsRollOver(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	s.live.segments.limit = 4 << 10
	w.tell(s, "A1 B1 C1 A2 B2 C2 A3 B3 C3, A4 B4 C4")
	want := dump(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "000001", "segments", "*")); len(files) < 3 {
		t.Errorf("segments: %v", files)
	}
	s = w.open(dir)
	if got := dump(t, s); got != want {
		t.Error("differs after it was opened again")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report := must[Report](t)(Check(dir, &w.genesis, nil)); !report.OK() {
		t.Errorf("%+v", report)
	}
}

func TestAnotherLedgersDirectoryIsRefused(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other.config(dir)); err == nil {
		t.Error("opened")
	}
}

func TestCheckRefusesARunningStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	if _, err := Check(dir, &w.genesis, nil); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
