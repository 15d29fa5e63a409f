package envelope

import (
	"errors"
	"math/bits"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Limits of the wraps of one batch.
const (
	MaxItems      = 256
	MaxRegions    = 32
	MaxRegionName = 32
	MaxWraps      = 128 << 10 // bytes
)

const (
	wrapsVersion = 1
	live         = 1
	erased       = 2
	itemHead     = 1 + 4                                  // state, recipient mask
	entrySize    = sm.ContentKeySize + sm.ContentOverhead // one W(i, r)
	maxSecretCT  = 160                                    // SM2 ciphertext of 32 bytes, DER
)

// ErrWraps is returned for bytes that are not wraps.
var ErrWraps = errors.New("envelope: malformed wraps")

// Wraps are the wrapped content keys of one batch. The zero value holds no
// items.
type Wraps struct {
	raw     []byte // as received
	head    int    // length of version, count and secrets
	regions []string
	secrets [][]byte // S of each region under its SM2 key
	items   []wrapped
}

// wrapped is the place of one item in raw.
type wrapped struct {
	offset int    // of the state byte
	mask   uint32 // bit j: regions[j] is a recipient
	erased bool
}

func (i wrapped) size() int { return itemHead + bits.OnesCount32(i.mask)*entrySize }

// ParseWraps reads the wraps of a batch. It keeps b, which must not change.
func ParseWraps(b []byte) (Wraps, error) {
	if len(b) > MaxWraps {
		return Wraps{}, ErrWraps
	}
	w := Wraps{raw: b}
	s := cryptobyte.String(b)
	var version, regions uint8
	var count uint16
	if !s.ReadUint8(&version) || version != wrapsVersion ||
		!s.ReadUint16(&count) || count == 0 || count > MaxItems ||
		!s.ReadUint8(&regions) || regions > MaxRegions || !w.readSecrets(&s, int(regions)) {
		return Wraps{}, ErrWraps
	}
	w.head = len(b) - len(s)
	if !w.readItems(&s, int(count)) || !s.Empty() {
		return Wraps{}, ErrWraps
	}
	return w, nil
}

// readSecrets reads the recipient regions in ascending order, each once.
func (w *Wraps) readSecrets(s *cryptobyte.String, n int) bool {
	w.regions, w.secrets = make([]string, 0, n), make([][]byte, 0, n)
	for range n {
		var name, secret cryptobyte.String
		if !s.ReadUint8LengthPrefixed(&name) || !validRegion(string(name)) ||
			!s.ReadUint8LengthPrefixed(&secret) || len(secret) == 0 || len(secret) > maxSecretCT {
			return false
		}
		if k := len(w.regions); k > 0 && w.regions[k-1] >= string(name) {
			return false
		}
		w.regions = append(w.regions, string(name))
		w.secrets = append(w.secrets, secret)
	}
	return true
}

// readItems reads the items and demands that every region is somebody's
// recipient, for a secret that opens nothing has no business here.
func (w *Wraps) readItems(s *cryptobyte.String, n int) bool {
	w.items = make([]wrapped, 0, n)
	all := uint32(1<<len(w.regions) - 1)
	var used uint32
	for range n {
		it := wrapped{offset: len(w.raw) - len(*s)}
		var state uint8
		if !s.ReadUint8(&state) || !s.ReadUint32(&it.mask) || it.mask&^all != 0 {
			return false
		}
		var entries []byte
		if !s.ReadBytes(&entries, it.size()-itemHead) {
			return false
		}
		switch state {
		case live:
		case erased:
			it.erased = true
			if it.mask == 0 || !zero(entries[sm.DigestSize:]) {
				return false
			}
		default:
			return false
		}
		used |= it.mask
		w.items = append(w.items, it)
	}
	return used == all
}

func zero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

func validRegion(name string) bool { return 0 < len(name) && len(name) <= MaxRegionName }

// Len returns the number of items.
func (w Wraps) Len() int { return len(w.items) }

// Erased reports whether the keys of an item were erased. Whoever accepts a new
// batch must ask for every item: erasing leaves the digest as it is, so the
// batch's signature does not stop a leader from erasing keys on the way.
func (w Wraps) Erased(index int) bool {
	return 0 <= index && index < len(w.items) && w.items[index].erased
}

// Covers reports whether an item is wrapped for exactly these recipients, each
// named once, in any order. No recipients at all is right for an item whose
// body is clear.
func (w Wraps) Covers(index int, recipients []string) bool {
	if index < 0 || index >= len(w.items) {
		return false
	}
	var mask uint32
	for _, r := range recipients {
		j, ok := slices.BinarySearch(w.regions, r)
		if !ok || mask&(1<<j) != 0 {
			return false
		}
		mask |= 1 << j
	}
	return mask == w.items[index].mask
}

// Digest returns what a batch preamble signs. It is taken over the secrets and
// each item's own digest, so that it stays the same when an item is erased.
func (w Wraps) Digest() sm.Digest {
	h := sm.NewHash()
	h.Write(sm.LabelWraps.Append(nil))
	h.Write(w.raw[:w.head])
	digests := make([]sm.Digest, len(w.items))
	sm.SumEach(digests, func(b []byte, i int) []byte { return append(b, w.keysOf(i)...) })
	for i, it := range w.items {
		if it.erased {
			digests[i] = w.itemDigest(i)
		}
		h.Write(digests[i][:])
	}
	return sm.Digest(h.Sum(nil))
}

// keysOf returns mask ‖ W(i, ·).
func (w Wraps) keysOf(index int) []byte {
	it := w.items[index]
	return w.raw[it.offset+1 : it.offset+it.size()]
}

// itemDigest returns SM3(mask ‖ W(i, ·)), which an erased item keeps in place
// of what was erased.
func (w Wraps) itemDigest(index int) sm.Digest {
	b := w.keysOf(index)
	if w.items[index].erased {
		return sm.Digest(b[4 : 4+sm.DigestSize])
	}
	return sm.Sum(b)
}

// Erase returns the wraps without the keys of an item: of the same length and
// digest, different only in that item's bytes, so that a copy on disk can be
// overwritten where it lies. Erasing twice changes nothing.
func (w Wraps) Erase(index int) ([]byte, error) {
	if index < 0 || index >= len(w.items) || w.items[index].mask == 0 {
		return nil, ErrNoKey
	}
	out := slices.Clone(w.raw)
	it := w.items[index]
	d := w.itemDigest(index)
	b := out[it.offset : it.offset+it.size()]
	clear(b[itemHead:])
	b[0] = erased
	copy(b[itemHead:], d[:])
	return out, nil
}
