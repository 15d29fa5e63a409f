package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// inFiles reports whether any file under dir holds the bytes.
func inFiles(t *testing.T, dir string, secret []byte) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, secret)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Entries of one batch and of several go together; what stands between them
// stays, and so do all proofs.
func TestSeveralEntriesAreErasedTogether(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 A2 B1")
	want := must[[]exchange.Entry](t)(s.Entries(0, 10))
	gone := map[uint64]bool{0: true, 2: true, 4: true, 5: true}
	if err := s.Erase(0, 2, 4, 5); err != nil {
		t.Fatal(err)
	}
	got := must[[]exchange.Entry](t)(s.Entries(0, 10))
	for i := range want {
		index := uint64(i)
		if (got[i].Body == nil) != gone[index] || inFiles(t, dir, want[i].Body) == gone[index] {
			t.Errorf("entry %d of %d: given out %v", i, len(want), got[i].Body != nil)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report := must[Report](t)(Check(dir, &w.genesis, nil)); !report.OK() || report.Erased != uint64(len(gone)) {
		t.Errorf("%+v", report)
	}
}

// A snapshot comes from a node that has not erased yet, before or after this one
// has. What is erased here does not come back with it.
func TestErasingReachesAStagedSnapshot(t *testing.T) {
	w := newWorld(t)
	sender := w.temporary()
	w.tell(sender, "A1 A2, B1")
	point := pointOf(sender)
	stream, _ := exported(t, sender, point.Size)
	bodies := must[[]exchange.Entry](t)(sender.Entries(0, 10))

	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 A2")
	if err := s.Erase(0); err != nil {
		t.Fatal(err)
	}
	must[any](t)(s.Stage(point, bytes.NewReader(stream)))
	if inFiles(t, dir, bodies[0].Body) {
		t.Error("entry 0 came back with the snapshot")
	}
	if err := s.Erase(2, 3); err != nil {
		t.Fatal(err)
	}
	for _, index := range []int{0, 2, 3} {
		if inFiles(t, dir, bodies[index].Body) {
			t.Errorf("entry %d lies in the staged snapshot", index)
		}
	}
	if err := s.Install(point); err != nil {
		t.Fatal(err)
	}
	got := must[[]exchange.Entry](t)(s.Entries(0, 10))
	for i := range got {
		if erased := i == 0 || i == 2 || i == 3; erased != (got[i].Body == nil) {
			t.Errorf("entry %d is given out: %v", i, got[i].Body != nil)
		}
	}
	if s.Head().Root != point.Root {
		t.Error("another root")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report := must[Report](t)(Check(dir, &w.genesis, nil)); !report.OK() || report.Erased != 3 {
		t.Errorf("%+v", report)
	}
}

// What a crash has left of a snapshot half received is of no use; it goes with
// the next erasure instead of keeping what was erased.
func TestErasingDropsASnapshotHalfReceived(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1")
	body := must[[]exchange.Entry](t)(s.Entries(0, 1))[0].Body
	staged := s.dir(s.generation + 1)
	if err := os.MkdirAll(filepath.Join(staged, "segments"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(staged, "segments", "00000001.seg"), body, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Erase(0); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, dir, body) {
		t.Error("it is still there")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestErasedBodiesAreGone(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 B1, C1")
	want := must[[]exchange.Entry](t)(s.Entries(0, 10))
	segment := func(dir string) []byte {
		return must[[]byte](t)(os.ReadFile(filepath.Join(dir, "000001", "segments", "00000001.seg")))
	}
	for range 2 { // erasing twice is like once
		if err := s.Erase(1); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Contains(segment(dir), want[1].Body) {
		t.Error("the body is still on the disk")
	}
	if !bytes.Contains(segment(dir), want[0].Body) {
		t.Error("another body is gone")
	}
	got := must[[]exchange.Entry](t)(s.Entries(0, 10))
	for i := range got {
		if (got[i].Body == nil) != (i == 1) || !bytes.Equal(got[i].RawHeader, want[i].RawHeader) {
			t.Errorf("entry %d after erasing", i)
		}
	}
	if err := s.Erase(99); !errors.Is(err, exchange.ErrNotFound) {
		t.Error(err)
	}

	// The erased entry stays erased in a snapshot, and proofs hold.
	point := pointOf(s)
	stream, length := exported(t, s, point.Size)
	if int64(len(stream)) != length {
		t.Errorf("%d bytes, %d were announced", len(stream), length)
	}
	receiverDir := t.TempDir()
	receiver := w.open(receiverDir)
	must[any](t)(receiver.Stage(point, bytes.NewReader(stream)))
	if err := receiver.Install(point); err != nil {
		t.Fatal(err)
	}
	if a, b := dump(t, s), dump(t, receiver); a != b {
		t.Errorf("two ledgers:\n%s\n%s", a, b)
	}
	if again, length := exported(t, receiver, point.Size); !bytes.Equal(again, stream) || length != int64(len(stream)) {
		t.Error("the receiver passes on something else")
	}
	w.tell(s, "A2")
	w.tell(receiver, "A2")
	for _, open := range []*Store{s, receiver} {
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
		if report := must[Report](t)(Check(open.config.Dir, &w.genesis, nil)); !report.OK() || report.Erased != 1 {
			t.Errorf("%+v", report)
		}
	}
}

// The process ends after the intent to erase is durable and before the slots
// are overwritten. The entry is given out no more, also not to another node,
// and opening finishes what was begun.
func TestErasingIsFinishedOnOpening(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 B1")
	if err := s.Sync(s.Head().RaftIndex); err != nil {
		t.Fatal(err)
	}
	e := must[[]exchange.Entry](t)(s.Entries(1, 1))[0]
	if err := s.live.intend([]exchange.Entry{e}); err != nil {
		t.Fatal(err)
	}
	if got := must[[]exchange.Entry](t)(s.Entries(1, 1))[0]; got.Body != nil {
		t.Error("still given out")
	}
	point := pointOf(s)
	stream, length := exported(t, s, point.Size)
	if int64(len(stream)) != length || bytes.Contains(stream, e.Body) {
		t.Error("sent to another node")
	}
	must[any](t)(w.temporary().Stage(point, bytes.NewReader(stream)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	name := filepath.Join(dir, "000001", "segments", "00000001.seg")
	for _, want := range []bool{true, false} { // on the disk, before and after
		if got := bytes.Contains(must[[]byte](t)(os.ReadFile(name)), e.Body); got != want {
			t.Errorf("on the disk: %v, want %v", got, want)
		}
		s = w.open(dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if report := must[Report](t)(Check(dir, &w.genesis, nil)); !report.OK() || report.Erased != 1 {
		t.Errorf("%+v", report)
	}
}
