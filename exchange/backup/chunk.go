package backup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func nonce(number uint64, last bool) (n [12]byte) {
	if last {
		n[0] = 1
	}
	binary.BigEndian.PutUint64(n[4:], number)
	return n
}

// sealer cuts what is written into chunks. Close writes the last one.
type sealer struct {
	w       io.Writer
	key     sm.ContentKey
	head    []byte // additional data
	number  uint64
	pending []byte
}

func (s *sealer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(s.pending) == chunkSize { // more follows, so it is not the last
			if err := s.flush(false); err != nil {
				return 0, err
			}
		}
		take := min(chunkSize-len(s.pending), len(p))
		s.pending, p = append(s.pending, p[:take]...), p[take:]
	}
	return n, nil
}

func (s *sealer) flush(last bool) error {
	sealed := s.key.Seal(nonce(s.number, last), s.pending, s.head)
	if sealed == nil {
		return errors.New("backup: a chunk could not be sealed")
	}
	s.number, s.pending = s.number+1, s.pending[:0]
	_, err := s.w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed...))
	if err != nil {
		return fmt.Errorf("backup: write: %w", err)
	}
	return nil
}

func (s *sealer) Close() error { return s.flush(true) }

// opener reads what sealer wrote, and io.EOF behind the last chunk.
type opener struct {
	r      io.Reader
	key    sm.ContentKey
	head   []byte
	number uint64
	plain  []byte
	ended  bool
}

func (o *opener) Read(p []byte) (int, error) {
	for len(o.plain) == 0 {
		if o.ended {
			return 0, io.EOF
		}
		if err := o.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

func (o *opener) next() error {
	var prefix [4]byte
	if _, err := io.ReadFull(o.r, prefix[:]); err != nil {
		return readError(err)
	}
	length := binary.BigEndian.Uint32(prefix[:])
	if length <= sm.ContentOverhead || length > chunkSize+sm.ContentOverhead {
		return ErrDamaged
	}
	sealed := make([]byte, length)
	if _, err := io.ReadFull(o.r, sealed); err != nil {
		return readError(err)
	}
	var err error
	if o.plain, err = o.key.Open(nonce(o.number, false), sealed, o.head); err != nil {
		if o.plain, err = o.key.Open(nonce(o.number, true), sealed, o.head); err != nil {
			return ErrDamaged
		}
		o.ended = true
	}
	o.number++
	return nil
}

// readError tells a file that has ended too early from one that can't be read.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return fmt.Errorf("backup: read: %w", err)
}
