package casebook

import (
	"errors"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A transaction of bbolt costs two fsyncs and a new copy of every page that leads
// to a change, whatever it holds. So one stays open over many groups of events,
// and readers see what is folded into it. What a crash takes is folded again:
// the journal has it, and the fold comes to the same state (docs/adr/0011).
const (
	commitAfter = time.Second // from the first change on
	commitWork  = 8192        // rows and entries; keeps a commit short
)

// file is the casebook's bbolt file with its one open transaction.
type file struct {
	db *bolt.DB

	mu   sync.RWMutex // held for writing while something changes
	tx   *bolt.Tx     // nil: closed, or a change has failed
	b    buckets      // of tx
	sums map[*bolt.Bucket]*sum
	work int       // done since the last commit
	due  time.Time // of the next commit; zero: nothing was changed
}

var errFileClosed = errors.New("casebook: the file is closed")

func (f *file) begin() (err error) {
	if f.tx, err = f.db.Begin(true); err != nil {
		return err
	}
	f.b, f.sums = bucketsOf(f.tx), map[*bolt.Bucket]*sum{}
	f.work, f.due = 0, time.Time{}
	return nil
}

// view runs a read on one consistent state. It must be short: nothing is folded
// meanwhile. Nothing that read is given outlives it, and it must not view again.
func (f *file) view(read func(b buckets) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.tx == nil {
		return errFileClosed
	}
	return read(f.b)
}

// snapshot runs a read that may take its time, on a state that is on disk.
func (f *file) snapshot(read func(tx *bolt.Tx) error) error {
	f.mu.Lock()
	err := f.commit()
	var tx *bolt.Tx
	if err == nil {
		tx, err = f.db.Begin(false)
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return errors.Join(read(tx), tx.Rollback())
}

// change runs a change, which says how much work it was, and commits when it is
// time. After a failure nothing that was changed since the last commit is left,
// and the file is closed to everyone.
func (f *file) change(change func(b buckets) (work int, err error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tx == nil {
		return errFileClosed
	}
	work, err := change(f.b)
	if err != nil {
		return errors.Join(err, f.drop())
	}
	f.work += work
	now := time.Now()
	if f.due.IsZero() {
		f.due = now.Add(commitAfter)
	}
	if f.work >= commitWork || !now.Before(f.due) {
		return f.commit()
	}
	return nil
}

// dueAt is when settle has something to do; zero while nothing is changed.
func (f *file) dueAt() time.Time {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.due
}

// settle brings what was changed to disk.
func (f *file) settle() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commit()
}

// commit does so under f.mu.
func (f *file) commit() error {
	if f.tx == nil {
		return errFileClosed
	}
	if f.due.IsZero() {
		return nil
	}
	if err := f.addUp(); err != nil {
		return errors.Join(err, f.drop())
	}
	tx := f.tx
	f.tx = nil
	if err := tx.Commit(); err != nil {
		return err
	}
	return f.begin()
}

// drop forgets what was changed since the last commit.
func (f *file) drop() error {
	tx := f.tx
	f.tx = nil
	return tx.Rollback()
}

// Close closes the file. What was changed since the last commit is dropped.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.tx != nil {
		err = f.drop()
	}
	return errors.Join(err, f.db.Close())
}
