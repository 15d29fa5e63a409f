package main

import (
	"context"
	"errors"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers/witness"
)

// snapshotWitness says to Raft what the regions have seen: how far its log may
// be cut, and whether a snapshot that another node sends is theirs.
type snapshotWitness struct {
	witness *witness.Witness
	store   *store.Store
}

var _ consensus.Witness = snapshotWitness{}

func (w snapshotWitness) Wait(ctx context.Context, size uint64) error {
	return w.witness.Wait(ctx, size)
}

// Proof shows the earliest checkpoint that covers size: the witnesses as of size
// have signed that one, whatever changes of them came later.
func (w snapshotWitness) Proof(size uint64) ([]byte, error) {
	if size == 0 {
		return nil, nil // nothing is claimed
	}
	_, c, err := w.witness.Around(size - 1)
	if err != nil {
		return nil, err
	}
	handovers, err := w.witness.Handovers()
	if err != nil {
		return nil, err
	}
	for _, h := range handovers {
		if h.Size >= size && h.Size < c.Size {
			c = h
			break
		}
	}
	path, err := w.store.Consistency(size, c.Size)
	if err != nil {
		return nil, err
	}
	return exchange.SnapshotProof{Checkpoint: c, Path: path}.Marshal()
}

func (w snapshotWitness) Check(p consensus.Point, raw []byte) error {
	if p.Size == 0 && len(raw) == 0 {
		return nil
	}
	directories := w.store.StagedDirectories()
	if len(directories) == 0 {
		return errNothingStaged
	}
	proof, err := exchange.ParseSnapshotProof(raw)
	if err != nil {
		return err
	}
	return proof.Verify(p.Size, p.Root, directories[len(directories)-1])
}

var errNothingStaged = errors.New("no snapshot is staged")
