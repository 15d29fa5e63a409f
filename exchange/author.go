package exchange

import (
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// AuthorKind says who vouches for a record.
type AuthorKind string

const (
	AuthorRegion AuthorKind = "region" // the region, for a file of an agency
	AuthorAgency AuthorKind = "agency" // the agency's own key
)

// Author is the author block inside the sealed body: docs/formats/author.md.
// For a file the region vouches by its batch signature and names file and row
// (neither in statements, which are its own word);
// an agency that holds a key signs each record itself, or the file as a whole.
// Recipients verify either before they act on the record.
type Author struct {
	Kind   AuthorKind `cbor:"1,keyasint"`
	Agency string     `cbor:"2,keyasint"` // USCC

	File          *sm.Digest `cbor:"3,keyasint,omitempty"` // region: SM3 of the file as received
	Row           int        `cbor:"4,keyasint,omitempty"` // region: data row, from 1
	FileSignature []byte     `cbor:"5,keyasint,omitempty"` // region: the agency's own, if it sent one

	Key       *sm.KeyID `cbor:"6,keyasint,omitempty"` // the agency's, of whichever signature it made
	Signature []byte    `cbor:"7,keyasint,omitempty"` // agency: SM2 over Message(LabelAuthor, ledger, record)
}

const maxAuthor = 1 << 10

// Marshal gives the block's one spelling.
func (a *Author) Marshal() ([]byte, error) { return detcbor.Marshal(a) }

// ParseAuthor reads an author block strictly: known fields, one spelling.
func ParseAuthor(raw []byte) (Author, error) {
	var a Author
	if err := decodeCanonical(raw, maxAuthor, &a); err != nil {
		return a, err
	}
	file := a.File != nil && a.Row > 0 || a.File == nil && a.Row == 0 && a.FileSignature == nil
	region := a.Kind == AuthorRegion && file && (a.Key != nil) == (len(a.FileSignature) > 0) && a.Signature == nil
	agency := a.Kind == AuthorAgency && a.File == nil && a.Row == 0 && a.FileSignature == nil &&
		a.Key != nil && len(a.Signature) > 0
	if !region && !agency || a.Agency == "" {
		return a, Malformed("author block")
	}
	return a, nil
}

// Verify checks the signature by the agency's key that the block names: over the
// record, or, where the region vouches for the record, over the file alone.
func (a *Author) Verify(ledger sm.Digest, key *sm.AgencyPublic, record []byte) error {
	if a.Kind == AuthorAgency {
		return key.Verify(sm.LabelAuthor, ledger, record, a.Signature)
	}
	return key.Verify(sm.LabelFile, ledger, a.File[:], a.FileSignature)
}

// Acknowledgement is the body of a statement that tells an origin what became
// of its records here: docs/formats/acknowledgement.md.
type Acknowledgement struct {
	Acks []RecordAck `cbor:"1,keyasint"`
}

// RecordAck is one record's state at the recipient.
type RecordAck struct {
	Record EntryID  `cbor:"1,keyasint"`
	State  AckState `cbor:"2,keyasint"`
	At     int64    `cbor:"3,keyasint"`           // Unix seconds, the recipient's claim
	Code   string   `cbor:"4,keyasint,omitempty"` // refused: why
}

// MaxAcks bounds one statement's list.
const MaxAcks = 500

// Marshal gives the body's one spelling.
func (a *Acknowledgement) Marshal() ([]byte, error) { return detcbor.Marshal(a) }

// ParseAcknowledgement reads an acknowledgement body strictly.
func ParseAcknowledgement(raw []byte) (Acknowledgement, error) {
	var a Acknowledgement
	if err := decodeCanonical(raw, MaxBody, &a); err != nil {
		return a, err
	}
	if len(a.Acks) == 0 || len(a.Acks) > MaxAcks {
		return a, Malformed("acknowledgement of %d", len(a.Acks))
	}
	for _, ack := range a.Acks {
		if ack.State.Rank() < 0 || ack.At < 0 || !validReason(ack.State, ack.Code) {
			return a, Malformed("acknowledgement state")
		}
	}
	return a, nil
}

// validReason holds a reason to a code, so that no free text, and with it no
// personal data, travels in an acknowledgement; only what went wrong has one.
func validReason(state AckState, code string) bool {
	if len(code) > 64 || code != "" && state.Rank() != 0 {
		return false
	}
	for i := range len(code) {
		if c := code[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

var strict = detcbor.Decoding(detcbor.Limits{Levels: 8, Elements: 1024, Pairs: 64})

// decodeCanonical refuses a second spelling by encoding again.
func decodeCanonical(raw []byte, limit int, into any) error {
	if len(raw) > limit {
		return Malformed("%d bytes", len(raw))
	}
	if err := strict.Unmarshal(raw, into); err != nil {
		return Malformed("cbor")
	}
	again, err := detcbor.Marshal(into)
	if err != nil || string(again) != string(raw) {
		return Malformed("cbor spelling")
	}
	return nil
}
