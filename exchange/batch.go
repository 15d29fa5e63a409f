package exchange

import (
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

const (
	preambleVersion = 1
	preambleSize    = 1 + 32 + peers.RegionSize + 16 + 8 + 32 + 2 + 32 + 32
	maxSignature    = 80 // DER of two 256-bit integers takes at most 72
)

// Preamble is what a region signs of a batch: docs/formats/batch.md.
type Preamble struct {
	Ledger      sm.Digest
	Origin      peers.Region
	Key         sm.KeyID
	Seq         uint64 // from 1
	Previous    sm.Digest
	N           int
	Root        sm.Digest
	WrapsDigest sm.Digest
}

// Marshal gives the preamble's one spelling.
func (p *Preamble) Marshal() []byte {
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, preambleSize))
	b.AddUint8(preambleVersion)
	b.AddBytes(p.Ledger[:])
	b.AddBytes([]byte(p.Origin))
	b.AddBytes(p.Key[:])
	b.AddUint64(p.Seq)
	b.AddBytes(p.Previous[:])
	b.AddUint16(uint16(p.N))
	b.AddBytes(p.Root[:])
	b.AddBytes(p.WrapsDigest[:])
	return b.BytesOrPanic() // fixed fields only; Origin was parsed
}

// ParsePreamble reads exactly one preamble.
func ParsePreamble(raw []byte) (Preamble, error) {
	var p Preamble
	var version uint8
	var n uint16
	var origin []byte
	s := cryptobyte.String(raw)
	if !s.ReadUint8(&version) || version != preambleVersion {
		return p, Malformed("preamble version")
	}
	if !s.CopyBytes(p.Ledger[:]) || !s.ReadBytes(&origin, peers.RegionSize) || !s.CopyBytes(p.Key[:]) ||
		!s.ReadUint64(&p.Seq) || !s.CopyBytes(p.Previous[:]) || !s.ReadUint16(&n) ||
		!s.CopyBytes(p.Root[:]) || !s.CopyBytes(p.WrapsDigest[:]) || !s.Empty() {
		return p, Malformed("preamble length")
	}
	var err error
	if p.Origin, err = peers.ParseRegion(string(origin)); err != nil {
		return p, Malformed("preamble origin")
	}
	p.N = int(n)
	if p.Seq == 0 || p.N == 0 || p.N > MaxBatchItems {
		return p, Malformed("preamble seq or n")
	}
	return p, nil
}

// Item is one entry as it travels: exact header bytes and body bytes.
type Item struct {
	Header []byte
	Body   []byte // nil only in a snapshot: erased
}

// Batch is a signed run of entries of one origin. RawPreamble and the items
// are the bytes as received; Preamble is their reading.
type Batch struct {
	RawPreamble []byte
	Preamble    Preamble
	Signature   []byte
	Wraps       []byte
	Items       []Item
}

// Marshal gives the bytes that Raft carries.
func (b *Batch) Marshal() ([]byte, error) {
	size := preambleSize + len(b.Signature) + len(b.Wraps) + 16
	for _, it := range b.Items {
		size += len(it.Header) + len(it.Body) + 5
	}
	out := cryptobyte.NewBuilder(make([]byte, 0, size))
	out.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(b.RawPreamble) })
	out.AddUint8LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(b.Signature) })
	out.AddUint24LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(b.Wraps) })
	for _, it := range b.Items {
		out.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(it.Header) })
		out.AddUint24LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(it.Body) })
	}
	raw, err := out.Bytes()
	if err != nil {
		return nil, Malformed("batch: %v", err)
	}
	if len(raw) > MaxBatch {
		return nil, Malformed("batch of %d bytes", len(raw))
	}
	return raw, nil
}

// ParseBatch reads exactly one batch as it travels through Raft. The result
// shares raw's memory. Its error is a *Rejection with code MALFORMED.
func ParseBatch(raw []byte) (Batch, error) { return parseBatch(raw, false) }

// ParseStoredBatch reads a batch of a snapshot, in which erased bodies are
// absent.
func ParseStoredBatch(raw []byte) (Batch, error) { return parseBatch(raw, true) }

func parseBatch(raw []byte, stored bool) (Batch, error) {
	var b Batch
	if len(raw) > MaxBatch {
		return b, Malformed("batch of %d bytes", len(raw))
	}
	s := cryptobyte.String(raw)
	var preamble, signature, wraps cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&preamble) || !s.ReadUint8LengthPrefixed(&signature) ||
		!s.ReadUint24LengthPrefixed(&wraps) {
		return b, Malformed("batch length")
	}
	if len(signature) == 0 || len(signature) > maxSignature {
		return b, Malformed("batch signature length")
	}
	var err error
	if b.Preamble, err = ParsePreamble(preamble); err != nil {
		return b, err
	}
	b.RawPreamble, b.Signature, b.Wraps = preamble, signature, wraps
	b.Items = make([]Item, b.Preamble.N)
	for i := range b.Items {
		var header, body cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&header) || !s.ReadUint24LengthPrefixed(&body) {
			return b, Malformed("batch item %d", i)
		}
		if len(header) == 0 || len(header) > MaxHeader || len(body) > MaxBody || (len(body) == 0 && !stored) {
			return b, Malformed("batch item %d size", i)
		}
		b.Items[i] = Item{Header: header, Body: body}
		if len(body) == 0 {
			b.Items[i].Body = nil
		}
	}
	if !s.Empty() {
		return b, Malformed("batch trailer")
	}
	return b, nil
}
