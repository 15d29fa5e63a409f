package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// DamageError says that what this node holds of an entry is not what was
// accepted. It is found on read, and the entry is not given out.
type DamageError struct {
	Index uint64 // leaf; the first one concerned
	What  string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("store: entry %d is damaged: %s", e.Index, e.What)
}

// rowsPerView bounds a read transaction: an open one keeps bbolt from reusing
// pages.
const rowsPerView = 256

// rowsFrom returns the rows of up to limit batches on disk, beginning with the
// one that holds leaf index.
func (st *state) rowsFrom(index uint64, limit int) ([]row, error) {
	var rows []row
	err := st.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketBatches).Cursor()
		k, v := c.Seek(key64(index))
		if k == nil || binary.BigEndian.Uint64(k) != index {
			k, v = c.Prev()
		}
		for ; k != nil && len(rows) < limit; k, v = c.Next() {
			r, err := parseRow(k, v)
			if err != nil {
				return &DamageError{index, err.Error()}
			}
			rows = append(rows, r)
			index = r.first + uint64(r.n)
		}
		return nil
	})
	return rows, err
}

// view reads bbolt, whose own pages may be rotten: that makes it panic, or
// touch memory behind the end of its file.
func (st *state) view(f func(*bolt.Tx) error) (err error) {
	defer damaged(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return st.db.View(f)
}

// rowOf finds the batch with a sequence number. The caller holds the lock.
func (st *state) rowOf(origin peers.Region, seq uint64) (row, error) {
	for _, b := range st.pending {
		if b.row.origin == origin && b.row.seq == seq {
			return b.row, nil
		}
	}
	var first []byte
	err := st.view(func(tx *bolt.Tx) error {
		value, err := get(tx.Bucket(bucketSequences), sequenceKey(origin, seq))
		first = bytes.Clone(value)
		return err
	})
	if err != nil || len(first) != 8 {
		return row{}, fmt.Errorf("store: the index state.db is damaged: number %d of %s: %w", seq, origin, errors.Join(err, errNoTile))
	}
	index := binary.BigEndian.Uint64(first)
	rows, err := st.rowsFrom(index, 1)
	if err != nil {
		return row{}, err
	}
	if len(rows) == 0 || rows[0].first != index || rows[0].origin != origin || rows[0].seq != seq {
		return row{}, &DamageError{index, "the index names another batch"}
	}
	return rows[0], nil
}

// header returns the header of an entry. The caller holds the lock.
func (st *state) header(index uint64) (*exchange.Header, error) {
	if b := st.find(index); b != nil {
		return &b.headers[index-b.row.first], nil
	}
	entries, err := st.entriesOnDisk(index, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, &DamageError{index, "missing"}
	}
	return &entries[0].Header, nil
}

// entries returns up to limit entries from leaf from on.
func (st *state) entries(from uint64, limit int) ([]exchange.Entry, error) {
	if limit <= 0 {
		return nil, nil
	}
	st.mu.RLock()
	pending := st.pending
	onDisk := st.durable.size
	st.mu.RUnlock()

	var out []exchange.Entry
	if from < onDisk {
		var err error
		n := int(min(uint64(limit), onDisk-from))
		if out, err = st.entriesOnDisk(from, n); err != nil {
			return nil, err
		}
		if len(out) < n {
			return nil, &DamageError{from + uint64(len(out)), "missing"}
		}
		from += uint64(n)
	}
	for _, b := range pending {
		if b.end() <= from {
			continue
		}
		for i := int(from - b.row.first); i < b.row.n && len(out) < limit; i++ {
			out = append(out, exchange.Entry{
				Index: b.row.first + uint64(i), RawHeader: b.items[i].Header, Header: b.headers[i],
				Body: b.items[i].Body, Batch: b.info,
			})
			from++
		}
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// entriesOnDisk returns the entries from leaf from on, fewer than n only where
// the disk ends.
func (st *state) entriesOnDisk(from uint64, n int) ([]exchange.Entry, error) {
	var out []exchange.Entry
	for len(out) < n {
		rows, err := st.rowsFrom(from, min(rowsPerView, n-len(out)))
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			break
		}
		for i := range rows {
			r := &rows[i]
			end := r.first + uint64(r.n)
			if from < r.first || from >= end {
				return nil, &DamageError{from, "missing"}
			}
			end = min(end, from+uint64(n-len(out)))
			if out, err = st.appendEntries(out, r, from, end); err != nil {
				return nil, err
			}
			if from = end; len(out) == n {
				break
			}
		}
	}
	return out, nil
}

// appendEntries reads a batch and appends its entries from leaf from to before
// end, each checked.
func (st *state) appendEntries(out []exchange.Entry, r *row, from, end uint64) ([]exchange.Entry, error) {
	b, err := st.readBatch(r)
	if err != nil {
		return nil, err
	}
	leaves, err := st.tiles.leaves(from, end)
	if err != nil {
		return nil, err
	}
	info := &exchange.BatchInfo{
		RawPreamble: b.RawPreamble, Preamble: b.Preamble, Signature: b.Signature, Wraps: b.Wraps, First: r.first,
	}
	for index := from; index < end; index++ {
		i := int(index - r.first)
		e := exchange.Entry{Index: index, RawHeader: b.Items[i].Header, Body: b.Items[i].Body, Batch: info}
		if err := st.checkEntry(&e, r.erased.has(i), leaves[index-from]); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// checkEntry hashes an entry as read and reads its header. What stands in the
// slot of an erased body is no body.
func (st *state) checkEntry(e *exchange.Entry, erased bool, leaf sm.Digest) (err error) {
	if ledger.LeafHash(e.RawHeader) != leaf {
		return &DamageError{e.Index, "the header is not the leaf of the tree"}
	}
	if e.Header, err = exchange.ParseHeader(e.RawHeader); err != nil {
		return &DamageError{e.Index, err.Error()}
	}
	if !erased && (e.Body == nil || sm.Sum(e.Body) != e.Header.BodyDigest) {
		if erased, err = st.erasedMeanwhile(e.Index); err != nil {
			return err
		}
		if !erased {
			return &DamageError{e.Index, "the body is not the one that the header names"}
		}
	}
	if erased {
		e.Body = nil
	}
	return nil
}

// readBatch reads a batch from its segment and checks what its entries share.
func (st *state) readBatch(r *row) (exchange.Batch, error) {
	bad := func(what string) (exchange.Batch, error) {
		return exchange.Batch{}, &DamageError{r.first, what}
	}
	raw, err := st.segments.read(r)
	if err != nil {
		return bad("its batch can't be read: " + err.Error())
	}
	b, err := exchange.ParseStoredBatch(raw)
	switch {
	case err != nil:
		return bad("its batch is " + err.Error())
	case len(b.Items) != r.n || sm.Sum(b.RawPreamble) != r.preamble:
		return bad("the preamble of its batch")
	case crc32.Checksum(b.Signature, castagnoli) != r.signature:
		return bad("the signature of its batch")
	}
	if len(b.Wraps) > 0 || !b.Preamble.WrapsDigest.IsZero() {
		wraps, err := envelope.ParseWraps(b.Wraps)
		if err != nil || wraps.Digest() != b.Preamble.WrapsDigest {
			return bad("the wraps of its batch")
		}
	}
	return b, nil
}
