package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/xinqiao/creditgw/exchange"
)

// readBuffer is read ahead at most: enough to stream, little for one event.
const readBuffer = 256 << 10

// Read calls visit for the durable events from position from on, in order, up
// to Last as of the call. It stops at visit's first error and returns it.
func (j *Journal) Read(from exchange.Position, visit func(exchange.Position, exchange.Event) error) error {
	from = max(from, 1)
	j.mu.Lock()
	last, segments := j.last, j.segments
	j.mu.Unlock()
	for _, s := range segments[holding(segments, min(from, last)):] {
		if from > last || s.header.first > last {
			return nil
		}
		index, size, err := s.marks()
		if err != nil {
			return err
		}
		i := before(index, from)
		section := io.NewSectionReader(s.file, int64(index[i].offset), size-int64(index[i].offset))
		c := newCursor(s.path, index[i], bufio.NewReaderSize(section, int(min(section.Size(), readBuffer))))
		for c.next <= last {
			at := c.next
			raw, err := c.event()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			if at < from {
				continue
			}
			e, err := unmarshalEvent(raw)
			if err != nil {
				return fmt.Errorf("journal: position %d: %w", at, err)
			}
			if err := visit(at, e); err != nil {
				return err
			}
		}
		from = max(from, c.next)
	}
	return nil
}

// ReadOne reads one durable event with one pread of about 16 KiB.
func (j *Journal) ReadOne(at exchange.Position) (exchange.Event, error) {
	j.mu.Lock()
	last, segments := j.last, j.segments
	j.mu.Unlock()
	if at == 0 || at > last {
		return exchange.Event{}, fmt.Errorf("journal: position %d: %w", at, exchange.ErrNotFound)
	}
	s := segments[holding(segments, at)]
	index, size, err := s.marks()
	if err != nil {
		return exchange.Event{}, err
	}
	i := before(index, at)
	end := size
	if i+1 < len(index) {
		end = int64(index[i+1].offset)
	}
	buf := make([]byte, end-int64(index[i].offset))
	if _, err := s.file.ReadAt(buf, int64(index[i].offset)); err != nil {
		return exchange.Event{}, fmt.Errorf("journal: read %s: %w", s.path, err)
	}
	c := newCursor(s.path, index[i], bytes.NewReader(buf))
	for {
		found := c.next == at
		raw, err := c.event()
		if err != nil {
			return exchange.Event{}, err
		}
		if found {
			e, err := unmarshalEvent(raw)
			if err != nil {
				return e, fmt.Errorf("journal: position %d: %w", at, err)
			}
			return e, nil
		}
	}
}

// holding is the place of the segment that holds position at.
func holding(segments []*segment, at exchange.Position) int {
	return max(sort.Search(len(segments), func(i int) bool { return segments[i].header.first > at })-1, 0)
}

// before is the place of the last mark at or before position at.
func before(index []mark, at exchange.Position) int {
	return max(sort.Search(len(index), func(i int) bool { return index[i].position > at })-1, 0)
}

// cursor walks events from a mark on, across frames.
type cursor struct {
	name   string
	r      io.Reader
	next   exchange.Position
	left   uint32
	offset int64
	buf    []byte
}

func newCursor(name string, m mark, r io.Reader) *cursor {
	return &cursor{name: name, r: r, next: m.position, left: m.left, offset: int64(m.offset)}
}

// event returns the next event's CBOR, valid until the next call, and io.EOF
// behind the last frame.
func (c *cursor) event() ([]byte, error) {
	if c.left == 0 {
		if err := c.frame(); err != nil {
			return nil, err
		}
	}
	var head [eventHeaderSize]byte
	if err := c.read(head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > maxFrame {
		return nil, c.damage("event length out of range")
	}
	if int(length) > cap(c.buf) {
		c.buf = make([]byte, length)
	}
	event := c.buf[:length]
	if err := c.read(event); err != nil {
		return nil, err
	}
	if checksum(event) != binary.BigEndian.Uint32(head[4:]) {
		return nil, c.damage("event does not match its checksum")
	}
	c.offset += eventHeaderSize + int64(length)
	c.next++
	c.left--
	return event, nil
}

// frame steps over the end of one frame and the header of the next.
func (c *cursor) frame() error {
	var edge [1 + frameHeaderSize]byte
	if n, err := io.ReadFull(c.r, edge[:]); n <= 1 && err != nil {
		return io.EOF
	} else if err != nil {
		return c.damage("frame is incomplete")
	}
	h, err := parseFrameHeader(edge[1:])
	if err != nil || edge[0] != commitMark || h.first != c.next {
		return c.damage("frame is not the next one")
	}
	c.left = h.count
	c.offset += int64(len(edge))
	return nil
}

func (c *cursor) read(b []byte) error {
	if _, err := io.ReadFull(c.r, b); err != nil {
		return c.damage("event is incomplete: " + err.Error())
	}
	return nil
}

func (c *cursor) damage(reason string) error { return &DamageError{c.name, c.offset, reason} }
