package witness

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

func TestCheckNamesTheFileThatReadsDifferently(t *testing.T) {
	dir := t.TempDir()
	if r, err := Check(dir); err != nil || r != (Report{}) {
		t.Errorf("a witness that holds nothing yet: %+v, %v", r, err)
	}
	c := peers.Checkpoint{Ledger: sm.Sum([]byte("ledger")), Size: 9, Root: sm.Sum([]byte("root")), Directory: sm.Sum([]byte("directory"))}
	h, err := openHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.put(c); err != nil {
		t.Fatal(err)
	}
	if err := h.putHandover(c); err != nil {
		t.Fatal(err)
	}
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
	if err := (&stateFile{dir: dir}).write(State{Index: 4, Term: 1, Checkpoint: c}); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(dir); err != nil || r != (Report{Signed: 9, Checkpoints: 2, Witnessed: 9}) {
		t.Errorf("%+v, %v", r, err)
	}

	state := filepath.Join(dir, stateName)
	was, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	for at := range was {
		rotten := bytes.Clone(was)
		rotten[at] ^= 2
		if err := os.WriteFile(state, rotten, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(dir); err == nil || !strings.Contains(err.Error(), state) {
			t.Fatalf("byte %d of the state: %v", at, err)
		}
	}
	if err := os.WriteFile(state, was, 0o600); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, historyName)
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketHandovers)
		v := bytes.Clone(b.Get(key(9)))
		v[len(v)/2] ^= 1
		return b.Put(key(9), v)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a changed checkpoint: %v", err)
	}
}
