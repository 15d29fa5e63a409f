package consensus

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

const (
	payloadVersion = 1
	checksumSize   = 4
	payloadFixed   = 1 + 2 + 2 + checksumSize
	itemFixed      = 16 + 4

	// MaxItem bounds one item in bytes: twice a full batch.
	MaxItem = 512 << 10
	// maxEntryItems and maxEntryBytes are where the leader cuts an entry. One
	// item that is larger by itself still makes an entry.
	maxEntryItems = 256
	maxEntryBytes = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// errChecksum means that bytes have changed since they were written. It
	// is never a property of what was proposed, so it ends the process.
	errChecksum = errors.New("consensus: checksum of a Raft payload does not match")
	// errPayload means intact bytes in no known form: all nodes see the same
	// bytes and all pass them over.
	errPayload = errors.New("consensus: Raft payload is malformed")
)

// A proposalID lets a node recognise its own item when it comes back through
// the log. It is random and means nothing to anybody else.
type proposalID [16]byte

// A proposed is an item on its way into the log.
type proposed struct {
	id   proposalID
	item []byte
	from *source // at the leader: the queue that it came by
}

// marshalPayload builds a Raft entry's bytes. Without a mark, mark is empty.
func marshalPayload(mark []byte, items []proposed) ([]byte, error) {
	data, err := marshalUnchecked(mark, items)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli)), nil
}

// marshalUnchecked leaves the checksum out, and room for it.
func marshalUnchecked(mark []byte, items []proposed) ([]byte, error) {
	size := payloadFixed + len(mark)
	for _, p := range items {
		size += itemFixed + len(p.item)
	}
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, size))
	b.AddUint8(payloadVersion)
	b.AddUint16(uint16(len(mark)))
	b.AddBytes(mark)
	b.AddUint16(uint16(len(items)))
	for _, p := range items {
		b.AddBytes(p.id[:])
		b.AddUint32(uint32(len(p.item)))
		b.AddBytes(p.item)
	}
	return b.Bytes()
}

// CheckPayload reports whether the bytes of a command entry are intact. It
// belongs wherever entries come in: in front of Raft, because damage found
// later is fatal, and in the log, because disks rot.
func CheckPayload(data []byte) error {
	n := len(data) - checksumSize
	if n < 0 || crc32.Checksum(data[:n], castagnoli) != binary.BigEndian.Uint32(data[n:]) {
		return errChecksum
	}
	return nil
}

// parsePayload takes bytes that CheckPayload has passed. Mark and items alias
// data.
func parsePayload(data []byte) (mark []byte, ids []proposalID, items [][]byte, err error) {
	mark, ids, items, err = parseAbridged(data)
	if err != nil || slices.ContainsFunc(items, isLeftOut) {
		return nil, nil, nil, errPayload
	}
	return mark, ids, items, nil
}

// parseAbridged reads what may lack items: those are empty.
func parseAbridged(data []byte) (mark []byte, _ []proposalID, _ [][]byte, _ error) {
	if len(data) < payloadFixed {
		return nil, nil, nil, errPayload
	}
	s := cryptobyte.String(data[:len(data)-checksumSize])
	var version uint8
	var n, marked uint16
	if !s.ReadUint8(&version) || version != payloadVersion ||
		!s.ReadUint16(&marked) || !s.ReadBytes(&mark, int(marked)) || !s.ReadUint16(&n) || n > maxEntryItems {
		return nil, nil, nil, errPayload
	}
	ids := make([]proposalID, n)
	items := make([][]byte, n)
	for i := range items {
		var size uint32
		if !s.CopyBytes(ids[i][:]) || !s.ReadUint32(&size) || size > MaxItem ||
			!s.ReadBytes(&items[i], int(size)) {
			return nil, nil, nil, errPayload
		}
	}
	if !s.Empty() {
		return nil, nil, nil, errPayload
	}
	return mark, ids, items, nil
}
