package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

// A diskLog is a real log with what overwrites its files.
type diskLog struct {
	t    *testing.T
	dir  string
	wal  *wal.WAL
	meta *metadb.BoltMetaDB
	segmentFiles
	serial int // makes every entry's text its own
	texts  map[uint64]string
	gone   []string
}

func openDiskLog(t *testing.T, dir string) *diskLog {
	t.Helper()
	l := &diskLog{t: t, dir: dir, meta: &metadb.BoltMetaDB{}, segmentFiles: segmentFiles{dir: dir}, texts: map[uint64]string{}}
	var err error
	if l.wal, err = wal.Open(dir, wal.WithMetaStore(l.meta), wal.WithSegmentSize(4<<10), wal.WithLogger(newRaftLogger(slog.New(slog.DiscardHandler)))); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *diskLog) close() {
	if err := l.wal.Close(); err != nil {
		l.t.Error(err)
	}
	if err := l.meta.Close(); err != nil {
		l.t.Error(err)
	}
}

func (l *diskLog) bounds() (first, last uint64) {
	l.t.Helper()
	var errs [2]error
	first, errs[0] = l.wal.FirstIndex()
	last, errs[1] = l.wal.LastIndex()
	for _, err := range errs {
		if err != nil {
			l.t.Fatal(err)
		}
	}
	return first, last
}

// append writes n entries with one fsync.
func (l *diskLog) append(n int) {
	l.t.Helper()
	_, last := l.bounds()
	var logs []*raft.Log
	for i := range n {
		l.serial++
		text := fmt.Sprintf("entry number %d of this log", l.serial)
		index := last + 1 + uint64(i)
		l.texts[index] = text
		logs = append(logs, &raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: []byte(text + string(make([]byte, 20+l.serial%50)))})
	}
	if err := l.wal.StoreLogs(logs); err != nil {
		l.t.Fatal(err)
	}
}

func (l *diskLog) drop(from, to uint64) {
	l.t.Helper()
	if err := l.wal.DeleteRange(from, to); err != nil {
		l.t.Fatal(err)
	}
	for i := from; i <= to; i++ {
		l.gone = append(l.gone, l.texts[i])
		delete(l.texts, i)
	}
}

// overwriteAll demands that what was dropped is in no file, but for left
// entries of the last append.
func (l *diskLog) overwriteAll(left int) {
	l.t.Helper()
	got, err := l.overwrite(l.bounds())
	if err != nil || left >= 0 && got != left {
		l.t.Fatalf("%d entries are left, want %d, %v", got, left, err)
	}
	found := 0
	for _, text := range l.gone {
		found += count(l.t, l.dir, text)
	}
	if found != got {
		l.t.Fatalf("%d of %d dropped entries are in the files, %d are left", found, len(l.gone), got)
	}
}

func count(t *testing.T, dir, text string) (n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(content, []byte(text))
	}
	return n
}

// wantLive demands that all that was not dropped is read as it was written.
func (l *diskLog) wantLive() {
	l.t.Helper()
	first, last := l.bounds()
	if len(l.texts) > 0 && uint64(len(l.texts)) != last-first+1 {
		l.t.Fatalf("the log has entries %d to %d, want %d", first, last, len(l.texts))
	}
	for index, text := range l.texts {
		var e raft.Log
		if err := l.wal.GetLog(index, &e); err != nil || !bytes.HasPrefix(e.Data, []byte(text)) {
			l.t.Fatalf("entry %d reads %q, %v", index, e.Data, err)
		}
	}
}

func TestWhatTheLogDropsIsOverwritten(t *testing.T) {
	l := openDiskLog(t, t.TempDir())
	defer l.close()
	l.append(3)
	l.append(2)
	l.append(1)
	l.drop(1, 4) // the second append is half dropped
	l.overwriteAll(0)
	l.wantLive()

	l.drop(6, 6) // as after a leader that died
	l.append(2)
	l.overwriteAll(0)
	l.wantLive()
}

// By its last append raft-wal finds the end of the log after a crash. An entry
// of it that was overwritten would take the others with it.
func TestTheLastAppendIsLeftAlone(t *testing.T) {
	l := openDiskLog(t, t.TempDir())
	l.append(1)
	l.append(3)
	l.drop(1, 3)
	l.overwriteAll(2)
	l.close()
	again := openDiskLog(t, l.dir)
	defer again.close()
	again.texts, again.gone, again.serial = l.texts, l.gone, l.serial
	again.wantLive()
	again.append(1)
	again.overwriteAll(0)
	again.wantLive()
}

