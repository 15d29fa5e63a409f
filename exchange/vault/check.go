package vault

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Report is what Check has read.
type Report struct {
	Slots  uint64
	Erased uint64
}

// Check reads the vault of a stopped node and changes nothing. The error joins
// one fault for each damaged slot.
func Check(path string) (r Report, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("vault: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if r.Slots, err = load(f); err != nil {
		return r, err
	}
	return r, r.read(f, func(read func() error) error { return read() })
}

// Check reads every slot of an open vault, beside its use.
func (v *Vault) Check() (Report, error) {
	v.mu.RLock()
	r := Report{Slots: v.slots}
	v.mu.RUnlock()
	return r, r.read(v.file, func(read func() error) error {
		v.mu.RLock()
		defer v.mu.RUnlock()
		return read()
	})
}

// read goes through the slots. Each block is read inside quiet, where no slot is
// half overwritten.
func (r *Report) read(f io.ReaderAt, quiet func(read func() error) error) error {
	raw := make([]byte, block*slotSize)
	defer clear(raw)
	var faults []error
	for first := uint64(1); first <= r.Slots; first += block {
		n := min(r.Slots-first+1, block)
		err := quiet(func() error {
			_, err := f.ReadAt(raw[:n*slotSize], int64(first)*slotSize)
			return err
		})
		if err != nil {
			return errors.Join(append(faults, fmt.Errorf("vault: read: %w", err))...)
		}
		for i := range n {
			key, err := parseSlot(first+i, raw[i*slotSize:(i+1)*slotSize])
			switch {
			case err != nil:
				faults = append(faults, err)
			case key == erased:
				r.Erased++
			}
		}
	}
	return errors.Join(faults...)
}
