package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// DamageError says where a journal is not what was written. It holds no
// content.
type DamageError struct {
	File   string
	Offset int64
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("journal: %s is damaged at offset %d: %s", e.File, e.Offset, e.Reason)
}

// indexStep is the distance in bytes between two marks of the index: what one
// ReadOne reads at most, besides the event itself.
const indexStep = 16 << 10

// mark is a place to start reading at: the header of an event.
type mark struct {
	position exchange.Position
	offset   uint32 // in its segment, which ends below 4 GiB
	left     uint32 // events from here to the end of its frame, ≥ 1
}

// indexFrame adds marks for a frame at offset whose events are well-formed.
func indexFrame(index []mark, h frameHeader, offset int64, events []byte) []mark {
	at := offset + frameHeaderSize
	for i := range h.count {
		if len(index) == 0 || at-int64(index[len(index)-1].offset) >= indexStep {
			index = append(index, mark{h.first + exchange.Position(i), uint32(at), h.count - i})
		}
		size := eventHeaderSize + int64(binary.BigEndian.Uint32(events))
		at, events = at+size, events[size:]
	}
	return index
}

// tail is how far a segment is intact.
type tail struct {
	end   int64 // offset behind the last intact frame
	last  exchange.Position
	chain sm.Digest
	index []mark
}

// scan reads the segment's frames up to size, verifies each against checksums
// and chain and hands every event's CBOR to visit, which may be nil. The tail
// is good up to the damage, if the error is a *DamageError.
func scan(f io.ReaderAt, name string, h segmentHeader, size int64, visit func(exchange.Position, []byte) error) (tail, error) {
	t := tail{end: segmentHeaderSize, last: h.first - 1, chain: h.chain}
	r := bufio.NewReaderSize(io.NewSectionReader(f, t.end, size-t.end), 1<<20)
	var buf []byte
	for t.end < size {
		fault := func(behind int64, reason string) error { return &DamageError{name, t.end + behind, reason} }
		if size-t.end < frameHeaderSize {
			return t, fault(0, "frame is incomplete")
		}
		var head [frameHeaderSize]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return t, fmt.Errorf("journal: read %s: %w", name, err)
		}
		frame, err := parseFrameHeader(head[:])
		switch {
		case err != nil:
			return t, fault(0, err.Error())
		case frame.first != t.last+1:
			return t, fault(0, "frame is out of order")
		case size-t.end < frame.size():
			return t, fault(0, "frame is incomplete")
		}
		buf = append(buf[:0], make([]byte, frame.length+1)...)
		if _, err := io.ReadFull(r, buf); err != nil {
			return t, fmt.Errorf("journal: read %s: %w", name, err)
		}
		events := buf[:frame.length]
		if at, err := checkEvents(frame, events, visit); err != nil {
			if errors.Is(err, errVisit) {
				return t, err
			}
			return t, fault(frameHeaderSize+int64(at), err.Error())
		}
		if chain := sm.Sum(t.chain[:], events); chain != frame.chain {
			return t, fault(0, "frame does not continue the hash chain")
		}
		if buf[frame.length] != commitMark {
			return t, fault(frame.size()-1, "frame has no commit mark")
		}
		t.index = indexFrame(t.index, frame, t.end, events)
		t.end += frame.size()
		t.last += exchange.Position(frame.count)
		t.chain = frame.chain
	}
	return t, nil
}

var errVisit = errors.New("journal: event")

// checkEvents walks a frame's events; on an error, at is the bad one's offset.
func checkEvents(h frameHeader, events []byte, visit func(exchange.Position, []byte) error) (at int, err error) {
	rest := events
	for i := range h.count {
		at = len(events) - len(rest)
		var event []byte
		if event, rest, err = splitEvent(rest); err != nil {
			return at, err
		}
		if visit != nil {
			if err := visit(h.first+exchange.Position(i), event); err != nil {
				return at, err
			}
		}
	}
	if len(rest) > 0 {
		return len(events) - len(rest), errors.New("frame holds more than its events")
	}
	return 0, nil
}

// torn reports whether the bytes from offset to the end of the last segment
// are a frame that was never acknowledged; first is the position it would
// begin with. See "Opening" in docs/formats/journal.md.
func torn(f io.ReaderAt, offset, size int64, first exchange.Position) (bool, error) {
	if size-offset > frameHeaderSize+maxFrame+1 {
		return false, nil
	}
	b := make([]byte, size-offset)
	if _, err := f.ReadAt(b, offset); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if len(b) < frameHeaderSize {
		return true, nil
	}
	h, err := parseFrameHeader(b[:frameHeaderSize])
	switch {
	case errors.Is(err, errFrameHeader):
		return unwritten(b, offset, frameHeaderSize) && !holdsFrame(b, first), nil
	case err != nil || h.first != first || h.size() < int64(len(b)):
		return false, nil
	case h.size() > int64(len(b)):
		return true, nil
	}
	return unwritten(b, offset, len(b)), nil
}

// unwritten reports whether a sector that overlaps the first n bytes of b,
// which lies at offset, is all zeros as far as b reaches.
func unwritten(b []byte, offset int64, n int) bool {
	for start := 0; start < n; {
		end := min(start+sectorSize-int((offset+int64(start))%sectorSize), len(b))
		if len(bytes.TrimLeft(b[start:end], "\x00")) == 0 {
			return true
		}
		start = end
	}
	return false
}

// holdsFrame reports whether a later frame begins somewhere in b.
func holdsFrame(b []byte, first exchange.Position) bool {
	for i := 1; i+frameHeaderSize <= len(b); i++ {
		if b[i] != frameMark {
			continue
		}
		if h, err := parseFrameHeader(b[i : i+frameHeaderSize]); err == nil && h.first >= first {
			return true
		}
	}
	return false
}
