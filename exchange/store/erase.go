package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
)

// ErrGovernance is returned for an entry whose body is clear and needed for
// ever.
var ErrGovernance = errors.New("store: a governance body is never erased")

// erase destroys the bodies of entries and their wrapped keys on this node. It
// returns when they are gone from the disk; a crash in between is made good on
// opening. Entries that are erased already are left alone.
func (st *state) erase(indexes []uint64) error {
	st.erasing.Lock()
	defer st.erasing.Unlock()
	head := st.head()
	for _, index := range indexes {
		if index >= head.Size {
			return exchange.ErrNotFound
		}
	}
	if err := st.sync(head.RaftIndex); err != nil {
		return err
	}
	var live []exchange.Entry
	for _, index := range indexes {
		entries, err := st.entriesOnDisk(index, 1)
		switch {
		case err != nil:
			return err
		case len(entries) == 0:
			return &DamageError{index, "missing"}
		case entries[0].Header.Class == exchange.ClassGovernance:
			return ErrGovernance
		case entries[0].Body != nil:
			live = append(live, entries[0])
		}
	}
	if len(live) == 0 {
		return nil
	}
	if err := st.intend(live); err != nil {
		return st.faulty(live[0].Index, err)
	}
	gone := make([]uint64, len(live))
	for i := range live {
		gone[i] = live[i].Index
	}
	return st.overwrite(gone)
}

// intend makes it durable that entries are to be erased. From here on they are
// not given out.
func (st *state) intend(entries []exchange.Entry) error {
	return st.db.Update(func(tx *bolt.Tx) error {
		rows := tx.Bucket(bucketBatches)
		for i := range entries {
			e := &entries[i]
			key := key64(e.Batch.First)
			r, err := parseRow(key, rows.Get(key))
			if err != nil {
				return err
			}
			r.erased = r.erased.with(e.Item(), r.n)
			if err := errors.Join(put(rows, key, r.marshal()), putErased(tx, e.Index, len(e.Body), false)); err != nil {
				return err
			}
		}
		return nil
	})
}

// overwrite destroys what stands in the slots of entries, which are ascending.
func (st *state) overwrite(indexes []uint64) error {
	slots := make(map[uint64]int, len(indexes))
	var edits []edit
	for left := indexes; len(left) > 0; {
		rows, err := st.rowsFrom(left[0], 1)
		if err != nil {
			return err
		}
		if len(rows) == 0 || left[0] >= rows[0].first+uint64(rows[0].n) {
			return &DamageError{left[0], "missing"}
		}
		e := edit{row: &rows[0]}
		b, err := st.unchecked(e.row)
		if err != nil {
			return err
		}
		var items []int
		for len(left) > 0 && left[0] < e.row.first+uint64(e.row.n) {
			item := int(left[0] - e.row.first)
			items, slots[left[0]] = append(items, item), len(b.Items[item].Body)
			left = left[1:]
		}
		if e.patches, err = slotsOf(&b, items); err != nil {
			return &DamageError{e.row.first, err.Error()}
		}
		edits = append(edits, e)
	}
	if err := st.segments.overwrite(edits...); err != nil {
		return st.faulty(indexes[0], err)
	}
	err := st.db.Update(func(tx *bolt.Tx) error {
		var errs []error
		for _, index := range indexes {
			errs = append(errs, putErased(tx, index, slots[index], true))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return st.faulty(indexes[0], err)
	}
	return nil
}

// unchecked reads a batch. Unlike readBatch it takes one whose wraps a crash
// has left half overwritten.
func (st *state) unchecked(r *row) (exchange.Batch, error) {
	raw, err := st.segments.read(r)
	if err != nil {
		return exchange.Batch{}, st.faulty(r.first, err)
	}
	b, err := exchange.ParseStoredBatch(raw)
	if err != nil {
		return b, &DamageError{r.first, "its batch is " + err.Error()}
	}
	return b, nil
}

// faulty reports a storage fault, which ends the process.
func (st *state) faulty(index uint64, err error) error {
	err = fmt.Errorf("store: erase entry %d: %w", index, err)
	st.fail(err)
	return err
}

// slotsOf returns what is to be written over the slots of items, at its place
// in the batch's bytes.
func slotsOf(b *exchange.Batch, items []int) ([]patch, error) {
	wrapsAt := 2 + len(b.RawPreamble) + 1 + len(b.Signature) + 3
	raw := b.Wraps
	var patches []patch
	bodyAt, next := wrapsAt+len(b.Wraps), 0
	for _, item := range items {
		for ; next < item; next++ {
			bodyAt += 2 + len(b.Items[next].Header) + 3 + len(b.Items[next].Body)
		}
		patches = append(patches, patch{bodyAt + 2 + len(b.Items[item].Header) + 3, make([]byte, len(b.Items[item].Body))})
		wraps, err := envelope.ParseWraps(raw)
		if err != nil {
			return nil, err
		}
		if raw, err = wraps.Erase(item); err != nil {
			return nil, err
		}
	}
	return append(patches, patch{wrapsAt, raw}), nil
}

// eraseStaged erases what is erased here in the next generation too, if there
// is one. What lies there and was never completed is of no use to anybody.
func (s *Store) eraseStaged() error {
	s.staging.Lock()
	defer s.staging.Unlock()
	dir := s.dir(s.generation + 1)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	staged, err := openState(dir, &s.config)
	if err != nil {
		return os.RemoveAll(dir)
	}
	if !staged.durable.received {
		return errors.Join(staged.close(), os.RemoveAll(dir))
	}
	return errors.Join(s.carryErasures(staged), staged.close())
}

// carryErasures erases in a staged state what is erased in the live one: its
// sender may not have come so far.
func (s *Store) carryErasures(staged *state) error {
	s.mu.RLock()
	gone, err := s.live.erased()
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	size := staged.head().Size
	return staged.erase(slices.DeleteFunc(gone, func(index uint64) bool { return index >= size }))
}

// erased lists what is erased or about to be, ascending.
func (st *state) erased() (indexes []uint64, err error) {
	err = st.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketErased).ForEach(func(k, v []byte) error {
			indexes = append(indexes, binary.BigEndian.Uint64(k))
			_, _, err := parseErased(k, v)
			return err
		})
	})
	return indexes, err
}

// finishErasing repeats what a crash interrupted.
func (st *state) finishErasing() error {
	var open []uint64
	err := st.view(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketErased).ForEach(func(k, v []byte) error {
			_, done, err := parseErased(k, v)
			if err == nil && !done {
				open = append(open, binary.BigEndian.Uint64(k))
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	if len(open) == 0 {
		return nil
	}
	return st.overwrite(open)
}

// erasedMeanwhile tells an entry that was erased while it was being read from
// one that is damaged.
func (st *state) erasedMeanwhile(index uint64) (bool, error) {
	rows, err := st.rowsFrom(index, 1)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return rows[0].erased.has(int(index - rows[0].first)), nil
}

func putErased(tx *bolt.Tx, index uint64, slot int, done bool) error {
	value := binary.BigEndian.AppendUint32(nil, uint32(slot))
	return put(tx.Bucket(bucketErased), key64(index), append(value, flag(done)))
}

func parseErased(key, sealed []byte) (slot uint32, done bool, err error) {
	raw, err := unseal(key, sealed)
	if err != nil || len(key) != 8 || len(raw) != 5 {
		return 0, false, errors.Join(errors.New("store: the index state.db is damaged: list of erased entries"), err)
	}
	return binary.BigEndian.Uint32(raw), raw[4] == 1, nil
}
