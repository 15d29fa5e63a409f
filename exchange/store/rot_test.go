package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/peers"
)

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
