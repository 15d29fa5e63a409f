package casebook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// FileName is the casebook's one file, in its directory.
const FileName = "casebook.db"

// Report is what Check has read.
type Report struct {
	Entries uint64 // own and others', numbered
	Pairs   uint64 // keys with their values, in all buckets
}

// Check reads everything in the casebook of a stopped node, or in a copy of a
// running one's, and holds each bucket against the sum that was kept of it. The
// error joins one fault for each bucket that reads differently. A casebook that
// is not there is no fault: it is built at the next start. Run it in a process
// of its own: bbolt may fault on rotten pages.
func Check(dir string, progress func(done, total uint64)) (r Report, err error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return r, fmt.Errorf("casebook: open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return r, db.View(func(tx *bolt.Tx) error { return r.read(tx, progress) })
}

func (r *Report) read(tx *bolt.Tx, progress func(done, total uint64)) error {
	b := bucketsOf(tx)
	if b.sums == nil || b.meta == nil {
		return fmt.Errorf("%w: buckets are missing", errDamaged)
	}
	m, found, err := get[meta](b.meta, metaKey)
	if err != nil {
		return err
	}
	if found && m.Version != version {
		return fmt.Errorf("casebook: layout %d, this binary reads %d; delete it, it is rebuilt", m.Version, version)
	}
	r.Entries = m.Entry
	total, err := pairsOf(b)
	if err != nil {
		return err
	}
	var faults []error
	for name, place := range b.all() {
		if *place == b.sums {
			continue
		}
		if *place == nil {
			faults = append(faults, fmt.Errorf("%w: bucket %s is missing", errDamaged, name))
			continue
		}
		want, err := parseSum(b.sums.Get([]byte(name)))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		var got sum
		err = (*place).ForEach(func(key, value []byte) error {
			if got.add(key, value); got.pairs > want.pairs {
				return fmt.Errorf("%w: bucket %s holds more than was written", errDamaged, name) // pages in a circle
			}
			if r.Pairs++; r.Pairs%(1<<14) == 0 {
				progress(r.Pairs, total)
			}
			return nil
		})
		if err == nil && got != want {
			err = fmt.Errorf("%w: bucket %s holds %d pairs, %d were written, or one reads differently", errDamaged, name, got.pairs, want.pairs)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	progress(r.Pairs, max(r.Pairs, total))
	return errors.Join(faults...)
}

// pairsOf is how many pairs were written in all.
func pairsOf(b buckets) (total uint64, err error) {
	err = b.sums.ForEach(func(_, raw []byte) error {
		s, err := parseSum(raw)
		total += s.pairs
		return err
	})
	return total, err
}
