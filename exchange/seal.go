package exchange

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// IDSecret makes a region's entry ids. It is drawn once, kept in the recovery
// file and never rotated. It never prints: fmt looks past Format into the
// unexported fields of a struct around it, but not into a function.
type IDSecret struct{ key func() []byte }

// NewIDSecret takes 32 bytes.
func NewIDSecret(key []byte) (IDSecret, error) {
	if len(key) != 32 {
		return IDSecret{}, fmt.Errorf("id secret of %d bytes, want 32", len(key))
	}
	key = slices.Clone(key)
	return IDSecret{key: func() []byte { return key }}, nil
}

func (IDSecret) String() string             { return "id-secret:redacted" }
func (IDSecret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "id-secret:redacted") }

// EntryID is the id of the n-th entry of a natural key: docs/formats/header.md.
func (s IDSecret) EntryID(kind string, natural []byte, n uint32) EntryID {
	return s.digest(sm.LabelEntryID, kind, natural, n)
}

// Digest names something private without telling it: a natural key, a content,
// a subject. purpose keeps the names apart.
func (s IDSecret) Digest(purpose string, parts ...[]byte) sm.Digest {
	var b cryptobyte.Builder
	for _, p := range parts {
		b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(p) })
	}
	return s.digest("", purpose, b.BytesOrPanic(), 0)
}

func (s IDSecret) digest(label sm.Label, kind string, natural []byte, n uint32) sm.Digest {
	head := label.Append(make([]byte, 0, 3+len(label)+len(kind)+4))
	head = append(head, byte(len(kind)))
	head = append(head, kind...)
	head = binary.BigEndian.AppendUint16(head, uint16(min(len(natural), 0xffff)))
	return sm.HMAC(s.key(), head, natural, binary.BigEndian.AppendUint32(nil, n))
}

// Sealer authors entries: it fixes time, id and randomness, once.
type Sealer struct {
	Ledger sm.Digest
	Region peers.Region
	Secret IDSecret
	Rand   io.Reader
}

// Seal authors a sealed entry. Its body key is the caller's to keep: under a
// vault slot in the journal, and nowhere else.
func (s *Sealer) Seal(class Class, kind string, id EntryID, to []peers.Region, at time.Time, record, author []byte) (Authored, sm.ContentKey, error) {
	return s.seal(Header{Class: class, Kind: kind, ID: id, Recipients: to}, at, record, author)
}

// seal completes a header that names class, kind, id, recipients and ref.
func (s *Sealer) seal(h Header, at time.Time, record, author []byte) (Authored, sm.ContentKey, error) {
	sealed, err := envelope.Seal(s.Rand, s.Ledger, record, author)
	if err != nil {
		return Authored{}, sm.ContentKey{}, err
	}
	h.Origin, h.IssuedAt, h.Commitment, h.BodyDigest = s.Region, at.Unix(), &sealed.Commitment, sealed.Digest
	raw, err := h.Marshal()
	if err != nil {
		return Authored{}, sm.ContentKey{}, err
	}
	return Authored{Header: raw, Body: sealed.Ciphertext}, sealed.Key, nil
}

// Clear authors a governance entry, whose body every region reads.
func (s *Sealer) Clear(kind string, id EntryID, at time.Time, body []byte) (Authored, error) {
	h := Header{Class: ClassGovernance, Kind: kind, ID: id, Origin: s.Region, IssuedAt: at.Unix(), BodyDigest: sm.Sum(body)}
	raw, err := h.Marshal()
	return Authored{Header: raw, Body: body}, err
}

// SealRow seals what a row keeps private, under its slot.
func SealRow(v Vault, slot uint64, p *RowPrivate) ([]byte, error) {
	raw, err := detcbor.Marshal(p)
	if err != nil {
		return nil, err
	}
	return v.Seal(slot, PurposeRow, 0, raw)
}

// OpenRow opens what SealRow sealed; ErrErased when the slot is gone.
func OpenRow(v Vault, row *Row) (RowPrivate, error) {
	var p RowPrivate
	raw, err := v.Open(row.Slot, PurposeRow, 0, row.Private)
	if err != nil {
		return p, err
	}
	return p, cbor.Unmarshal(raw, &p)
}

// SealWraps seals the wraps of a cut for the journal, under the slots of all
// its entries together: whoever erases one of them erases this copy of every
// key in the batch. Nobody misses it, for only a batch that is not on the ledger
// yet is ever sent again, and what is not on the ledger is not erased.
func SealWraps(v Vault, preamble, wraps []byte, entries []Pending) ([]byte, error) {
	if len(wraps) == 0 {
		return nil, nil
	}
	return v.SealJointly(slotsOf(entries), sm.Sum(preamble), wraps)
}

// OpenWraps opens what SealWraps sealed.
func OpenWraps(v Vault, preamble, sealed []byte, entries []Pending) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	return v.OpenJointly(slotsOf(entries), sm.Sum(preamble), sealed)
}

func slotsOf(entries []Pending) []uint64 {
	var slots []uint64
	for i := range entries {
		if entries[i].Slot > 0 {
			slots = append(slots, entries[i].Slot)
		}
	}
	return slots
}