// What a crash leaves behind the end of the log is no part of it.
func TestTheRestOfAnUnfinishedAppendIsCleared(t *testing.T) {
	dir := t.TempDir()
	l := openDiskLog(t, dir)
	l.append(2)
	l.append(9)
	texts := l.texts
	l.close()
	files, err := l.list()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(files[0].path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(content, []byte(texts[11]))
	if err := os.WriteFile(files[0].path, append(content[:at], make([]byte, len(content)-at)...), 0o600); err != nil {
		t.Fatal(err)
	}
	l = openDiskLog(t, dir)
	defer l.close()
	if _, last := l.bounds(); last != 2 {
		t.Fatalf("the log ends at %d", last)
	}
	if count(t, dir, texts[5]) == 0 {
		t.Fatal("nothing is left to be cleared")
	}
	if err := l.clearTail(2); err != nil {
		t.Fatal(err)
	}
	for i := uint64(3); i <= 11; i++ {
		if count(t, dir, texts[i]) > 0 {
			t.Errorf("entry %d is still there", i)
		}
		delete(texts, i)
	}
	l.texts, l.serial = texts, 100
	l.append(1)
	l.wantLive()
}

// Whatever is appended and dropped, in whatever order, and wherever the process
// dies: what is live is read, what was dropped is gone.
func TestOverwritingAtRandom(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		l := openDiskLog(t, t.TempDir())
		for range 60 {
			first, last := l.bounds()
			switch n := uint64(last - first); {
			case last == 0 || random.IntN(3) == 0:
				l.append(1 + random.IntN(12))
			case n > 2 && random.IntN(3) == 0:
				l.drop(first, first+random.Uint64N(n))
			case n > 2 && random.IntN(4) == 0:
				l.drop(last-random.Uint64N(n), last)
			case random.IntN(4) == 0:
				// A range that is not there: waits for a rotation under way.
				if err := l.wal.DeleteRange(last+1, last+1); err != nil {
					t.Fatal(err)
				}
				crashed := openDiskLog(t, copied(t, l.dir))
				crashed.texts, crashed.gone, crashed.serial = l.texts, l.gone, l.serial
				l.close()
				l = crashed
			default:
				l.overwriteAll(-1)
			}
			l.wantLive()
		}
		l.append(1)
		l.overwriteAll(0)
		l.wantLive()
		l.close()
	}
}

// copied is the directory as a crash would leave it now.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// What a round of erasing costs when a whole segment has been dropped: 60 MiB in
// 40,000 entries.
func BenchmarkOverwriteASegment(b *testing.B) {
	const entries, batch = 40_000, 100
	dir := b.TempDir()
	meta := &metadb.BoltMetaDB{}
	w, err := wal.Open(dir, wal.WithMetaStore(meta), wal.WithLogger(newRaftLogger(slog.New(slog.DiscardHandler))))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := errors.Join(w.Close(), meta.Close()); err != nil {
			b.Error(err)
		}
	}()
	for at := uint64(1); at <= entries; at += batch {
		logs := make([]*raft.Log, batch)
		for i := range logs {
			logs[i] = &raft.Log{Index: at + uint64(i), Term: 1, Data: bytes.Repeat([]byte{7}, 1500)}
		}
		if err := w.StoreLogs(logs); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.DeleteRange(1, entries-batch); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		files := segmentFiles{dir: dir} // as after a start: nothing is known to be done
		if left, err := files.overwrite(entries-batch+1, entries); err != nil || left != 0 {
			b.Fatal(left, err)
		}
	}
}

// Whatever a segment file holds, reading it ends, within the file.
func FuzzSegmentFile(f *testing.F) {
	head := append([]byte{0x0d, 0x6b, 0xeb, 0x58}, make([]byte, segmentHeader-4)...)
	f.Add(append(head, frameEntry, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 0, frameCommit, 0, 0, 0, 1, 2, 3, 4), uint64(9))
	f.Add(append(head, frameIndex, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), uint64(1))
	f.Fuzz(func(t *testing.T, content []byte, last uint64) {
		segment := segmentFile{path: "fuzzed", base: 1}
		frames, end, err := segment.frames(bytes.NewReader(content), last)
		if err != nil && !errors.Is(err, errSegment) {
			t.Fatal(err)
		}
		for _, x := range frames {
			if x.offset+x.length > end || end > int64(len(content)) || x.index > last {
				t.Fatalf("frame %+v, end %d of %d", x, end, len(content))
			}
		}
		whole, _, err := segment.lastAppend(bytes.NewReader(content))
		if err != nil || whole.end > max(int64(len(content)), segmentHeader) {
			t.Fatalf("%+v, %v", whole, err)
		}
	})
}
