package exchange

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// A region's map says of each subject which live records the region holds, home
// records and received ones: docs/formats/statement.md. Its root is anchored on
// the ledger, so that the region can't state two sets for one subject.

// SubjectKey is a subject's place in a region's map. Anyone who knows the code
// computes it.
func SubjectKey(ledger sm.Digest, region peers.Region, uscc string) sm.Digest {
	return sm.Sum(sm.LabelSubject.Append(nil), ledger[:], []byte(region), []byte(uscc))
}

// SubjectSize is how much of the digest names a firm in a region's own files.
const SubjectSize = 16

// Subject names a firm in this region's own files. Whoever lacks the secret can't
// tell which one, nor try them all. It is nil when there is no firm.
func (s IDSecret) Subject(uscc string) []byte {
	if uscc == "" {
		return nil
	}
	d := s.Digest("subject", []byte(uscc))
	return d[:SubjectSize]
}

// Holdings is what stands at a subject's place: a commitment to the records, in
// ascending order. Without the salt nobody guesses them.
func Holdings(salt sm.Digest, records []EntryID) sm.Digest {
	parts := make([][]byte, 0, 3+len(records))
	parts = append(parts, sm.LabelHoldings.Append(nil), salt[:], binary.BigEndian.AppendUint32(nil, uint32(len(records))))
	for i := range records {
		parts = append(parts, records[i][:])
	}
	return sm.Sum(parts...)
}

// SortEntries puts ids into ascending order.
func SortEntries(ids []EntryID) {
	slices.SortFunc(ids, func(a, b EntryID) int { return bytes.Compare(a[:], b[:]) })
}

// Holding is one subject's place in a map that was anchored.
type Holding struct {
	Anchor  uint64 // leaf of the anchor
	Records []EntryID
	Salt    sm.Digest
	Path    []sm.Digest
}

// Bound is a map as of a position of the journal.
type Bound struct {
	At   Position
	Size uint64 // of the ledger as followed there
	Root sm.Digest
}

// AnchorMade says which state of the map an anchor entry of this region states.
type AnchorMade struct {
	At   Position  `cbor:"1,keyasint"`
	Size uint64    `cbor:"2,keyasint"`
	Root sm.Digest `cbor:"3,keyasint"`
}

// SubjectAsked gives a subject a place in the map, with no record if need be, so
// that the next anchor answers for it.
type SubjectAsked struct {
	Slot uint64 `cbor:"2,keyasint"`
	USCC []byte `cbor:"3,keyasint"` // sealed; the map needs the code itself, see SubjectKey
}

// AskFor makes the event of a subject under a fresh slot.
func AskFor(v Vault, slot uint64, uscc string) (*SubjectAsked, error) {
	sealed, err := v.Seal(slot, PurposeSubject, 0, []byte(uscc))
	return &SubjectAsked{Slot: slot, USCC: sealed}, err
}

// Open returns the subject's code.
func (a *SubjectAsked) Open(v Vault) (uscc string, err error) {
	code, err := v.Open(a.Slot, PurposeSubject, 0, a.USCC)
	return string(code), err
}
