package witness

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Report is what Check has read.
type Report struct {
	Signed      uint64 // size that was signed last, 0 before the first
	Checkpoints uint64 // kept, handovers included
	// Witnessed is the size of the newest of them: the node's own ledger had its
	// root when it was kept.
	Witnessed uint64
	Halted    HaltReason // "" for a node that goes on
}

// Check reads what a stopped witness, or a copy of a running one's, holds in
// dir. The error joins one fault for each file. Run it in a process of its own:
// bbolt may fault on rotten pages.
func Check(dir string) (Report, error) {
	var r Report
	file := stateFile{dir: dir}
	state, sure, err := file.read()
	if err == nil && !sure && file.serial > 0 {
		err = errors.New("witness: one of the two slots of the state is damaged")
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, stateName), err)
	}
	r.Signed = state.Checkpoint.Size
	halt, haltErr := readHalt(dir)
	if halt != nil {
		r.Halted = halt.Reason
	}
	return r, errors.Join(err, haltErr, r.history(filepath.Join(dir, historyName)))
}

// history reads the kept checkpoints; that there are none yet is no fault.
func (r *Report) history(path string) (err error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.View(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketWitnessed, bucketHandovers} {
			b := tx.Bucket(name)
			if b == nil {
				return fmt.Errorf("%s is damaged: bucket %s is missing", path, name)
			}
			err := b.ForEach(func(k, v []byte) error {
				c, err := read(v)
				if err == nil && (len(k) != 8 || binary.BigEndian.Uint64(k) != c.Size || v == nil) {
					err = errors.New("witness: a checkpoint lies at another size")
				}
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				r.Checkpoints++
				r.Witnessed = max(r.Witnessed, c.Size)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Copy puts into dir, which must not exist, what Check reads, as of now. It is
// for a check and for nothing else: a witness that is opened on a copy would
// sign again what it has signed since.
func (w *Witness) Copy(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("witness: copy: %w", err)
	}
	err := w.history.db.View(func(tx *bolt.Tx) error { return tx.CopyFile(filepath.Join(dir, historyName), 0o600) })
	if state, readErr := readWhole(filepath.Join(w.cfg.Dir, stateName)); readErr == nil {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, stateName), state, 0o600))
	}
	if err != nil {
		return fmt.Errorf("witness: copy: %w", err)
	}
	return nil
}

// readWhole reads a file that is written in place: not in the middle of a write.
func readWhole(name string) ([]byte, error) {
	for {
		first, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		second, err := os.ReadFile(name)
		if err != nil || bytes.Equal(first, second) {
			return second, err
		}
	}
}
