package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// maxRecord bounds a shared record in bytes, so that it fits into a sealed
// body of 64 KiB together with salt and author block.
const maxRecord = 60 << 10

// The reasons for which a record is refused on opening. None of them tells
// anything of the record's content.
var (
	ErrRecordSize      = errors.New("schemas: record larger than 60 KiB")
	ErrRecordEncoding  = errors.New("schemas: record is not well-formed CBOR of this kind")
	ErrRecordCanonical = errors.New("schemas: record is not in its canonical encoding")
	ErrRecordSchema    = errors.New("schemas: record fails its schema")
)

// canonicalEncoding is RFC 8949 core deterministic encoding.
var canonicalEncoding = must(cbor.CoreDetEncOptions().EncMode())

// strictOptions refuse what core deterministic encoding never writes and
// bound what a hostile record can make the decoder allocate.
func strictOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		IntDec:            cbor.IntDecConvertSignedOrFail,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   8,
		MaxArrayElements:  1024,
		MaxMapPairs:       256,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		BignumTag:         cbor.BignumTagForbidden,
	}
}

var strictDecoding = must(strictOptions().DecMode())

// Encode returns the canonical bytes of the record: what an author signs and
// a body seals.
func (p *Penalty) Encode() ([]byte, error) {
	raw, err := canonicalEncoding.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("schemas: encode penalty: %w", err)
	}
	if len(raw) > maxRecord {
		return nil, ErrRecordSize
	}
	return raw, nil
}

// DecodePenalty reads canonical bytes. Any second spelling of the same
// content, and any key it does not know, is refused.
func DecodePenalty(record []byte) (*Penalty, error) {
	if len(record) > maxRecord {
		return nil, ErrRecordSize
	}
	var p Penalty
	if err := strictDecoding.Unmarshal(record, &p); err != nil {
		return nil, ErrRecordEncoding
	}
	again, err := canonicalEncoding.Marshal(&p)
	if err != nil {
		return nil, ErrRecordEncoding
	}
	if !bytes.Equal(again, record) {
		return nil, ErrRecordCanonical
	}
	return &p, nil
}
