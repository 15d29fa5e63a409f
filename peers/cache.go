package peers

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const cacheVersion = 1

// MarshalBinary encodes the fold's outcome so that a store need not replay it.
// The genesis is not part of it. The form is private to a node.
func (d *Directory) MarshalBinary() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(cacheVersion)
	b.AddBytes(d.ledger[:])
	b.AddUint64(d.next)
	b.AddUint32(uint32(d.agencies.Len()))
	for it := d.agencies.Iterator(); !it.Done(); {
		_, k, _ := it.Next()
		b.AddBytes([]byte(k.Region))
		b.AddBytes([]byte(k.USCC))
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(k.Name)) })
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(k.Label)) })
		b.AddBytes(k.Public.Bytes())
		b.AddUint64(k.From)
		b.AddUint64(k.Until)
	}
	encoded, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("directory: encode: %w", err)
	}
	sum := sm.Sum(encoded)
	return append(encoded, sum[:]...), nil
}

// UnmarshalDirectory reads what MarshalBinary wrote on the same ledger. The
// trailing digest finds rot, not malice: a node trusts its own disk that far.
func UnmarshalDirectory(g *Genesis, b []byte) (*Directory, error) {
	d, err := NewDirectory(g)
	if err != nil {
		return nil, err
	}
	if len(b) < len(sm.Digest{}) {
		return nil, errCache
	}
	encoded, sum := b[:len(b)-len(sm.Digest{})], b[len(b)-len(sm.Digest{}):]
	if want := sm.Sum(encoded); !bytes.Equal(want[:], sum) {
		return nil, errors.New("directory: the digest differs: the stored bytes are damaged")
	}
	s := cryptobyte.String(encoded)
	var (
		version uint8
		ledger  []byte
		count   uint32
	)
	if !s.ReadUint8(&version) || version != cacheVersion ||
		!s.ReadBytes(&ledger, len(sm.Digest{})) || !s.ReadUint64(&d.next) || !s.ReadUint32(&count) {
		return nil, errCache
	}
	if !bytes.Equal(ledger, d.ledger[:]) {
		return nil, errors.New("directory: stored for another ledger")
	}
	previous := ""
	for range count {
		k, err := d.readAgencyKey(&s)
		if err != nil {
			return nil, err
		}
		ref := agencyRef(k.Region, k.Public.ID())
		if ref <= previous {
			return nil, errCache
		}
		previous = ref
		d.counts[k.Region]++
		d.agencies = d.agencies.Set(ref, k)
	}
	if !s.Empty() {
		return nil, errCache
	}
	return d, nil
}

var errCache = errors.New("directory: malformed stored bytes")

func (d *Directory) readAgencyKey(s *cryptobyte.String) (AgencyKey, error) {
	var (
		k                   AgencyKey
		region, uscc, point []byte
		name, label         cryptobyte.String
	)
	if !s.ReadBytes(&region, RegionSize) || !s.ReadBytes(&uscc, usccSize) ||
		!s.ReadUint16LengthPrefixed(&name) || !s.ReadUint8LengthPrefixed(&label) ||
		!s.ReadBytes(&point, sm.PublicSize) || !s.ReadUint64(&k.From) || !s.ReadUint64(&k.Until) {
		return AgencyKey{}, errCache
	}
	k.Region, k.USCC, k.Name, k.Label = Region(region), string(uscc), string(name), string(label)
	body := agencyKeyBody{USCC: k.USCC, Name: k.Name, Label: k.Label}
	_, member := d.genesis.Member(k.Region)
	if !member || body.check() != nil || k.From >= d.next || k.Until >= d.next ||
		(k.Until != 0 && k.Until <= k.From) {
		return AgencyKey{}, errCache
	}
	public, err := sm.ParsePublic[sm.Agency](point)
	if err != nil {
		return AgencyKey{}, errCache
	}
	k.Public = public
	return k, nil
}
