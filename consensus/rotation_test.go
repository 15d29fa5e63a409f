package consensus

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft-wal/metadb"
)

// closing returns a log's directory as it is when the process ends right after
// the append that fills a segment, and that segment's file.
func closing(t *testing.T) (dir, segment string, texts map[uint64]string) {
	t.Helper()
	l := openDiskLog(t, t.TempDir())
	l.append(3)
	dir = copied(t, l.dir) // the metadata of before
	for {
		l.append(2)
		_, last := l.bounds()
		if err := l.wal.DeleteRange(last+1, last+1); err != nil { // waits for the rotation
			t.Fatal(err)
		}
		files, err := l.list()
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 1 {
			continue
		}
		content, err := os.ReadFile(files[0].path)
		if err != nil {
			t.Fatal(err)
		}
		segment = filepath.Join(dir, filepath.Base(files[0].path))
		if err := os.WriteFile(segment, content, 0o600); err != nil {
			t.Fatal(err)
		}
		l.close()
		return dir, segment, l.texts
	}
}

func finish(t *testing.T, dir string) {
	t.Helper()
	meta := &metadb.BoltMetaDB{}
	if err := finishRotation(dir, meta); err != nil {
		t.Fatal(err)
	}
	if err := meta.Close(); err != nil {
		t.Fatal(err)
	}
}

// goesOn demands that the log has just these entries and takes more.
func goesOn(t *testing.T, dir string, texts map[uint64]string) {
	t.Helper()
	l := openDiskLog(t, dir)
	defer l.close()
	l.texts, l.serial = texts, 1000
	l.wantLive()
	for range 40 {
		l.append(3)
	}
	l.wantLive()
}

// The process ends between the append that closes a segment and the note of the
// next one. raft-wal alone could never append again.
func TestASegmentThatWasClosedAndNotNoted(t *testing.T) {
	dir, _, texts := closing(t)
	finish(t, dir)
	finish(t, dir) // the process may end here too
	goesOn(t, dir, texts)
}

// The append that closes a segment is torn. It was never acknowledged; the log
// ends before it and goes on.
func TestASegmentWhoseClosingAppendIsTorn(t *testing.T) {
	for name, tear := range map[string]func(content []byte, whole appended){
		"its entries":  func(content []byte, whole appended) { clear(content[whole.from+frameHead : whole.from+frameHead+32]) },
		"its checksum": func(content []byte, whole appended) { clear(content[whole.to:]) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, segment, texts := closing(t)
			content, err := os.ReadFile(segment)
			if err != nil {
				t.Fatal(err)
			}
			f := segmentFile{path: segment, base: 1}
			whole, torn, err := f.lastAppend(bytes.NewReader(content))
			if err != nil || torn || whole.index == 0 || whole.entries != len(texts) {
				t.Fatalf("%+v, torn %v, %v", whole, torn, err)
			}
			tear(content, whole)
			if err := os.WriteFile(segment, content, 0o600); err != nil {
				t.Fatal(err)
			}
			finish(t, dir)
			n := uint64(len(texts))
			delete(texts, n)
			delete(texts, n-1)
			goesOn(t, dir, texts)
		})
	}
}

// An index that was begun, as when the log drops a suffix, and never finished.
func TestAnIndexThatWasNeverFinished(t *testing.T) {
	l := openDiskLog(t, t.TempDir())
	l.append(2)
	l.append(2)
	files, err := l.list()
	if err != nil {
		t.Fatal(err)
	}
	dir := copied(t, l.dir)
	l.close()
	segment := filepath.Join(dir, filepath.Base(files[0].path))
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	whole, _, err := (&segmentFile{path: segment, base: 1}).lastAppend(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	copy(content[whole.end:], []byte{frameIndex, 0, 0, 0, 16, 0, 0, 0, 32, 0, 0, 0})
	if err := os.WriteFile(segment, content, 0o600); err != nil {
		t.Fatal(err)
	}
	finish(t, dir)
	goesOn(t, dir, l.texts)
}
