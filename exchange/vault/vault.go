// Package vault keeps one SM4 key per slot in one file, and seals a region's
// private copies under them and a secret that the file does not hold:
// docs/formats/vault.md. Keys never leave it.
package vault

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

const (
	block    = 4096    // slots drawn at a time
	maxSlots = 1 << 36 // 2 TiB
)

// Config is what a vault is built from.
type Config struct {
	Path string // made if it does not exist; its directory must
	// Secret is the region's. It seals and opens together with the slots' keys,
	// which lie on the same disk as what is sealed under them; the rest needs none.
	Secret exchange.IDSecret
	Rand   io.Reader
	// Fatal is called once when a write or an fsync has failed. It should end
	// the process; until it does, Ensure and Erase fail.
	Fatal func(error)
}

// Vault implements exchange.Vault. A second process is refused.
type Vault struct {
	cfg    Config
	file   *os.File
	secret func() sm.Digest // of Config.Secret, for this purpose

	mu       sync.RWMutex
	slots    uint64 // keys of slots 1 … slots are durable
	failed   error
	holds    int        // see Hold
	released *sync.Cond // on mu: holds has become 0
}

var _ exchange.Vault = (*Vault)(nil)

// Open opens the vault, or makes an empty one.
func Open(cfg Config) (*Vault, error) {
	f, err := os.OpenFile(cfg.Path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		f, err = create(cfg.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	v := &Vault{cfg: cfg, file: f, secret: sync.OnceValue(func() sm.Digest { return cfg.Secret.Digest("vault") })}
	v.released = sync.NewCond(&v.mu)
	if v.slots, err = load(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return v, nil
}

// create makes an empty vault that is whole from the moment it has its name.
func create(path string) (*os.File, error) {
	if err := durable.Replace(path, header(0), 0o600); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR, 0)
}

// load takes the file for this process and reads how many keys are durable.
func load(f *os.File) (uint64, error) {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return 0, fmt.Errorf("vault: %s is in use by another process: %w", f.Name(), err)
	}
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("vault: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return 0, fmt.Errorf("vault: %s has mode %04o; others may not read or write it: chmod 600", f.Name(), mode)
	}
	head := make([]byte, headerSize)
	if n, err := f.ReadAt(head, 0); err != nil {
		return 0, fmt.Errorf("vault: %s is damaged at offset %d: header is incomplete", f.Name(), n)
	}
	slots, err := parseHeader(head)
	if err != nil {
		return 0, fmt.Errorf("vault: %s is damaged at offset 0: %w", f.Name(), err)
	}
	if end := int64(slots+1) * slotSize; info.Size() < end {
		return 0, fmt.Errorf("vault: %s is damaged at offset %d: it should have %d bytes", f.Name(), info.Size(), end)
	}
	return slots, nil
}

// Ensure makes the keys of all slots < next durable, and some more, so that it
// rarely has to.
func (v *Vault) Ensure(next uint64) error {
	v.mu.RLock()
	enough := next <= v.slots+1 && v.failed == nil
	v.mu.RUnlock()
	if enough {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failed != nil {
		return v.failed
	}
	if next > maxSlots {
		return fmt.Errorf("vault: slot %d is beyond the limit of %d", next, uint64(maxSlots))
	}
	for v.slots+1 < next {
		if err := v.grow(); err != nil {
			return err
		}
	}
	return nil
}

// grow adds a block of keys. They are durable before the header counts them,
// so a crash in between leaves bytes that are written again.
func (v *Vault) grow() error {
	keys := make([]byte, block*keySize)
	defer clear(keys)
	if _, err := io.ReadFull(v.cfg.Rand, keys); err != nil {
		return fmt.Errorf("vault: random source: %w", err)
	}
	slots := make([]byte, 0, block*slotSize)
	defer func() { clear(slots) }()
	for i := range uint64(block) {
		key := sm.ContentKey(keys[i*keySize:])
		if key == erased {
			return errors.New("vault: random source gave 16 zero bytes")
		}
		slots = appendSlot(slots, v.slots+1+i, key)
	}
	err := v.write(slots, int64(v.slots+1)*slotSize)
	if err == nil {
		err = v.write(header(v.slots+block), 0)
	}
	if err != nil {
		return err
	}
	v.slots += block
	return nil
}

// Erase overwrites the slots' keys and syncs once. Erasing again is no error.
func (v *Vault) Erase(slots ...uint64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.holds > 0 {
		v.released.Wait()
	}
	if v.failed != nil {
		return v.failed
	}
	at := make([]int64, len(slots))
	for i, slot := range slots {
		if slot == 0 || slot > v.slots {
			return notFound(slot)
		}
		at[i] = int64(slot) * slotSize
	}
	return v.write(make([]byte, slotSize), at...)
}

// write puts b at each offset and is durable when it returns nil; v.mu is held.
// After an error nothing more is written: the kernel may have dropped what it
// could not write.
func (v *Vault) write(b []byte, at ...int64) (err error) {
	for i := 0; i < len(at) && err == nil; i++ {
		_, err = v.file.WriteAt(b, at[i])
	}
	if err == nil {
		err = v.file.Sync()
	}
	if err != nil {
		v.failed = fmt.Errorf("vault: write: %w", err)
		v.cfg.Fatal(v.failed)
	}
	return v.failed
}

// Close lets the file go.
func (v *Vault) Close() error { return v.file.Close() }

func notFound(slot uint64) error { return fmt.Errorf("vault: slot %d: %w", slot, exchange.ErrNotFound) }
