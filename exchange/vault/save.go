package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Hold keeps erasing waiting until release is called, and nothing else: what is
// saved meanwhile has no slot erased whose erasure the journal does not know yet.
func (v *Vault) Hold() (release func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.holds++
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.holds--; v.holds == 0 {
			v.released.Broadcast()
		}
	}
}

// Save writes the vault as it is, beside its use, for a backup: the slots that
// are durable at the time of the call. Whoever has it reads all private copies.
func (v *Vault) Save(w io.Writer) error {
	v.mu.RLock()
	slots := v.slots
	v.mu.RUnlock()
	if _, err := w.Write(header(slots)); err != nil {
		return fmt.Errorf("vault: save: %w", err)
	}
	raw := make([]byte, block*slotSize)
	defer clear(raw)
	for first := uint64(1); first <= slots; first += block {
		n := min(slots-first+1, block)
		v.mu.RLock()
		_, err := v.file.ReadAt(raw[:n*slotSize], int64(first)*slotSize)
		v.mu.RUnlock()
		if err == nil {
			_, err = w.Write(raw[:n*slotSize])
		}
		if err != nil {
			return fmt.Errorf("vault: save: %w", err)
		}
	}
	return nil
}

// Restore makes the vault at path, which must not exist, of what Save wrote,
// without the slots from next on: the node that was lost may have used them
// since, so that their keys must never seal another text. They are drawn anew.
func Restore(path string, saved io.Reader, next uint64) (err error) {
	raw := make([]byte, slotSize)
	if _, err := io.ReadFull(saved, raw); err != nil {
		return fmt.Errorf("vault: restore: %w", err)
	}
	slots, err := parseHeader(raw)
	if err != nil {
		return fmt.Errorf("vault: restore: %w", err)
	}
	if next == 0 || slots+1 < next {
		return fmt.Errorf("vault: restore: %d slots, the journal names those below %d", slots, next)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("vault: restore: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	kept := io.LimitReader(saved, int64(next-1)*slotSize)
	n, err := io.Copy(f, io.MultiReader(bytes.NewReader(header(next-1)), kept))
	if err == nil && n != int64(next)*slotSize {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		_, err = io.Copy(io.Discard, saved)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("vault: restore: %w", err)
	}
	return nil
}
