package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// The file is cut into pieces of slotSize, which never cross a sector: a power
// cut leaves the old one or the new one. The header is in the place of slot 0.
const (
	slotSize   = 32
	headerSize = slotSize
	keySize    = sm.ContentKeySize
	reserved   = slotSize - 4 // where the checksum lies
)

var (
	magic      = [4]byte([]byte("xqv2"))
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	// erased is the key of a slot that was overwritten.
	erased sm.ContentKey
)

// appendSlot adds the slot's bytes: the key and a checksum over slot number and
// key, so that a flipped bit seals nothing.
func appendSlot(b []byte, slot uint64, key sm.ContentKey) []byte {
	start := len(b)
	b = append(append(b, key[:]...), make([]byte, reserved-keySize)...)
	return binary.BigEndian.AppendUint32(b, slotSum(slot, b[start:]))
}

func slotSum(slot uint64, b []byte) uint32 {
	number := binary.BigEndian.AppendUint64(nil, slot)
	return crc32.Update(crc32.Checksum(number, castagnoli), castagnoli, b)
}

// parseSlot reads exactly slotSize bytes; the key is erased if all are zero.
func parseSlot(slot uint64, b []byte) (sm.ContentKey, error) {
	if [slotSize]byte(b) == ([slotSize]byte{}) {
		return erased, nil
	}
	key := sm.ContentKey(b[:keySize])
	if key == erased || slotSum(slot, b[:reserved]) != binary.BigEndian.Uint32(b[reserved:]) {
		return erased, fmt.Errorf("vault: slot %d is damaged: it does not match its checksum", slot)
	}
	return key, nil
}

func header(slots uint64) []byte {
	b := append(make([]byte, 0, headerSize), magic[:]...)
	b = binary.BigEndian.AppendUint64(b, slots)
	b = append(b, make([]byte, reserved-len(b))...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseHeader(b []byte) (slots uint64, err error) {
	switch {
	case [4]byte(b) != magic:
		return 0, errors.New("not a vault of this version")
	case crc32.Checksum(b[:reserved], castagnoli) != binary.BigEndian.Uint32(b[reserved:]):
		return 0, errors.New("header does not match its checksum")
	}
	if slots = binary.BigEndian.Uint64(b[4:]); slots > maxSlots {
		return 0, errors.New("header out of range")
	}
	return slots, nil
}
