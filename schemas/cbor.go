package schemas

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/schemas/detcbor"
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

var strictDecoding = detcbor.Decoding(detcbor.Limits{Levels: 8, Elements: 1024, Pairs: 256})

// Encode returns the canonical bytes of the record: what an author signs and
// a body seals.
func (p *Penalty) Encode() ([]byte, error) {
	raw, err := detcbor.Marshal(p)
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
	again, err := detcbor.Marshal(&p)
	if err != nil {
		return nil, ErrRecordEncoding
	}
	if !bytes.Equal(again, record) {
		return nil, ErrRecordCanonical
	}
	return &p, nil
}
