package consensus

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

// logOf writes a log of several segments, cut at both ends, as a node leaves it.
func logOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	meta := &metadb.BoltMetaDB{}
	w, err := wal.Open(filepath.Join(dir, "wal"), wal.WithMetaStore(meta), wal.WithSegmentSize(4<<10),
		wal.WithLogger(newRaftLogger(slog.New(slog.DiscardHandler))))
	if err != nil {
		t.Fatal(err)
	}
	defer meta.Close()
	defer w.Close()
	fatal := func(err error) { t.Errorf("fatal: %v", err) }
	log := &checkedLog{LogStore: w, limit: time.Minute, appended: func() {}, fatal: fatal}
	stable := &checkedStable{StableStore: w, limit: time.Minute, fatal: fatal}
	for i := uint64(1); i <= 200; i += 2 {
		if err := log.StoreLogs([]*raft.Log{command(t, i), command(t, i+1)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, cut := range [][2]uint64{{1, 60}, {199, 200}} {
		if err := log.DeleteRange(cut[0], cut[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.StoreLog(command(t, 199)); err != nil {
		t.Fatal(err)
	}
	if err := stable.SetUint64([]byte("CurrentTerm"), 7); err != nil {
		t.Fatal(err)
	}
	record := snapshotRecord{Point: Point{Index: 70, Term: 1}, configuration: []byte{1, 2, 3}}
	if err := record.write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkLog(dir string) (LogReport, error) { return Check(dir, func(uint64, uint64) {}) }

func TestCheckReadsALogOfSeveralSegments(t *testing.T) {
	dir := logOf(t)
	r, err := checkLog(dir)
	if want := (LogReport{First: 61, Last: 199, Entries: 139, Snapshot: 70}); err != nil || r != want {
		t.Errorf("%+v, %v, want %+v", r, err, want)
	}
}

// Whatever byte changes, its file is named; behind the last append, where
// nothing counts, it is told as the rest of one.
func TestCheckNamesTheFileOfEveryChangedByte(t *testing.T) {
	dir := logOf(t)
	files, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d segments, %v", len(files), err)
	}
	for _, path := range append(files, filepath.Join(dir, snapshotFileName)) {
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(was); at += 7 {
			rotten := bytes.Clone(was)
			rotten[at] ^= 0x20
			if err := os.WriteFile(path, rotten, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := checkLog(dir)
			if named := err != nil && strings.Contains(err.Error(), path); !named && r.Torn == 0 && !cutOff(t, path, at) {
				t.Fatalf("%s, byte %d of %d: %+v, %v", path, at, len(was), r, err)
			}
		}
		if err := os.WriteFile(path, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// cutOff says whether the byte is among the entries that were cut off the log at
// its beginning or its end: nobody reads them any more.
func cutOff(t *testing.T, path string, at int) bool {
	t.Helper()
	infos, err := readLogMeta(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		s := segmentScan{info: info, tail: info.SealTime.IsZero()}
		if err := s.file(path); err != nil {
			continue
		}
		for i, offset := range s.offsets {
			end := len(s.data)
			if i+1 < len(s.offsets) {
				end = s.offsets[i+1]
			}
			if at >= offset && at < end {
				return !s.holds(info.BaseIndex + uint64(i))
			}
		}
	}
	return false
}

func TestCheckNamesTheDatabaseBesideTheLog(t *testing.T) {
	dir := logOf(t)
	path := filepath.Join(dir, "wal", metadb.FileName)
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Every copy of the term's row, for bbolt keeps those of free pages.
	rotten := bytes.ReplaceAll(was, []byte("CurrentTerm\x00\x00\x00\x00\x00\x00\x00\x07"), []byte("CurrentTerm\x00\x00\x00\x00\x00\x00\x00\x06"))
	if bytes.Equal(rotten, was) {
		t.Fatal("the term is not in the file")
	}
	if err := os.WriteFile(path, rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkLog(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("another term: %v", err)
	}
}

// What a power cut leaves behind the last append is no damage.
func TestCheckTellsTornBytesFromDamage(t *testing.T) {
	dir := logOf(t)
	files, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(files[len(files)-1], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("half a frame"), 3<<10); err != nil {
		t.Fatal(err)
	}
	if r, err := checkLog(dir); err != nil || r.Torn == 0 || r.Last != 199 {
		t.Errorf("%+v, %v", r, err)
	}
}
