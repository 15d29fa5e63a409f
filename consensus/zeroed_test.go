package consensus

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/metadb"
)

// A segment is as large as it will be, and zero, before anything is in it, and
// the next one is there when it is full.
func TestSegmentsAreZeroBeforeTheyAreUsed(t *testing.T) {
	dir := t.TempDir()
	files, err := newZeroedFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	const size = 3<<19 + 1
	for _, name := range []string{"a.wal", "b.wal", "c.wal"} {
		f, err := files.Create(dir, name, size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("entry"), 0); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(got) != size || !bytes.Equal(bytes.TrimRight(got, "\x00"), []byte("entry")) {
			t.Errorf("%s has %d bytes (%v)", name, len(got), err)
		}
	}
	if _, err := files.Create(dir, "b.wal", size); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a segment is replaced: %v", err)
	}
	if err := files.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A process that ends while the next segment is being made leaves half of it.
func TestHalfASpareIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, spareName), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	meta := &metadb.BoltMetaDB{}
	log, err := openWAL(dir, meta, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer meta.Close()
	defer log.Close()
	big := bytes.Repeat([]byte("x"), 1<<20)
	for i := uint64(1); i <= 3*segmentSize>>20; i++ { // three segments
		if err := log.StoreLog(&raft.Log{Index: i, Term: 1, Data: big}); err != nil {
			t.Fatal(err)
		}
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(segments) < 3 {
		t.Errorf("segments %v, %v", segments, err)
	}
	var l raft.Log
	if err := log.GetLog(20, &l); err != nil || !bytes.Equal(l.Data, big) {
		t.Errorf("entry 20: %d bytes, %v", len(l.Data), err)
	}
}

// No room for another segment: the log says so and keeps what it has.
func TestNoRoomForASegment(t *testing.T) {
	dir := t.TempDir()
	files, err := newZeroedFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(files.sparePath(), 0o700); err != nil { // nothing can be written there
		t.Fatal(err)
	}
	if _, err := files.Create(dir, "a.wal", 1<<20); err == nil {
		t.Error("a segment out of nothing")
	}
	if err := os.Remove(files.sparePath()); err != nil {
		t.Fatal(err)
	}
	f, err := files.Create(dir, "a.wal", 1<<20)
	if err != nil {
		t.Fatalf("there is room again: %v", err)
	}
	if err := errors.Join(f.Close(), files.close()); err != nil {
		t.Error(err)
	}
}
