package witness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/peers"
)

const (
	stateName    = "state"
	stateVersion = 1
	stateFixed   = 1 + 8 + 8 + 2
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

// Founding is the state of a witness key that has never signed. It belongs
// where the key is made and nowhere else: a witness without a state has to ask
// the others.
func Founding() []byte {
	return seal([]byte{0: stateVersion, stateFixed - 1: 0})
}

// ReadState returns false if there is no state: this witness does not know
// what its key has signed.
func ReadState(dir string) (State, bool, error) {
	raw, err := os.ReadFile(filepath.Join(dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, false, nil
	}
	if err != nil {
		return State{}, false, fmt.Errorf("witness: %w", err)
	}
	s, err := parseState(raw)
	return s, err == nil, err
}

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

// write makes the state durable. Only then may a signature in it be given out.
func (s State) write(dir string) error {
	raw, err := s.marshal()
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, stateName), raw, 0o600, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("witness: state: %w", err)
	}
	return syncDir(dir)
}

func (s State) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(stateVersion)
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
	return seal(raw), nil
}

func parseState(raw []byte) (State, error) {
	bad := errors.New("witness: the state is damaged; it must not be removed or put back from a copy")
	body, ok := unseal(raw)
	if !ok {
		return State{}, bad
	}
	s := cryptobyte.String(body)
	var (
		st      State
		version uint8
		text    cryptobyte.String
	)
	if !s.ReadUint8(&version) || version != stateVersion || !s.ReadUint64(&st.Index) || !s.ReadUint64(&st.Term) ||
		!s.ReadUint16LengthPrefixed(&text) || !s.Empty() {
		return State{}, bad
	}
	if len(text) == 0 {
		return st, nil
	}
	var err error
	if st.Checkpoint, err = peers.ParseCheckpoint(text); err != nil {
		return State{}, bad
	}
	return st, nil
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

// syncDir makes a rename durable; renameio syncs the file only.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
