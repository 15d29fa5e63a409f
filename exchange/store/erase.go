package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
)

// ErrGovernance is returned for an entry whose body is clear and needed for
// ever.
var ErrGovernance = errors.New("store: a governance body is never erased")

// erase destroys an entry's body and its wrapped keys on this node. It returns
// when they are gone from the disk; a crash in between is made good on opening.
// An entry that is erased already is left alone.
func (st *state) erase(index uint64) error {
	st.erasing.Lock()
	defer st.erasing.Unlock()
	head := st.head()
	if index >= head.Size {
		return exchange.ErrNotFound
	}
	if err := st.sync(head.RaftIndex); err != nil {
		return err
	}
	entries, err := st.entriesOnDisk(index, 1)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return &DamageError{index, "missing"}
	}
	e := &entries[0]
	switch {
	case e.Header.Class == exchange.ClassGovernance:
		return ErrGovernance
	case e.Body == nil:
		return nil
	}
	if err := st.intend(e); err != nil {
		return st.faulty(index, err)
	}
	return st.overwrite(index)
}

// intend makes it durable that an entry is to be erased. From here on it is
// not given out.
func (st *state) intend(e *exchange.Entry) error {
	return st.db.Update(func(tx *bolt.Tx) error {
		rows, key := tx.Bucket(bucketBatches), key64(e.Batch.First)
		r, err := parseRow(key, rows.Get(key))
		if err != nil {
			return err
		}
		r.erased = r.erased.with(e.Item(), r.n)
		return errors.Join(put(rows, key, r.marshal()), putErased(tx, e.Index, len(e.Body), false))
	})
}

// overwrite destroys what stands in the slots of an entry.
func (st *state) overwrite(index uint64) error {
	rows, err := st.rowsFrom(index, 1)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return &DamageError{index, "missing"}
	}
	r := &rows[0]
	// Not readBatch: a crash may have left the wraps half overwritten.
	raw, err := st.segments.read(r)
	if err != nil {
		return st.faulty(index, err)
	}
	b, err := exchange.ParseStoredBatch(raw)
	if err != nil {
		return &DamageError{index, "its batch is " + err.Error()}
	}
	patches, err := slotsOf(&b, int(index-r.first))
	if err != nil {
		return &DamageError{index, err.Error()}
	}
	if err := st.segments.overwrite(r, patches...); err != nil {
		return st.faulty(index, err)
	}
	err = st.db.Update(func(tx *bolt.Tx) error {
		return putErased(tx, index, len(b.Items[int(index-r.first)].Body), true)
	})
	if err != nil {
		return st.faulty(index, err)
	}
	return nil
}

// faulty reports a storage fault, which ends the process.
func (st *state) faulty(index uint64, err error) error {
	err = fmt.Errorf("store: erase entry %d: %w", index, err)
	st.fail(err)
	return err
}

// slotsOf returns what is to be written over an item's slots, at its place in
// the batch's bytes.
func slotsOf(b *exchange.Batch, item int) ([]patch, error) {
	wrapsAt := 2 + len(b.RawPreamble) + 1 + len(b.Signature) + 3
	bodyAt := wrapsAt + len(b.Wraps)
	for i := range item {
		bodyAt += 2 + len(b.Items[i].Header) + 3 + len(b.Items[i].Body)
	}
	bodyAt += 2 + len(b.Items[item].Header) + 3

	wraps, err := envelope.ParseWraps(b.Wraps)
	if err != nil {
		return nil, err
	}
	erased, err := wraps.Erase(item)
	if err != nil {
		return nil, err
	}
	return []patch{
		{wrapsAt, erased},
		{bodyAt, make([]byte, len(b.Items[item].Body))},
	}, nil
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
	for _, index := range open {
		if err := st.overwrite(index); err != nil {
			return err
		}
	}
	return nil
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
		return 0, false, errors.Join(errors.New("store: the index is damaged: list of erased entries"), err)
	}
	return binary.BigEndian.Uint32(raw), raw[4] == 1, nil
}
