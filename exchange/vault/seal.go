package vault

import (
	"encoding/binary"
	"fmt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// Seal encrypts a private copy under the slot's key. The caller seals one
// plaintext only under one slot, purpose and counter: a second one would give
// both away.
func (v *Vault) Seal(slot uint64, purpose exchange.Purpose, counter uint64, plaintext []byte) ([]byte, error) {
	key, err := v.key(slot)
	if err != nil {
		return nil, err
	}
	return key.Seal(nonce(purpose, counter), plaintext, nil), nil
}

// Open decrypts what Seal made. Its error on an erased slot is
// exchange.ErrErased.
func (v *Vault) Open(slot uint64, purpose exchange.Purpose, counter uint64, sealed []byte) ([]byte, error) {
	key, err := v.key(slot)
	if err != nil {
		return nil, err
	}
	plaintext, err := key.Open(nonce(purpose, counter), sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: slot %d, purpose %d: the private copy or its key is damaged: %w", slot, purpose, err)
	}
	return plaintext, nil
}

// SealJointly encrypts under the keys of all these slots together. context is
// part of the key, so that one nonce does.
func (v *Vault) SealJointly(slots []uint64, context sm.Digest, plaintext []byte) ([]byte, error) {
	key, err := v.joint(slots, context)
	if err != nil {
		return nil, err
	}
	return key.Seal([12]byte{}, plaintext, nil), nil
}

// OpenJointly decrypts what SealJointly made.
func (v *Vault) OpenJointly(slots []uint64, context sm.Digest, sealed []byte) ([]byte, error) {
	key, err := v.joint(slots, context)
	if err != nil {
		return nil, err
	}
	plaintext, err := key.Open([12]byte{}, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: slots %d and others: the private copy or a key is damaged: %w", slots[0], err)
	}
	return plaintext, nil
}

func (v *Vault) joint(slots []uint64, context sm.Digest) (sm.ContentKey, error) {
	if len(slots) == 0 {
		return sm.ContentKey{}, notFound(0)
	}
	parts := make([]byte, 0, (len(slots)+2)*sm.DigestSize)
	parts = append(parts, context[:]...)
	for _, slot := range slots {
		key, err := v.key(slot)
		if err != nil {
			return key, err
		}
		parts = append(parts, key[:]...)
	}
	digest := sm.Sum([]byte(sm.LabelVaultJoint), parts)
	clear(parts)
	return sm.ContentKey(digest[:sm.ContentKeySize]), nil
}

// key reads the slot's key from the file each time, and makes of it the one that
// seals: a cached one would survive its erasure.
func (v *Vault) key(slot uint64) (sm.ContentKey, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if slot == 0 || slot > v.slots {
		return erased, notFound(slot)
	}
	var raw [slotSize]byte
	if _, err := v.file.ReadAt(raw[:], int64(slot)*slotSize); err != nil {
		return erased, fmt.Errorf("vault: read: %w", err)
	}
	key, err := parseSlot(slot, raw[:])
	switch {
	case err != nil:
		return erased, err
	case key == erased:
		return erased, fmt.Errorf("vault: slot %d: %w", slot, exchange.ErrErased)
	}
	return sealing(v.secret(), slot, key), nil
}

// sealing is the key under which a slot's copies are sealed.
func sealing(secret sm.Digest, slot uint64, key sm.ContentKey) sm.ContentKey {
	both := append(append(make([]byte, 0, keySize+sm.DigestSize), key[:]...), secret[:]...)
	defer clear(both)
	return sm.DeriveContentKey(both, binary.BigEndian.AppendUint64(sm.LabelVaultSlot.Append(nil), slot))
}

// nonce is the purpose and an 11-byte counter.
func nonce(purpose exchange.Purpose, counter uint64) (n [12]byte) {
	n[0] = byte(purpose)
	binary.BigEndian.PutUint64(n[4:], counter)
	return n
}
