package witness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/peers"
)

const (
	stateName    = "state"
	stateVersion = 1
	slotSize     = 4096
	crcSize      = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// State is what a witness must not forget: the last that it has signed.
type State struct {
	Index, Term uint64 // of the Raft entry that carried the mark
	// Checkpoint holds this witness's own lines only. Its size is 0 before the
	// first signature.
	Checkpoint peers.Checkpoint
}

var (
	// ErrBackwards refuses a smaller size, or an earlier time at one size.
	ErrBackwards = errors.New("witness: a later checkpoint has been signed")
	// ErrTwoRoots refuses another statement for a size that has been signed.
	ErrTwoRoots = errors.New("witness: another statement has been signed for this size")
)

// next checks that a statement may be signed after s.
func (s State) next(c peers.Checkpoint) error {
	last := s.Checkpoint
	switch {
	case c.Size < last.Size:
		return ErrBackwards
	case c.Size == last.Size && c.Size > 0 && !c.Same(last):
		return ErrTwoRoots
	case c.Size == last.Size && c.Time() <= last.Time():
		return ErrBackwards
	}
	return nil
}

// A stateFile is a state on disk in two slots that are written in turn, so that
// a write that power cuts short leaves the one before it. It is as long as it
// will ever be: a write changes one block and no name.
type stateFile struct {
	dir    string
	serial uint64 // of the newest slot; 0: there is no file
}

// Founding is the file of a witness key that has never signed. It belongs where
// the key is made and nowhere else: a witness without a state asks the others.
func Founding() []byte {
	file, err := State{}.file()
	if err != nil {
		panic(err) // it is a constant
	}
	return file
}

// file is a whole file, both slots of which hold s.
func (s State) file() ([]byte, error) {
	first, err := s.slot(1)
	if err != nil {
		return nil, err
	}
	second, err := s.slot(2)
	return append(first, second...), err
}

// read returns the newest state. sure is false if nothing says that it is the
// newest: there is no file, or a slot is torn or rotten.
func (f *stateFile) read() (s State, sure bool, err error) {
	raw, err := os.ReadFile(filepath.Join(f.dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, false, nil
	}
	if err != nil {
		return State{}, false, fmt.Errorf("witness: %w", err)
	}
	if len(raw) != 2*slotSize {
		return State{}, false, errState
	}
	sure = true
	for slot := range uint64(2) {
		here, serial, err := parseSlot(raw[slot*slotSize:][:slotSize])
		if err != nil || serial%2 != (slot+1)%2 {
			sure = false
			continue
		}
		if serial > f.serial {
			s, f.serial = here, serial
		}
	}
	if f.serial == 0 {
		return State{}, false, errState
	}
	return s, sure, nil
}

var errState = errors.New("witness: the state is damaged; it must not be removed or put back from a copy")

// write makes a state durable. Only then may a signature in it be given out.
func (f *stateFile) write(s State) error {
	if f.serial == 0 {
		return f.create(s)
	}
	slot, err := s.slot(f.serial + 1)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(f.dir, stateName), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("witness: state: %w", err)
	}
	_, err = file.WriteAt(slot, int64(f.serial%2)*slotSize)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("witness: state: %w", err)
	}
	f.serial++
	return nil
}

func (f *stateFile) create(s State) error {
	raw, err := s.file()
	if err != nil {
		return err
	}
	if err := durable.Replace(filepath.Join(f.dir, stateName), raw, 0o600); err != nil {
		return fmt.Errorf("witness: state: %w", err)
	}
	f.serial = 2
	return nil
}

// slot is one slot: what is known, a checksum, and zeros. Odd serials lie in
// the first.
func (s State) slot(serial uint64) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(stateVersion)
	b.AddUint64(serial)
	b.AddUint64(s.Index)
	b.AddUint64(s.Term)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		if s.Checkpoint.Size > 0 {
			b.AddBytes(s.Checkpoint.Marshal())
		}
	})
	raw, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("witness: state: %w", err)
	}
	if raw = seal(raw); len(raw) > slotSize {
		return nil, errors.New("witness: a state of more than a slot")
	}
	return append(raw, make([]byte, slotSize-len(raw))...), nil
}

func parseSlot(raw []byte) (st State, serial uint64, err error) {
	s := cryptobyte.String(raw)
	var (
		version uint8
		text    cryptobyte.String
		crc     []byte
	)
	if !s.ReadUint8(&version) || version != stateVersion || !s.ReadUint64(&serial) || serial == 0 ||
		!s.ReadUint64(&st.Index) || !s.ReadUint64(&st.Term) || !s.ReadUint16LengthPrefixed(&text) {
		return State{}, 0, errState
	}
	known := len(raw) - len(s)
	if !s.ReadBytes(&crc, crcSize) || binary.BigEndian.Uint32(crc) != crc32.Checksum(raw[:known], castagnoli) {
		return State{}, 0, errState
	}
	for _, b := range s {
		if b != 0 {
			return State{}, 0, errState
		}
	}
	if len(text) > 0 {
		if st.Checkpoint, err = peers.ParseCheckpoint(text); err != nil {
			return State{}, 0, errState
		}
	}
	return st, serial, nil
}

// seal appends CRC-32C, unseal checks it: against rot, not malice.
func seal(raw []byte) []byte {
	return binary.BigEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
}

func unseal(raw []byte) ([]byte, bool) {
	n := len(raw) - crcSize
	if n < 0 || crc32.Checksum(raw[:n], castagnoli) != binary.BigEndian.Uint32(raw[n:]) {
		return nil, false
	}
	return raw[:n], true
}
