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
	return labelled(sm.LabelSubject, ledger[:], []byte(region), []byte(uscc))
}

// Holdings is what stands at a subject's place: a commitment to the records, in
// ascending order. Without the salt nobody guesses them.
func Holdings(salt sm.Digest, records []EntryID) sm.Digest {
	parts := make([][]byte, 0, 2+len(records))
	parts = append(parts, salt[:], binary.BigEndian.AppendUint32(nil, uint32(len(records))))
	for i := range records {
		parts = append(parts, records[i][:])
	}
	return labelled(sm.LabelHoldings, parts...)
}

// SortEntries puts ids into ascending order.
func SortEntries(ids []EntryID) {
	slices.SortFunc(ids, func(a, b EntryID) int { return bytes.Compare(a[:], b[:]) })
}

func labelled(label sm.Label, parts ...[]byte) sm.Digest {
	return sm.Sum(append([][]byte{{byte(len(label))}, []byte(label)}, parts...)...)
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
	USCC string `cbor:"1,keyasint"`
}
