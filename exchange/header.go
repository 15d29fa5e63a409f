package exchange

import (
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Class says what an entry is to Apply; kinds are opaque to it.
type Class uint8

const (
	ClassRecord     Class = 1 // a sealed record of its own
	ClassFollowUp   Class = 2 // changes the entry it refers to
	ClassStatement  Class = 3 // says something about other entries: acknowledgements
	ClassGovernance Class = 4 // clear text, read by Apply: agency keys
)

// Kinds this version knows. A recipient parks an unknown kind; Apply accepts it.
const (
	KindPenalty         = "administrative-penalty"
	KindAcknowledgement = "acknowledgement"
	KindAgencyKey       = "agency-key"
	KindAgencyKeyRetire = "agency-key-retire"
	KindPropose         = "member-propose"
	KindApprove         = "member-approve"
)

// Formats are those beyond version 1 that this binary has. A format is in
// force once an activate entry says so.
var Formats []string

// Limits of docs/formats/header.md and batch.md, in bytes unless said.
const (
	MaxHeader     = 512
	MaxBody       = 64 << 10
	MaxBatch      = 256 << 10
	MaxBatchItems = 256
	maxRecipients = 50
	headerVersion = 1
)

// EntryID names an entry for ever: HMAC-SM3 under the origin's id secret.
type EntryID = sm.Digest

// Ref points at an earlier entry by place and by name, so that Apply looks it
// up by position and needs no index of random ids.
type Ref struct {
	Index uint64  `cbor:"1,keyasint"`
	ID    EntryID `cbor:"2,keyasint"`
}

// Header is the public part of an entry: docs/formats/header.md. The ledger's
// leaf is its exact bytes.
type Header struct {
	Class      Class
	Kind       string
	ID         EntryID
	Origin     peers.Region
	Recipients []peers.Region // ascending, without Origin; empty in governance and in home records
	IssuedAt   int64          // Unix seconds, the origin's claim
	Ref        *Ref           // follow-ups only
	Commitment *sm.Digest     // nil in governance
	BodyDigest sm.Digest
}

// Marshal gives the one spelling of h. It fails on a header that Apply would
// call malformed, so that an origin learns of it before it signs.
func (h *Header) Marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(headerVersion)
	b.AddUint8(uint8(h.Class))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(h.Kind)) })
	b.AddBytes(h.ID[:])
	b.AddBytes([]byte(h.Origin))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, r := range h.Recipients {
			b.AddBytes([]byte(r))
		}
	})
	b.AddUint64(uint64(h.IssuedAt))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		if h.Ref != nil {
			b.AddUint64(h.Ref.Index)
			b.AddBytes(h.Ref.ID[:])
		}
	})
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
		if h.Commitment != nil {
			b.AddBytes(h.Commitment[:])
		}
	})
	b.AddBytes(h.BodyDigest[:])
	raw, err := b.Bytes()
	if err != nil {
		return nil, Malformed("header: %v", err)
	}
	if _, err := ParseHeader(raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// ParseHeader reads exactly one header. Its error is a *Rejection with code
// MALFORMED.
func ParseHeader(raw []byte) (Header, error) {
	var h Header
	if len(raw) > MaxHeader {
		return h, Malformed("header of %d bytes", len(raw))
	}
	s := cryptobyte.String(raw)
	var version, class uint8
	var kind, recipients, ref, commitment cryptobyte.String
	var origin []byte
	var issued uint64
	if !s.ReadUint8(&version) || version != headerVersion {
		return h, Malformed("header version")
	}
	if !s.ReadUint8(&class) ||
		!s.ReadUint8LengthPrefixed(&kind) ||
		!s.CopyBytes(h.ID[:]) ||
		!s.ReadBytes(&origin, peers.RegionSize) ||
		!s.ReadUint8LengthPrefixed(&recipients) ||
		!s.ReadUint64(&issued) ||
		!s.ReadUint8LengthPrefixed(&ref) ||
		!s.ReadUint8LengthPrefixed(&commitment) ||
		!s.CopyBytes(h.BodyDigest[:]) ||
		!s.Empty() {
		return h, Malformed("header length")
	}
	h.Class, h.Kind, h.IssuedAt = Class(class), string(kind), int64(issued)
	if h.IssuedAt < 0 || !validKind(h.Kind) {
		return h, Malformed("header kind or time")
	}
	var err error
	if h.Origin, err = peers.ParseRegion(string(origin)); err != nil {
		return h, Malformed("header origin")
	}
	if h.Recipients, err = parseRecipients(recipients, h.Origin); err != nil {
		return h, err
	}
	if len(ref) > 0 {
		h.Ref = new(Ref)
		if !ref.ReadUint64(&h.Ref.Index) || !ref.CopyBytes(h.Ref.ID[:]) || !ref.Empty() {
			return h, Malformed("header ref")
		}
	}
	if len(commitment) > 0 {
		h.Commitment = new(sm.Digest)
		if !commitment.CopyBytes(h.Commitment[:]) || !commitment.Empty() {
			return h, Malformed("header commitment")
		}
	}
	return h, h.checkShape()
}

// checkShape holds the table of header.md: which class carries what.
func (h *Header) checkShape() error {
	sealed := h.Class == ClassRecord || h.Class == ClassFollowUp || h.Class == ClassStatement
	switch {
	case !sealed && h.Class != ClassGovernance:
		return Malformed("header class %d", h.Class)
	case sealed != (h.Commitment != nil), !sealed && len(h.Recipients) > 0:
		return Malformed("header: commitment and recipients do not fit class %d", h.Class)
	case (h.Class == ClassFollowUp) != (h.Ref != nil):
		return Malformed("header: ref does not fit class %d", h.Class)
	}
	return nil
}

func parseRecipients(s cryptobyte.String, origin peers.Region) ([]peers.Region, error) {
	if len(s)%peers.RegionSize != 0 || len(s)/peers.RegionSize > maxRecipients {
		return nil, Malformed("header recipients")
	}
	var out []peers.Region
	for !s.Empty() {
		var code []byte
		s.ReadBytes(&code, peers.RegionSize)
		r, err := peers.ParseRegion(string(code))
		if err != nil || r == origin || (len(out) > 0 && out[len(out)-1] >= r) {
			return nil, Malformed("header recipients")
		}
		out = append(out, r)
	}
	return out, nil
}

func validKind(kind string) bool {
	if len(kind) == 0 || len(kind) > 64 {
		return false
	}
	for i := range len(kind) {
		c := kind[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ConcernsRegion reports whether r can open the entry's body.
func (h *Header) ConcernsRegion(r peers.Region) bool {
	if h.Class == ClassGovernance || h.Origin == r {
		return true
	}
	for _, to := range h.Recipients {
		if to == r {
			return true
		}
	}
	return false
}
