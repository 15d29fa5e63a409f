package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

const (
	streamMagic  = "XQSNAP\x00\x01"
	streamHeader = len(streamMagic) + 2*sm.DigestSize + 8
)

var errStale = errors.New("store: the entries changed while they were sent; start again")

// Export streams the first size entries, which must end where a batch ends, in
// the form of docs/formats/store.md, and tells the exact length of the stream.
// Every entry is checked before it leaves. The stream breaks off with an error
// when an entry still ahead of it is erased meanwhile.
func (s *Store) Export(size uint64) (io.ReadCloser, int64, error) {
	s.mu.RLock()
	st := s.live
	defer s.mu.RUnlock()
	head := st.head()
	if size > head.Size {
		return nil, 0, fmt.Errorf("store: export of %d entries, %d are applied", size, head.Size)
	}
	if err := st.sync(head.RaftIndex); err != nil {
		return nil, 0, err
	}
	root, err := st.rootAt(size)
	if err != nil {
		return nil, 0, err
	}
	length, err := st.streamLength(size)
	if err != nil {
		return nil, 0, err
	}
	e := &export{store: s, state: st, size: size, left: length}
	e.buffer.WriteString(streamMagic)
	e.buffer.Write(st.ledger[:])
	e.buffer.Write(key64(size))
	e.buffer.Write(root[:])
	return e, length, nil
}

// streamLength is the length of the stream of the first size entries.
func (st *state) streamLength(size uint64) (int64, error) {
	length := uint64(streamHeader)
	err := st.view(func(tx *bolt.Tx) error {
		raw, err := get(tx.Bucket(bucketMeta), keyState)
		if err != nil {
			return err
		}
		p := position{}
		if raw != nil {
			if p, err = parsePosition(raw, st.ledger); err != nil {
				return err
			}
		}
		if p.size == size {
			length += p.stream
		} else {
			key := key64(size)
			sealed := tx.Bucket(bucketBatches).Get(key)
			if sealed == nil {
				return fmt.Errorf("store: no batch ends at %d entries", size)
			}
			r, err := parseRow(key, sealed)
			if err != nil {
				return &DamageError{size, err.Error()}
			}
			length += r.stream
		}
		c := tx.Bucket(bucketErased).Cursor()
		for k, v := c.First(); k != nil && binary.BigEndian.Uint64(k) < size; k, v = c.Next() {
			slot, _, err := parseErased(k, v)
			if err != nil {
				return err
			}
			length -= uint64(slot)
		}
		return nil
	})
	return int64(length), err
}

// export is the reading end of a stream.
type export struct {
	store  *Store
	state  *state
	next   uint64 // leaf
	size   uint64
	left   int64 // bytes of the stream not yet read
	buffer bytes.Buffer
	rows   []row
	err    error
}

func (e *export) Read(p []byte) (int, error) {
	for e.buffer.Len() == 0 && e.err == nil {
		e.err = e.fill()
	}
	if e.buffer.Len() == 0 {
		return 0, e.err
	}
	n, err := e.buffer.Read(p)
	e.left -= int64(n)
	return n, err
}

func (e *export) Close() error {
	e.err = errors.New("store: export is closed")
	e.buffer.Reset()
	return nil
}

// fill puts the next batch into the buffer.
func (e *export) fill() error {
	if e.next == e.size {
		if e.left != 0 {
			return errStale
		}
		return io.EOF
	}
	e.store.mu.RLock()
	defer e.store.mu.RUnlock()
	if e.store.live != e.state {
		return errStale
	}
	if len(e.rows) == 0 {
		var err error
		if e.rows, err = e.state.rowsFrom(e.next, rowsPerView); err != nil {
			return err
		}
	}
	if len(e.rows) == 0 || e.rows[0].first != e.next {
		return &DamageError{e.next, "missing"}
	}
	raw, err := e.state.streamed(&e.rows[0])
	if err != nil {
		return err
	}
	if int64(4+len(raw)) > e.left {
		return errStale
	}
	e.buffer.Reset()
	e.buffer.Write(binary.BigEndian.AppendUint32(nil, uint32(len(raw))))
	e.buffer.Write(raw)
	e.next += uint64(e.rows[0].n)
	e.rows = e.rows[1:]
	return nil
}

// streamed returns a batch in the form of the stream: erased bodies absent,
// their keys in erased form.
func (st *state) streamed(r *row) ([]byte, error) {
	b, err := st.readBatch(r)
	if err != nil {
		return nil, err
	}
	entries, err := st.appendEntries(nil, r, r.first, r.first+uint64(r.n))
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Body != nil {
			continue
		}
		b.Items[i].Body = nil
		wraps, err := envelope.ParseWraps(b.Wraps)
		if err != nil {
			return nil, &DamageError{r.first, err.Error()}
		}
		if b.Wraps, err = wraps.Erase(i); err != nil {
			return nil, &DamageError{entries[i].Index, err.Error()}
		}
	}
	return b.Marshal()
}

// streamHead is the beginning of a stream, as its sender claims.
type streamHead struct {
	ledger sm.Digest
	size   uint64
	root   sm.Digest
}

func parseStreamHead(raw []byte) (h streamHead, err error) {
	var magic []byte
	s := cryptobyte.String(raw)
	if !s.ReadBytes(&magic, len(streamMagic)) || string(magic) != streamMagic || !s.CopyBytes(h.ledger[:]) ||
		!s.ReadUint64(&h.size) || !s.CopyBytes(h.root[:]) || !s.Empty() {
		return h, errors.New("store: not a snapshot of version 1")
	}
	return h, nil
}

// readStreamed reads the next batch of a stream, io.EOF at its proper end.
func readStreamed(r io.Reader) ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(prefix[:])
	if length > exchange.MaxBatch {
		return nil, exchange.Malformed("batch of %d bytes", length)
	}
	raw := make([]byte, length)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	}
	return raw, nil
}
