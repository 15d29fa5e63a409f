package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Witness knows which ledger is the one that the regions have seen. What
// convinces of it is opaque here: this package carries it beside a snapshot.
type Witness interface {
	// Wait returns when the first size entries of this node's ledger are
	// witnessed, or ctx's error.
	Wait(ctx context.Context, size uint64) error

	// Proof returns what shows another node that the ledger of this size is the
	// witnessed one, at most MaxProof bytes.
	Proof(size uint64) ([]byte, error)

	// Check judges the proof that came with a snapshot which the state machine
	// has just staged: p's root is that of the staged entries.
	Check(p Point, proof []byte) error
}

// MaxProof bounds a proof in bytes: a checkpoint that 32 regions have cosigned
// and the path to it.
const MaxProof = 12 << 10

// unwitnessed stands where nobody cosigns: the log is cut as it pleases, and no
// other node's snapshot is believed.
type unwitnessed struct{}

var errNoWitness = errors.New("consensus: no witness to believe a snapshot by")

func (unwitnessed) Wait(context.Context, uint64) error { return nil }
func (unwitnessed) Proof(uint64) ([]byte, error)       { return nil, nil }
func (unwitnessed) Check(Point, []byte) error          { return errNoWitness }

// witnessedLimit is how long a snapshot waits for the ledger to be witnessed as
// far as it goes. It takes some 200 ms when three regions are up.
const witnessedLimit = 20 * time.Second

// ErrUnwitnessed is Snapshot's answer when the log can't be cut, because what it
// holds has not been witnessed yet.
var ErrUnwitnessed = errors.New("consensus: not witnessed yet, the log is not cut")

// awaitWitness keeps the log from being cut past what is witnessed: what no
// quorum has vouched for must stay where it can be looked at.
func (n *Node) awaitWitness(size uint64) error {
	ctx, cancel := context.WithTimeout(n.ctx, witnessedLimit)
	defer cancel()
	err := n.cfg.Witness.Wait(ctx, size)
	if err == nil {
		n.heldBack.Store(false)
		return nil
	}
	if n.ctx.Err() == nil && !n.heldBack.Swap(true) {
		n.cfg.Logger.Error("the Raft log grows: nothing is witnessed up to where it could be cut", "alarm", true, "size", size, "error", err)
	}
	return fmt.Errorf("%w: size %d: %w", ErrUnwitnessed, size, err)
}

// refusedSnapshot counts a snapshot that was not what it said. Who led when it
// came is named; that it was the sender is Raft's rule, not proven.
func (n *Node) refusedSnapshot(p Point, why error) {
	n.poisoned.Add(1)
	n.cfg.Logger.Error("a snapshot was refused", "alarm", true, "leader", n.leaderID(), "index", p.Index, "term", p.Term,
		"size", p.Size, "root", p.Root.String(), "error", why)
}
