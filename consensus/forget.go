package consensus

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// ErrNotYet is Forget's answer while the log still needs what is to be
// forgotten.
var ErrNotYet = errors.New("consensus: the log still needs the entry")

// Forget drops every entry of this node's log up to the last one with an item
// that holds says true of, and overwrites on disk all that the log has ever
// dropped. It returns the first index that is still there.
//
// Entries behind the snapshot are needed, and so is the last append, by which
// raft-wal knows after a crash where the log ends. Until both have moved on the
// answer is ErrNotYet. A peer that needs what was dropped is sent the snapshot.
func (n *Node) Forget(ctx context.Context, holds func(item []byte) bool) (first uint64, err error) {
	n.forgetting.Lock()
	defer n.forgetting.Unlock()
	at, err := n.lastWith(ctx, holds)
	if err != nil {
		return 0, err
	}
	if at > 0 {
		if err := n.drop(at); err != nil {
			return 0, err
		}
	}
	st := n.storage
	first, last, err := st.bounds()
	if err != nil {
		return 0, err
	}
	left, err := st.files.overwrite(first, last)
	switch {
	case errors.Is(err, errSegment):
		return 0, err
	case err != nil:
		n.fatal(fmt.Errorf("overwriting what the Raft log has dropped: %w", err))
		return 0, err
	case left > 0:
		return 0, fmt.Errorf("%w: %d dropped entries are part of the last append", ErrNotYet, left)
	}
	return first, nil
}

// lastWith finds the last entry with an item that holds says true of; 0 when
// there is none.
func (n *Node) lastWith(ctx context.Context, holds func(item []byte) bool) (uint64, error) {
	first, last, err := n.storage.bounds()
	if err != nil {
		return 0, err
	}
	for index := last; index >= max(first, 1); index-- {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var l raft.Log
		err := n.storage.cache.GetLog(index, &l)
		if errors.Is(err, raft.ErrLogNotFound) {
			return 0, nil // dropped meanwhile, with all before it
		}
		if err != nil {
			return 0, err
		}
		if l.Type != raft.LogCommand {
			continue
		}
		_, _, items, err := parsePayload(l.Data)
		if err != nil {
			continue // passed over by all nodes
		}
		for _, item := range items {
			if holds(item) {
				return index, nil
			}
		}
	}
	return 0, nil
}

// drop cuts the log behind an entry, no further than a snapshot stands for.
func (n *Node) drop(at uint64) error {
	st := n.storage
	if st.snapshots.index() < at {
		if err := n.Snapshot(); err != nil {
			return fmt.Errorf("%w: %w", ErrNotYet, err)
		}
	}
	first, last, err := st.bounds()
	switch {
	case err != nil:
		return err
	case st.snapshots.index() < at || at >= last:
		return fmt.Errorf("%w: entry %d, snapshot at %d, log up to %d", ErrNotYet, at, st.snapshots.index(), last)
	case at < first:
		return nil
	}
	return st.cache.DeleteRange(first, at)
}
