package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

const stateVersion = 1

// position is how far a state goes, in every measure that is kept.
type position struct {
	index, term uint64 // Raft's, applied
	size        uint64 // leaves
	root        sm.Digest
	batches     uint64
	stream      uint64 // Σ (4 + length) of all batches, bodies included
	segment     uint32
	end         int64 // of that segment
	received    bool  // the state came as a snapshot
}

func (p *position) marshal(id sm.Digest) []byte {
	var b cryptobyte.Builder
	b.AddUint8(stateVersion)
	b.AddBytes(id[:])
	b.AddUint64(p.index)
	b.AddUint64(p.term)
	b.AddUint64(p.size)
	b.AddBytes(p.root[:])
	b.AddUint64(p.batches)
	b.AddUint64(p.stream)
	b.AddUint32(p.segment)
	b.AddUint64(uint64(p.end))
	b.AddUint8(flag(p.received))
	return b.BytesOrPanic() // fixed fields only
}

func flag(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}

var errState = errors.New("store: malformed state row")

func parsePosition(raw []byte, id sm.Digest) (position, error) {
	var p position
	var version, received uint8
	var stored sm.Digest
	var end uint64
	s := cryptobyte.String(raw)
	if !s.ReadUint8(&version) || version != stateVersion {
		return p, fmt.Errorf("store: state version %d is not known to this binary", version)
	}
	if !s.CopyBytes(stored[:]) || !s.ReadUint64(&p.index) || !s.ReadUint64(&p.term) ||
		!s.ReadUint64(&p.size) || !s.CopyBytes(p.root[:]) || !s.ReadUint64(&p.batches) ||
		!s.ReadUint64(&p.stream) || !s.ReadUint32(&p.segment) || !s.ReadUint64(&end) ||
		!s.ReadUint8(&received) || !s.Empty() {
		return p, errState
	}
	if stored != id {
		return p, fmt.Errorf("store: the directory holds ledger %s, not %s", stored, id)
	}
	p.end, p.received = int64(end), received == 1
	return p, nil
}

// row is the index entry of one batch.
type row struct {
	first     uint64 // the key
	origin    peers.Region
	seq       uint64
	n         int
	preamble  sm.Digest // SM3 of it
	signature uint32    // CRC-32C of it
	segment   uint32
	offset    int64
	length    int
	stream    uint64
	erased    bitmap
}

// bitmap has one bit for each item of a batch; nil has none set.
type bitmap []byte

func (m bitmap) has(i int) bool { return i/8 < len(m) && m[i/8]&(1<<(i%8)) != 0 }

func (m bitmap) with(i, n int) bitmap {
	out := make(bitmap, (n+7)/8)
	copy(out, m)
	out[i/8] |= 1 << (i % 8)
	return out
}

func (r *row) marshal() []byte {
	b := cryptobyte.NewBuilder(make([]byte, 0, 76+len(r.erased)+4))
	b.AddBytes([]byte(r.origin))
	b.AddUint64(r.seq)
	b.AddUint16(uint16(r.n))
	b.AddBytes(r.preamble[:])
	b.AddUint32(r.signature)
	b.AddUint32(r.segment)
	b.AddUint64(uint64(r.offset))
	b.AddUint32(uint32(r.length))
	b.AddUint64(r.stream)
	b.AddBytes(r.erased)
	return b.BytesOrPanic() // fixed fields only
}

var errRow = errors.New("malformed batch row")

// parseRow copies what it keeps: raw lives in a transaction.
func parseRow(key, sealed []byte) (row, error) {
	var r row
	raw, err := unseal(key, sealed)
	if err != nil {
		return r, err
	}
	var origin []byte
	var n uint16
	var offset uint64
	var length uint32
	s := cryptobyte.String(raw)
	if len(key) != 8 || !s.ReadBytes(&origin, peers.RegionSize) || !s.ReadUint64(&r.seq) || !s.ReadUint16(&n) ||
		!s.CopyBytes(r.preamble[:]) || !s.ReadUint32(&r.signature) || !s.ReadUint32(&r.segment) ||
		!s.ReadUint64(&offset) || !s.ReadUint32(&length) || !s.ReadUint64(&r.stream) {
		return r, errRow
	}
	r.first = binary.BigEndian.Uint64(key)
	r.origin, r.n, r.offset, r.length = peers.Region(origin), int(n), int64(offset), int(length)
	if len(s) != 0 && len(s) != (r.n+7)/8 || r.n == 0 || r.n > exchange.MaxBatchItems || r.length > exchange.MaxBatch {
		return r, errRow
	}
	if len(s) > 0 {
		r.erased = append(bitmap(nil), s...)
	}
	return r, nil
}

func sequenceKey(origin peers.Region, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(origin), seq)
}

// last is the newest accepted batch of an origin, and the size at which its
// newest anchor is bound.
type last struct {
	seq      uint64
	preamble sm.Digest
	anchored uint64
}

func (l last) marshal() []byte {
	raw := append(binary.BigEndian.AppendUint64(nil, l.seq), l.preamble[:]...)
	return binary.BigEndian.AppendUint64(raw, l.anchored)
}

func parseLast(raw []byte) (last, error) {
	if len(raw) != 8+sm.DigestSize+8 {
		return last{}, errors.New("malformed origin row")
	}
	return last{binary.BigEndian.Uint64(raw), sm.Digest(raw[8:]), binary.BigEndian.Uint64(raw[8+sm.DigestSize:])}, nil
}
