package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
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

// Every byte of a batch in a segment is covered: flipping it is found on read
// and named by Check, and what is not concerned is still given out.
func TestAFlippedByteInASegmentIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 B1 A2")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "000001", "segments", "00000001.seg")
	good := must[[]byte](t)(os.ReadFile(name))
	for at := segmentHeader; at < len(good); at += 13 {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		report := must[Report](t)(Check(dir, &w.genesis, nil))
		var damage *DamageError
		if report.OK() || !errors.As(report.Damage[0], &damage) {
			t.Fatalf("byte %d: %+v", at, report)
		}
		s := w.open(dir)
		if _, err := s.Entries(0, 100); !errors.As(err, new(*DamageError)) {
			t.Errorf("byte %d: read: %v", at, err)
		}
		if damage.Index > 0 {
			if got, err := s.Entries(0, int(damage.Index)); err != nil && damage.Index == uint64(len(got)) {
				t.Errorf("byte %d: entries before the damage: %v", at, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for at := range segmentHeader {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(w.config(dir)); err == nil {
			t.Fatalf("byte %d of the segment's header", at)
		}
	}
}

// Rot that bbolt's pages survive: every value of the index is covered by its
// own checksum.
func TestAnAlteredValueInTheIndexIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 B1")
	if err := s.Erase(1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "000001", "state.db")
	good := must[[]byte](t)(os.ReadFile(name))
	alter := func(change func(*bolt.Tx) error) {
		if err := os.WriteFile(name, good, 0o600); err != nil {
			t.Fatal(err)
		}
		db := must[*bolt.DB](t)(openDatabase(filepath.Dir(name), false))
		if err := errors.Join(db.Update(change), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	type place struct {
		bucket string
		key    []byte
		value  []byte
	}
	var places []place
	alter(func(tx *bolt.Tx) error {
		return tx.ForEach(func(bucket []byte, b *bolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				places = append(places, place{string(bucket), bytes.Clone(k), bytes.Clone(v)})
				return nil
			})
		})
	})
	for _, p := range places {
		for _, at := range []int{0, len(p.value) / 2, len(p.value) - 1} {
			bad := bytes.Clone(p.value)
			bad[at] ^= 0x20
			alter(func(tx *bolt.Tx) error { return tx.Bucket([]byte(p.bucket)).Put(p.key, bad) })
			if report := must[Report](t)(Check(dir, &w.genesis, nil)); report.OK() {
				t.Errorf("%s, key %x, byte %d", p.bucket, p.key, at)
			}
		}
		alter(func(tx *bolt.Tx) error { return tx.Bucket([]byte(p.bucket)).Delete(p.key) })
		if report := must[Report](t)(Check(dir, &w.genesis, nil)); report.OK() {
			t.Errorf("%s, key %x is missing", p.bucket, p.key)
		}
	}
}

// bbolt may end the process on a rotten page, so the check runs in a process
// of its own here as it does for creditgw check.
func TestAFlippedByteInTheIndexIsFound(t *testing.T) {
	if dir := os.Getenv("STORE_CHECK_DIR"); dir != "" {
		checkInChild(t, dir)
		return
	}
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	w.tell(s, "A1 B1, C1 A2, B2")
	want := dump(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	genesis := must[[]byte](t)(w.genesis.MarshalFile())
	if err := os.WriteFile(filepath.Join(dir, "genesis.json"), genesis, 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "000001", "state.db")
	good := must[[]byte](t)(os.ReadFile(name))
	found, harmless := 0, 0
	for at := 3; at < len(good); at += len(good) / 40 {
		bad := bytes.Clone(good)
		for i := at; i < min(at+40, len(bad)); i++ {
			bad[i] ^= 0x10
		}
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.Command(os.Args[0], "-test.run=^TestAFlippedByteInTheIndexIsFound$", "-test.v")
		// A program built with -race would otherwise linger for a second.
		command.Env = append(os.Environ(), "STORE_CHECK_DIR="+dir, "GORACE=atexit_sleep_ms=0")
		if out, err := command.CombinedOutput(); err != nil || bytes.Contains(out, []byte("DAMAGED")) {
			found++
			continue
		}
		// Nothing was found: then nothing that counts may differ.
		harmless++
		s := w.open(dir)
		if got := dump(t, s); got != want {
			t.Errorf("byte %d: reads differently and was not found", at)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d found, %d in unused bytes", found, harmless)
	if found == 0 {
		t.Error("nothing was ever found")
	}
}

func checkInChild(t *testing.T, dir string) {
	raw := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "genesis.json")))
	genesis := must[peers.Genesis](t)(peers.ParseGenesis(raw))
	report, err := Check(dir, &genesis, nil)
	if err != nil || !report.OK() {
		fmt.Println("DAMAGED", err, report.Damage)
	}
}

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
