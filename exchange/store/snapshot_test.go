package store

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/consensus"
)

func TestSnapshotRoundTrip(t *testing.T) {
	w := newWorld(t)
	sender := w.temporary()
	w.tell(sender, "A1 B1, C1 A2")
	point := pointOf(sender)
	stream, length := exported(t, sender, point.Size)
	w.tell(sender, "B2 A3, C2") // what comes later is not in it

	if int64(len(stream)) != length {
		t.Errorf("%d bytes, %d were announced", len(stream), length)
	}
	if again, _ := exported(t, sender, point.Size); !bytes.Equal(again, stream) {
		t.Error("the same entries make another stream later")
	}

	dir := t.TempDir()
	receiver := w.open(dir)
	w.tell(receiver, "A1")
	root, err := receiver.Stage(point, bytes.NewReader(stream))
	if err != nil || root != point.Root {
		t.Fatalf("stage: %s, %v", root, err)
	}
	if receiver.Head().Size != 2 {
		t.Error("staging changed the live state")
	}
	waiting := make(chan error)
	go func() { waiting <- receiver.WaitSize(t.Context(), point.Size) }()
	for range 2 { // installing twice is like once
		if err := receiver.Install(point); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	if got := receiver.Head(); got.Size != point.Size || got.Root != point.Root || got.RaftIndex != point.Index {
		t.Errorf("installed: %+v", got)
	}
	w.tell(receiver, "B2 A3, C2")
	if a, b := dump(t, sender), dump(t, receiver); a != b {
		t.Errorf("two ledgers:\n%s\n%s", a, b)
	}
	if err := receiver.Close(); err != nil {
		t.Fatal(err)
	}
	if report := must[Report](t)(Check(dir, &w.genesis, nil)); !report.OK() || report.Size != sender.Head().Size {
		t.Errorf("%+v", report)
	}
}

func TestAStagedSnapshotSurvivesACrash(t *testing.T) {
	w := newWorld(t)
	sender := w.temporary()
	w.tell(sender, "A1 B1")
	point := pointOf(sender)
	stream, _ := exported(t, sender, point.Size)
	dir := t.TempDir()
	receiver := w.open(dir)
	must[any](t)(receiver.Stage(point, bytes.NewReader(stream)))
	left := copyDir(t, dir)
	if err := receiver.Close(); err != nil {
		t.Fatal(err)
	}
	again := w.open(left)
	if err := again.Install(consensus.Point{Index: point.Index + 1, Term: 1, Size: point.Size}); err == nil {
		t.Error("another snapshot than the staged one was installed")
	}
	if err := again.Install(point); err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	again = w.open(left)
	if got := again.Head(); got.Root != point.Root || got.RaftIndex != point.Index {
		t.Errorf("%+v", got)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPoisonedSnapshotsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sender := w.temporary()
	w.tell(sender, "A1 B1, C1")
	point := pointOf(sender)
	stream, _ := exported(t, sender, point.Size)

	receiver := w.temporary()
	w.tell(receiver, "C1") // so that its first entries differ from the sender's
	if _, err := receiver.Stage(point, bytes.NewReader(stream)); err == nil || !strings.Contains(err.Error(), "contradicts") {
		t.Errorf("a snapshot of another history: %v", err)
	}

	fresh := w.temporary()
	for at := 0; at < len(stream); at += 29 {
		bad := bytes.Clone(stream)
		bad[at] ^= 0x04
		if _, err := fresh.Stage(point, bytes.NewReader(bad)); err == nil {
			t.Errorf("byte %d was changed", at)
		}
	}
	for name, bad := range map[string][]byte{
		"cut short":       stream[:len(stream)-1],
		"a batch missing": stream[:streamHeader],
		"something more":  append(bytes.Clone(stream), 0),
		"the same again":  append(bytes.Clone(stream), stream[streamHeader:]...),
		"empty":           nil,
	} {
		if _, err := fresh.Stage(point, bytes.NewReader(bad)); err == nil {
			t.Errorf("%s: staged", name)
		}
	}
	if fresh.Head().Size != 0 {
		t.Error("something was installed")
	}
	if err := fresh.Install(point); err == nil {
		t.Error("a refused snapshot was installed")
	}
}

func pointOf(s *Store) consensus.Point {
	h := s.Head()
	return consensus.Point{Index: h.RaftIndex, Term: 1, Size: h.Size, Root: h.Root}
}

func exported(t testing.TB, s *Store, size uint64) ([]byte, int64) {
	t.Helper()
	r, length, err := s.Export(size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return must[[]byte](t)(io.ReadAll(r)), length
}
