package peers

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Purpose says what a region's key is for. A key serves one purpose, for ever.
type Purpose uint8

// The purposes, in the order in which a region's records stand.
const (
	PurposeNode       Purpose = 1
	PurposeBatch      Purpose = 2
	PurposeDecryption Purpose = 3
	PurposeWitness    Purpose = 4
	PurposeAgency     Purpose = 5
)

var purposeNames = [...]string{"", "node", "batch", "decryption", "witness", "agency"}

// String returns the word that governance bodies use.
func (p Purpose) String() string {
	if int(p) >= len(purposeNames) {
		return ""
	}
	return purposeNames[p]
}

// ParsePurpose reads the word.
func ParsePurpose(s string) (Purpose, bool) {
	for p := PurposeNode; p <= PurposeAgency; p++ {
		if p.String() == s {
			return p, true
		}
	}
	return 0, false
}

// Validity bounds a key by leaf indexes: it is good for From ≤ index < Until.
// What a batch key signs is judged by the batch's first leaf, what an agency
// signs by the leaf of its entry.
type Validity struct {
	From  uint64 // 0: since the genesis; else behind the entry that brought it
	Until uint64 // 0: in force; else behind the entry that ended it
	// Revoked says that the key was in wrong hands. What it signed from
	// SuspectFrom on and before Until stays on the ledger and is doubtful.
	Revoked     bool
	SuspectFrom uint64
}

// At says whether the key was good at a leaf index.
func (v Validity) At(index uint64) bool { return v.From <= index && (v.Until == 0 || index < v.Until) }

// InForce says whether the key is good for what comes next.
func (v Validity) InForce() bool { return v.Until == 0 }

// Doubtful says whether what the key signed at a leaf index is in doubt.
func (v Validity) Doubtful(index uint64) bool {
	return v.Revoked && v.SuspectFrom <= index && v.At(index)
}

// revoke ends the key behind an entry, unless it has ended before.
func (v Validity) revoke(index, suspectFrom uint64) Validity {
	if v.Until == 0 {
		v.Until = index + 1
	}
	v.Revoked, v.SuspectFrom = true, suspectFrom
	return v
}

// PublicKey is a public key of any purpose.
type PublicKey interface {
	Bytes() []byte
	ID() sm.KeyID
}

// KeyRecord is one key of a region and how long it is good: the node, batch,
// decryption and witness keys. Those of agencies are AgencyKeys.
type KeyRecord struct {
	Region  Region
	Purpose Purpose
	Node    string // the node's id if the purpose is node, else ""
	Key     PublicKey
	Validity
}

// compareKeys orders by region, purpose and key id.
func compareKeys(a, b KeyRecord) int { return a.compare(b.Region, b.Purpose, b.Key.ID()) }

func (k KeyRecord) compare(r Region, p Purpose, id sm.KeyID) int {
	if c := compareRegions(k.Region, r); c != 0 {
		return c
	}
	if k.Purpose != p {
		return int(k.Purpose) - int(p)
	}
	own := k.Key.ID()
	return bytes.Compare(own[:], id[:])
}

// parseKey reads a point as a key of the purpose.
func parseKey(p Purpose, point []byte) (PublicKey, error) {
	switch p {
	case PurposeNode:
		return key(sm.ParsePublic[sm.Node](point))
	case PurposeBatch:
		return key(sm.ParsePublic[sm.Batch](point))
	case PurposeDecryption:
		return key(sm.ParseDecryptionPublic(point))
	case PurposeWitness:
		return key(sm.ParsePublic[sm.Witness](point))
	case PurposeAgency:
		return key(sm.ParsePublic[sm.Agency](point))
	default:
		return nil, errRecord
	}
}

// key keeps a nil pointer from becoming an interface that is not nil.
func key[K PublicKey](k K, err error) (PublicKey, error) {
	if err != nil {
		return nil, err
	}
	return k, nil
}

// The kinds of records in the directory's tree: docs/formats/directory.md.
const (
	recordParty    = 1
	recordNode     = 2
	recordKey      = 3
	recordAgencies = 4
	recordPolicy   = 5
)

var errRecord = errors.New("directory: malformed record")

func (k KeyRecord) marshal() []byte {
	var b cryptobyte.Builder
	b.AddUint8(recordKey)
	b.AddBytes([]byte(k.Region))
	b.AddUint8(uint8(k.Purpose))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(k.Node)) })
	b.AddBytes(k.Key.Bytes())
	k.Validity.add(&b)
	return b.BytesOrPanic() // Lengths were checked when the record was made.
}

func parseKeyRecord(s *cryptobyte.String) (KeyRecord, error) {
	var (
		k             KeyRecord
		region, point []byte
		purpose       uint8
		node          cryptobyte.String
	)
	if !s.ReadBytes(&region, RegionSize) || !s.ReadUint8(&purpose) || !s.ReadUint8LengthPrefixed(&node) ||
		!s.ReadBytes(&point, sm.PublicSize) || !k.Validity.read(s) ||
		!s.Empty() {
		return k, errRecord
	}
	var err error
	if k.Region, err = ParseRegion(string(region)); err != nil {
		return k, err
	}
	k.Purpose, k.Node = Purpose(purpose), string(node)
	if k.Purpose == PurposeAgency || (k.Purpose == PurposeNode) != (k.Node != "") {
		return k, errRecord
	}
	if k.Node != "" {
		if err := checkNodeID(k.Region, k.Node); err != nil {
			return k, err
		}
	}
	k.Key, err = parseKey(k.Purpose, point)
	return k, err
}

func (v Validity) add(b *cryptobyte.Builder) {
	b.AddUint64(v.From)
	b.AddUint64(v.Until)
	if v.Revoked {
		b.AddUint8(1)
	} else {
		b.AddUint8(0)
	}
	b.AddUint64(v.SuspectFrom)
}

// read demands the one spelling: an end behind the beginning, and a suspicion
// only of what was revoked.
func (v *Validity) read(s *cryptobyte.String) bool {
	var revoked uint8
	if !s.ReadUint64(&v.From) || !s.ReadUint64(&v.Until) || !s.ReadUint8(&revoked) || !s.ReadUint64(&v.SuspectFrom) {
		return false
	}
	v.Revoked = revoked == 1
	return revoked <= 1 && (v.Until == 0 || v.From < v.Until) &&
		(v.Revoked && v.Until != 0 && v.SuspectFrom < v.Until || !v.Revoked && v.SuspectFrom == 0)
}
