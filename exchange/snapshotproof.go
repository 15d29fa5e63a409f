package exchange

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// SnapshotProof shows that a ledger of some size is the witnessed one: a
// checkpoint that the regions have cosigned, and the path that its tree grew
// from that ledger's. docs/formats/snapshot.md.
type SnapshotProof struct {
	Checkpoint peers.Checkpoint
	Path       []sm.Digest // consistency from the ledger's size to the checkpoint's
}

const maxProofPath = 64

var errSnapshotProof = errors.New("exchange: malformed proof of a snapshot")

// Marshal returns its bytes.
func (p SnapshotProof) Marshal() ([]byte, error) {
	if len(p.Path) > maxProofPath {
		return nil, errSnapshotProof
	}
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(p.Checkpoint.Marshal()) })
	b.AddUint8(uint8(len(p.Path)))
	for i := range p.Path {
		b.AddBytes(p.Path[i][:])
	}
	return b.Bytes()
}

// ParseSnapshotProof reads what Marshal wrote, and no other spelling.
func ParseSnapshotProof(raw []byte) (SnapshotProof, error) {
	var p SnapshotProof
	var text cryptobyte.String
	var n uint8
	s := cryptobyte.String(raw)
	if !s.ReadUint16LengthPrefixed(&text) || len(text) > peers.MaxCheckpoint || !s.ReadUint8(&n) || n > maxProofPath {
		return p, errSnapshotProof
	}
	for range n {
		var d sm.Digest
		if !s.CopyBytes(d[:]) {
			return p, errSnapshotProof
		}
		p.Path = append(p.Path, d)
	}
	if !s.Empty() {
		return p, errSnapshotProof
	}
	var err error
	p.Checkpoint, err = peers.ParseCheckpoint(text)
	return p, err
}

// Verify judges the proof for a ledger of this size and root whose entries
// yield this directory. The directory's own witnesses must have signed: a change
// of them after that size has a checkpoint of its own, which the ones before the
// change sign, so that there is always one to show.
func (p SnapshotProof) Verify(size uint64, root sm.Digest, d *peers.Directory) error {
	c := p.Checkpoint
	if c.Ledger != d.Ledger() {
		return fmt.Errorf("exchange: the snapshot's checkpoint is of ledger %s", c.Ledger)
	}
	if d.Next() > size || c.Size < size {
		return fmt.Errorf("exchange: the snapshot's checkpoint covers %d entries, not %d", c.Size, size)
	}
	if _, err := c.Verify(d.Witnesses()); err != nil {
		return fmt.Errorf("exchange: the snapshot's checkpoint: %w", err)
	}
	if c.Size == size && c.Directory != d.Root() {
		return errors.New("exchange: the snapshot's entries yield another directory than the checkpoint's")
	}
	if err := ledger.VerifyConsistency(size, c.Size, p.Path, root, c.Root); err != nil {
		return fmt.Errorf("exchange: the snapshot is not the beginning of the witnessed ledger: %w", err)
	}
	return nil
}
