package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xinqiao/creditgw/exchange"
)

// smallJournal makes a journal of a few calls in one segment and returns what
// each call's end was: how many bytes, how many events.
func smallJournal(t testing.TB) (path string, raw []byte, ends []int64, events [][]string) {
	t.Helper()
	dir := t.TempDir()
	j := openDir(t, dir, segmentSize)
	ends, events = []int64{segmentHeaderSize}, [][]string{nil}
	var all []string
	for i, n := range []int{1, 3, 2} {
		var group []exchange.Event
		for k := range n {
			name := fmt.Sprintf("%d/%d", i, k)
			group, all = append(group, unbound(name)), append(all, name)
		}
		appendAll(t, j, group...)
		ends, events = append(ends, j.segments[0].size), append(events, all[:len(all):len(all)])
	}
	closeJournal(t, j)
	path = filepath.Join(dir, segmentName(1))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, raw, ends, events
}

// reopen puts raw in the segment's place and opens the journal.
func reopen(t testing.TB, path string, raw []byte, log *bytes.Buffer) (*Journal, error) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(config(t, filepath.Dir(path), log))
}

func TestACrashAtAnyByteLeavesWholeCalls(t *testing.T) {
	path, raw, ends, events := smallJournal(t)
	for cut := segmentHeaderSize; cut <= len(raw); cut++ {
		whole := 0
		for int64(cut) >= ends[whole] {
			if whole++; whole == len(ends) {
				break
			}
		}
		whole--
		var log bytes.Buffer
		j, err := reopen(t, path, raw[:cut], &log)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if diff := cmp.Diff(events[whole], readAll(t, j, 1), equateEmpty); diff != "" {
			t.Fatalf("cut at %d (-acknowledged +kept):\n%s", cut, diff)
		}
		if told := log.Len() > 0; told != (int64(cut) > ends[whole]) {
			t.Errorf("cut at %d: log says %q", cut, log.String())
		}
		// Life goes on: the chain continues from the last whole call.
		appendAll(t, j, unbound("next"))
		closeJournal(t, j)
		if _, err := Check(filepath.Dir(path), nil); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

// Whatever byte is damaged, in the last call too: the journal is refused and
// says where, or, in a frame that is not in the last segment, does not serve it.
func TestAFlippedByteIsRefusedAndNamed(t *testing.T) {
	path, raw, ends, _ := smallJournal(t)
	for at := range raw {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(raw)
			bad[at] ^= mask
			_, err := reopen(t, path, bad, nil)
			requireDamage(t, fmt.Sprintf("byte %d ^ %#x", at, mask), err, path, int64(at), ends)
		}
	}
}

// requireDamage wants an error that names the file and an offset in the same
// frame as the bad byte and not behind it, except where a length is bad.
func requireDamage(t *testing.T, what string, err error, path string, at int64, ends []int64) {
	t.Helper()
	damage := (*DamageError)(nil)
	if !errors.As(err, &damage) {
		t.Fatalf("%s: %v", what, err)
	}
	if damage.File != path || !strings.Contains(err.Error(), path) {
		t.Errorf("%s: %v does not name %s", what, err, path)
	}
	start, end := int64(0), ends[0]
	for _, e := range ends[1:] {
		if at >= end {
			start, end = end, e
		}
	}
	if damage.Offset < start || damage.Offset >= end {
		t.Errorf("%s: reported at %d, outside of its frame [%d, %d)", what, damage.Offset, start, end)
	}
}

func TestAMissingOrExchangedFrameBreaksTheChain(t *testing.T) {
	path, raw, ends, _ := smallJournal(t)
	without := append(bytes.Clone(raw[:ends[0]]), raw[ends[1]:]...)
	_, err := reopen(t, path, without, nil)
	requireDamage(t, "first frame taken out", err, path, ends[0], ends)

	// A forger who mends the checksum but not the chain.
	forged := bytes.Clone(raw)
	events := forged[ends[0]+frameHeaderSize : ends[1]-1]
	event := bytes.Replace(events[eventHeaderSize:], []byte("0/0"), []byte("9/9"), 1)
	copy(events, appendEvent(nil, event))
	_, err = reopen(t, path, forged, nil)
	requireDamage(t, "forged event", err, path, ends[0], ends)
	if !strings.Contains(err.Error(), "hash chain") {
		t.Errorf("forged event: %v", err)
	}
}

// Power loss can leave a file longer than what was written to it: the sectors
// in between read as zeros.
func TestUnwrittenSectorsOfTheLastFrameAreATornTail(t *testing.T) {
	path, _, _, _ := smallJournal(t)
	dir := filepath.Dir(path)
	j := openDir(t, dir, segmentSize)
	start := j.segments[0].size
	appendAll(t, j, unbound(strings.Repeat("x", 3*sectorSize)), unbound("y"))
	closeJournal(t, j)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for sector := start / sectorSize; sector*sectorSize < int64(len(raw)); sector++ {
		lost := bytes.Clone(raw)
		clear(lost[max(start, sector*sectorSize):min(int64(len(lost)), (sector+1)*sectorSize)])
		var log bytes.Buffer
		j, err := reopen(t, path, lost, &log)
		if err != nil {
			t.Fatalf("sector %d: %v", sector, err)
		}
		if j.Last() != 6 || log.Len() == 0 {
			t.Errorf("sector %d: last is %d, log %q", sector, j.Last(), log.String())
		}
		closeJournal(t, j)
	}
	// Zeros behind the last frame are a frame of which nothing was written.
	j, err = reopen(t, path, append(bytes.Clone(raw), make([]byte, 700)...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if j.Last() != 8 {
		t.Errorf("last is %d", j.Last())
	}
	closeJournal(t, j)
}

// The same loss with a frame behind it hit what was acknowledged.
func TestALostSectorBeforeAnIntactFrameIsDamage(t *testing.T) {
	dir := t.TempDir()
	j := openDir(t, dir, segmentSize)
	appendAll(t, j, unbound(strings.Repeat("x", 3*sectorSize)))
	appendAll(t, j, unbound("behind"))
	path := j.segments[0].path
	closeJournal(t, j)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for start := segmentHeaderSize; start < 3*sectorSize; start += sectorSize - start%sectorSize {
		lost := bytes.Clone(raw)
		clear(lost[start : start+sectorSize-start%sectorSize])
		if _, err := reopen(t, path, lost, nil); err == nil {
			t.Errorf("the sector at %d was cut off as torn", start)
		}
	}
}

// segmented makes a journal of several segments and returns their paths.
func segmented(t *testing.T) (dir string, paths []string) {
	t.Helper()
	dir = t.TempDir()
	j := openDir(t, dir, 600)
	for i := range 40 {
		appendAll(t, j, unbound(fmt.Sprintf("%02d-%040d", i, 0)))
	}
	for _, s := range j.segments {
		paths = append(paths, s.path)
	}
	closeJournal(t, j)
	if len(paths) < 4 {
		t.Fatalf("only %d segments", len(paths))
	}
	return dir, paths
}

func TestAMissingOrShortSegmentIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(paths []string) error{
		"first one missing":  func(p []string) error { return os.Remove(p[0]) },
		"middle one missing": func(p []string) error { return os.Remove(p[1]) },
		"shortened":          func(p []string) error { return os.Truncate(p[1], segmentHeaderSize+5) },
		"emptied":            func(p []string) error { return os.Truncate(p[1], 0) },
		"renamed":            func(p []string) error { return os.Rename(p[2], filepath.Join(filepath.Dir(p[2]), segmentName(7))) },
		"exchanged": func(p []string) error {
			raw, err := os.ReadFile(p[1])
			if err != nil {
				return err
			}
			return os.WriteFile(p[2], raw, 0o600)
		},
	} {
		dir, paths := segmented(t)
		if err := spoil(paths); err != nil {
			t.Fatal(err)
		}
		_, err := Open(config(t, dir, nil))
		if damage := (*DamageError)(nil); !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Check(dir, nil); err == nil {
			t.Errorf("%s: check finds nothing", name)
		}
	}
}

func TestDamageInAClosedSegmentIsNeverServedAndCheckNamesIt(t *testing.T) {
	dir, paths := segmented(t)
	for i, path := range paths[:2] {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)-10-i] ^= 1
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j := openDir(t, dir, segmentSize)
	for name, read := range map[string]func() error{
		"Read": func() error {
			return j.Read(1, func(exchange.Position, exchange.Event) error { t.Error("served"); return nil })
		},
		"ReadOne": func() error { _, err := j.ReadOne(1); return err },
	} {
		if damage := (*DamageError)(nil); !errors.As(read(), &damage) || damage.File != paths[0] {
			t.Errorf("%s: %v", name, damage)
		}
	}
	if _, err := j.ReadOne(j.Last()); err != nil {
		t.Errorf("an intact segment: %v", err)
	}
	closeJournal(t, j)

	var told int64
	report, err := Check(dir, func(read, total int64) { told = total - read })
	if err == nil || !strings.Contains(err.Error(), paths[0]) || !strings.Contains(err.Error(), paths[1]) {
		t.Errorf("check: %v", err)
	}
	if report.Segments != len(paths) || told != 0 {
		t.Errorf("check stopped after %+v, %d bytes left", report, told)
	}
}

func TestCheckCountsAndChangesNothing(t *testing.T) {
	path, raw, ends, events := smallJournal(t)
	cut := raw[:len(raw)-3]
	if err := os.WriteFile(path, cut, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(filepath.Dir(path), nil)
	want := Report{Segments: 1, Events: uint64(len(events[2])), Bytes: int64(len(cut)), Torn: int64(len(cut)) - ends[2]}
	if err != nil || report != want {
		t.Errorf("%+v, want %+v: %v", report, want, err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, cut) {
		t.Errorf("check changed the file: %v", err)
	}
}

// A crash between writing a new segment and giving it its name.
func TestAnUnfinishedSegmentIsIgnored(t *testing.T) {
	path, _, _, events := smallJournal(t)
	dir := filepath.Dir(path)
	if err := os.WriteFile(filepath.Join(dir, "."+segmentName(7)+"1234"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := openDir(t, dir, 1)
	defer closeJournal(t, j)
	appendAll(t, j, unbound("next"))
	if got := readAll(t, j, 1); len(got) != len(events[3])+1 {
		t.Errorf("%d events", len(got))
	}
}

func FuzzSegment(f *testing.F) {
	_, raw, ends, _ := smallJournal(f)
	f.Add(raw)
	f.Add(raw[:ends[1]])
	f.Add(raw[:ends[1]+7])
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := parseSegmentHeader(raw)
		if err != nil {
			return
		}
		r, size := bytes.NewReader(raw), int64(len(raw))
		tail, err := scan(r, "fuzz", h, size, nil)
		if tail.end > size || (err == nil) != (tail.end == size) {
			t.Fatalf("intact to %d of %d: %v", tail.end, size, err)
		}
		if _, err := torn(r, tail.end, size, tail.last+1); err != nil {
			t.Fatal(err)
		}
		if len(tail.index) == 0 {
			return
		}
		m := tail.index[0]
		c := newCursor("fuzz", m, bytes.NewReader(raw[m.offset:tail.end]))
		for range tail.last - h.first + 1 {
			if _, err := c.event(); err != nil {
				t.Fatalf("scan took what the cursor refuses: %v", err)
			}
		}
	})
}
