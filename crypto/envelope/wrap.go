package envelope

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// ErrNoKey is returned when the wraps hold no key for this region and item, or
// hold it no longer.
var ErrNoKey = errors.New("envelope: no key for this region and item")

const secretSize = 32

// Item is one sealed record of a batch and the regions that may open it, in
// any order, each once. A clear body has no recipients and no key.
type Item struct {
	EntryID    sm.Digest
	Key        sm.ContentKey
	Recipients []string
}

// Wrap wraps the content keys of a batch. Each region that receives anything
// gets one fresh secret under its SM2 key; the content keys are wrapped under
// SM4 keys derived from it. Secrets that are not ready are drawn in ascending
// order of regions, so the same randomness gives the same bytes. A batch that is
// cut anew is wrapped anew.
func Wrap(secrets *Secrets, ledger sm.Digest, origin string, seq uint64, items []Item, keys map[string]*sm.DecryptionPublic) ([]byte, error) {
	if len(items) == 0 || len(items) > MaxItems {
		return nil, fmt.Errorf("envelope: a batch has 1 to %d items", MaxItems)
	}
	if !validRegion(origin) {
		return nil, errors.New("envelope: bad name of the origin")
	}
	regions, size, err := recipients(items)
	if err != nil {
		return nil, err
	}

	b := cryptobyte.NewBuilder(make([]byte, 0, size))
	b.AddUint8(wrapsVersion)
	b.AddUint16(uint16(len(items)))
	b.AddUint8(uint8(len(regions)))
	secrets.begin(keys)
	wrappers := make([]wrapper, len(regions))
	for j, region := range regions {
		d, err := secrets.draw(region)
		if err == nil {
			err = wrappers[j].derive(d.secret, ledger, origin, seq, region)
			clear(d.secret)
		}
		if err != nil {
			return nil, err
		}
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(region)) })
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(d.ciphertext) })
	}
	var entry [entrySize]byte
	for i, item := range items {
		var mask uint32
		for j, region := range regions {
			if slices.Contains(item.Recipients, region) {
				mask |= 1 << j
			}
		}
		b.AddUint8(live)
		b.AddUint32(mask)
		for j := range regions {
			if mask&(1<<j) != 0 {
				b.AddBytes(wrappers[j].wrap(entry[:0], i, item.EntryID, item.Key))
			}
		}
	}
	out, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if len(out) > MaxWraps {
		return nil, fmt.Errorf("envelope: wraps of more than %d bytes", MaxWraps)
	}
	return out, nil
}

// recipients returns all regions of the items, ascending, and the expected
// size of their wraps.
func recipients(items []Item) (regions []string, size int, err error) {
	size = 4
	for _, item := range items {
		for k, r := range item.Recipients {
			if !validRegion(r) || slices.Contains(item.Recipients[:k], r) {
				return nil, 0, errors.New("envelope: bad or repeated recipient")
			}
			if !slices.Contains(regions, r) {
				regions = append(regions, r)
			}
		}
		size += itemHead + len(item.Recipients)*entrySize
	}
	if len(regions) > MaxRegions {
		return nil, 0, fmt.Errorf("envelope: more than %d recipient regions", MaxRegions)
	}
	slices.Sort(regions)
	return regions, size + len(regions)*(2+MaxRegionName+maxSecretCT), nil
}

// wrapper wraps and unwraps the content keys of one batch for one region.
type wrapper struct {
	aead cipher.AEAD // SM4-GCM under K(r)
	aad  []byte      // label, ledger, room for the entry id, region
}

func (w *wrapper) derive(secret []byte, ledger sm.Digest, origin string, seq uint64, region string) error {
	context := make([]byte, 0, 1+len(origin)+8+len(region))
	context = append(context, byte(len(origin)))
	context = append(context, origin...)
	context = binary.BigEndian.AppendUint64(context, seq)
	context = append(context, region...)

	tail := make([]byte, sm.DigestSize, sm.DigestSize+len(region))
	w.aad = sm.Message(sm.LabelWrap, ledger, append(tail, region...))
	var err error
	w.aead, err = sm.DeriveContentKey(secret, sm.Message(sm.LabelWrap, ledger, context)).AEAD()
	return err
}

// bind puts the entry id in its place in the additional data.
func (w *wrapper) bind(entryID sm.Digest) []byte {
	copy(w.aad[1+len(sm.LabelWrap)+sm.DigestSize:], entryID[:])
	return w.aad
}

// wrap appends W(index, r) to dst.
func (w *wrapper) wrap(dst []byte, index int, entryID sm.Digest, key sm.ContentKey) []byte {
	nonce := wrapNonce(index)
	return w.aead.Seal(dst, nonce[:], key[:], w.bind(entryID))
}

// wrapNonce is the item's index, big-endian: an index occurs once under K(r).
func wrapNonce(index int) (nonce [12]byte) {
	binary.BigEndian.PutUint32(nonce[8:], uint32(index))
	return nonce
}

// Unlocked are the wraps of a batch as one recipient can read them. It is not
// safe for concurrent use.
type Unlocked struct {
	wraps   Wraps
	region  int
	wrapper wrapper
}

// Unlock does the one SM2 decryption that opens a batch for a region.
func (w Wraps) Unlock(key *sm.DecryptionKey, ledger sm.Digest, origin string, seq uint64, region string) (*Unlocked, error) {
	j, ok := slices.BinarySearch(w.regions, region)
	if !ok || !validRegion(origin) {
		return nil, ErrNoKey
	}
	secret, err := key.Decrypt(w.secrets[j])
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	defer clear(secret)
	if len(secret) != secretSize {
		return nil, fmt.Errorf("envelope: %w", sm.ErrDecrypt)
	}
	u := &Unlocked{wraps: w, region: j}
	if err := u.wrapper.derive(secret, ledger, origin, seq, region); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return u, nil
}

// Key unwraps the content key of an item.
func (u *Unlocked) Key(index int, entryID sm.Digest) (sm.ContentKey, error) {
	w := u.wraps
	if index < 0 || index >= len(w.items) {
		return sm.ContentKey{}, ErrNoKey
	}
	it := w.items[index]
	if it.erased || it.mask&(1<<u.region) == 0 {
		return sm.ContentKey{}, ErrNoKey
	}
	before := bits.OnesCount32(it.mask & (1<<u.region - 1))
	offset := it.offset + itemHead + before*entrySize
	nonce := wrapNonce(index)
	var key sm.ContentKey
	if _, err := u.wrapper.aead.Open(key[:0], nonce[:], w.raw[offset:offset+entrySize], u.wrapper.bind(entryID)); err != nil {
		return sm.ContentKey{}, fmt.Errorf("envelope: %w", sm.ErrDecrypt)
	}
	return key, nil
}
