package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// Sizes of docs/formats/journal.md, in bytes.
const (
	segmentHeaderSize = 8 + 1 + 8 + 8 + 8 + 32 + 4
	frameHeaderSize   = 1 + 4 + 4 + 8 + 32 + 4
	eventHeaderSize   = 4 + 4
	maxFrame          = 8 << 20
	sectorSize        = 512

	version    = 1
	frameMark  = 0xA7
	commitMark = 0x5A
)

var (
	magic      = [8]byte([]byte("xqjournl"))
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// segmentHeader begins a segment and ties it to the one before.
type segmentHeader struct {
	first          exchange.Position
	previousFirst  exchange.Position // of the segment before
	previousLength int64             // bytes of the segment before
	chain          sm.Digest         // of the last frame before
}

func (h segmentHeader) marshal() []byte {
	b := make([]byte, 0, segmentHeaderSize)
	b = append(b, magic[:]...)
	b = append(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(h.first))
	b = binary.BigEndian.AppendUint64(b, uint64(h.previousFirst))
	b = binary.BigEndian.AppendUint64(b, uint64(h.previousLength))
	b = append(b, h.chain[:]...)
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func parseSegmentHeader(b []byte) (segmentHeader, error) {
	var h segmentHeader
	switch {
	case len(b) < segmentHeaderSize:
		return h, errors.New("segment header is incomplete")
	case [8]byte(b) != magic:
		return h, errors.New("not a journal segment")
	case b[8] != version:
		return h, errors.New("segment of an unknown version")
	case checksum(b[:65]) != binary.BigEndian.Uint32(b[65:]):
		return h, errors.New("segment header does not match its checksum")
	}
	h.first = exchange.Position(binary.BigEndian.Uint64(b[9:]))
	h.previousFirst = exchange.Position(binary.BigEndian.Uint64(b[17:]))
	h.previousLength = int64(binary.BigEndian.Uint64(b[25:]))
	h.chain = sm.Digest(b[33:65])
	if h.first == 0 || h.previousLength < 0 {
		return h, errors.New("segment header out of range")
	}
	return h, nil
}

// frameHeader begins what one fsync made durable.
type frameHeader struct {
	length uint32 // bytes of the events
	count  uint32
	first  exchange.Position
	chain  sm.Digest // after this frame
}

func (h frameHeader) append(b []byte) []byte {
	start := len(b)
	b = append(b, frameMark)
	b = binary.BigEndian.AppendUint32(b, h.length)
	b = binary.BigEndian.AppendUint32(b, h.count)
	b = binary.BigEndian.AppendUint64(b, uint64(h.first))
	b = append(b, h.chain[:]...)
	return binary.BigEndian.AppendUint32(b, checksum(b[start:]))
}

var errFrameHeader = errors.New("frame header does not match its checksum")

// parseFrameHeader reads exactly frameHeaderSize bytes.
func parseFrameHeader(b []byte) (frameHeader, error) {
	var h frameHeader
	if len(b) != frameHeaderSize || b[0] != frameMark || checksum(b[:49]) != binary.BigEndian.Uint32(b[49:]) {
		return h, errFrameHeader
	}
	h.length = binary.BigEndian.Uint32(b[1:])
	h.count = binary.BigEndian.Uint32(b[5:])
	h.first = exchange.Position(binary.BigEndian.Uint64(b[9:]))
	h.chain = sm.Digest(b[17:49])
	if h.length > maxFrame || h.count == 0 || h.count > h.length/(eventHeaderSize+1) || h.first == 0 {
		return h, errors.New("frame header out of range")
	}
	return h, nil
}

// size is that of the whole frame, marks included.
func (h frameHeader) size() int64 { return frameHeaderSize + int64(h.length) + 1 }

// appendEvent adds one encoded event with its length and checksum.
func appendEvent(b, event []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(event)))
	b = binary.BigEndian.AppendUint32(b, checksum(event))
	return append(b, event...)
}

// splitEvent takes the first event off b.
func splitEvent(b []byte) (event, rest []byte, err error) {
	if len(b) < eventHeaderSize {
		return nil, nil, errors.New("event header is incomplete")
	}
	length := int64(binary.BigEndian.Uint32(b))
	if length == 0 || length > int64(len(b)-eventHeaderSize) {
		return nil, nil, errors.New("event length out of range")
	}
	event, rest = b[eventHeaderSize:eventHeaderSize+length], b[eventHeaderSize+length:]
	if checksum(event) != binary.BigEndian.Uint32(b[4:]) {
		return nil, nil, errors.New("event does not match its checksum")
	}
	return event, rest, nil
}
