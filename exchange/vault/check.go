package vault

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Check reads the vault of a stopped node and counts its slots and those that
// are erased.
func Check(path string) (slots, erased uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, fmt.Errorf("vault: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if slots, err = load(f); err != nil {
		return 0, 0, err
	}
	keys := make([]byte, block*keySize)
	r := io.NewSectionReader(f, headerSize, int64(slots)*keySize)
	for left := slots; left > 0; {
		n := min(left, block)
		if _, err := io.ReadFull(r, keys[:n*keySize]); err != nil {
			return slots, erased, fmt.Errorf("vault: read: %w", err)
		}
		for k := keys[:n*keySize]; len(k) > 0; k = k[keySize:] {
			if sm.ContentKey(k) == (sm.ContentKey{}) {
				erased++
			}
		}
		left -= n
	}
	clear(keys)
	return slots, erased, nil
}
