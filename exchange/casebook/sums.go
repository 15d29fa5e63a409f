package casebook

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc64"

	bolt "go.etcd.io/bbolt"
)

// A sum is what a bucket must read like: how many pairs it has, and their
// checksums added up, so that a pair is put in and taken out in any order.
// bbolt has no checksums of its own. It guards against rot, not malice.
type sum struct {
	pairs  uint64
	digest uint64 // Σ CRC-64 of each pair, modulo 2⁶⁴
}

var ecma = crc64.MakeTable(crc64.ECMA)

// pairSum is the checksum of u32 length of key ‖ key ‖ value.
func pairSum(key, value []byte) uint64 {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(key)))
	crc := crc64.Update(0, ecma, length[:])
	return crc64.Update(crc64.Update(crc, ecma, key), ecma, value)
}

func (s *sum) add(key, value []byte) {
	s.pairs++
	s.digest += pairSum(key, value)
}

func (s *sum) remove(key, value []byte) {
	s.pairs--
	s.digest -= pairSum(key, value)
}

func (s *sum) plus(other sum) sum { return sum{s.pairs + other.pairs, s.digest + other.digest} }

func (s *sum) marshal() []byte {
	return binary.BigEndian.AppendUint64(u64(s.pairs), s.digest)
}

var errSum = errors.New("casebook: malformed row of sums")

// parseSum reads what marshal wrote; nil is the sum of an empty bucket.
func parseSum(raw []byte) (sum, error) {
	switch len(raw) {
	case 0:
		return sum{}, nil
	case 16:
		return sum{binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:])}, nil
	}
	return sum{}, errSum
}

// stored returns the value at key. Bucket.Get can't be asked: to it a key with
// an empty value that this transaction has put is a miss.
func stored(b *bolt.Bucket, key []byte) (value []byte, ok bool) {
	found, value := b.Cursor().Seek(key)
	return value, bytes.Equal(found, key)
}

// changed returns what the transaction has done to a bucket so far.
func (f *file) changed(b *bolt.Bucket) *sum {
	s, ok := f.sums[b]
	if !ok {
		s = &sum{}
		f.sums[b] = s
	}
	return s
}

// addUp writes the sums of the buckets that the transaction has changed.
func (f *file) addUp() error {
	for name, place := range f.b.all() {
		delta, ok := f.sums[*place]
		if !ok {
			continue
		}
		before, err := parseSum(f.b.sums.Get([]byte(name)))
		if err != nil {
			return err
		}
		after := before.plus(*delta)
		if after == (sum{}) {
			// A bucket that is empty again reads like one that ever was.
			err = f.b.sums.Delete([]byte(name))
		} else {
			err = f.b.sums.Put([]byte(name), after.marshal())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
