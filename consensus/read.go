package consensus

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	readName  = "read-index"
	readPause = 20 * time.Millisecond
)

// ReadIndex returns when this node has applied everything that had been
// acknowledged anywhere before the call: what is read then is linearizable. The
// leader names its commit index after a majority has confirmed that it still
// leads; a follower asks it.
func (n *Node) ReadIndex(ctx context.Context) (uint64, error) {
	for {
		index, err := n.askReadIndex(ctx)
		if err == nil {
			return index, n.WaitApplied(ctx, index)
		}
		select {
		case <-time.After(readPause):
		case <-ctx.Done():
			return 0, fmt.Errorf("consensus: no leader to read after: %w: %w", context.Cause(ctx), err)
		case <-n.done:
			return 0, ErrShutdown
		}
	}
}

func (n *Node) askReadIndex(ctx context.Context) (uint64, error) {
	leader := n.leaderID()
	switch leader {
	case "":
		return 0, errNotLeading
	case n.cfg.ID:
		return n.ownReadIndex(ctx)
	}
	c, err := n.cfg.Network.Open(ctx, leader, readName)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	deadline := time.Now().Add(openLimit)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := c.SetDeadline(deadline); err != nil {
		return 0, err
	}
	var answer [8]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return 0, fmt.Errorf("consensus: read index of %s: %w", leader, err)
	}
	return binary.BigEndian.Uint64(answer[:]), nil
}

// ownReadIndex is the leader's part. It waits for office, that is for the first
// entry of its term: before that it may not know all that has been committed.
// The index is read before leadership is verified.
func (n *Node) ownReadIndex(ctx context.Context) (uint64, error) {
	select {
	case <-n.batcher.inOffice():
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-n.done:
		return 0, ErrShutdown
	}
	index := n.raft.CommitIndex()
	verified := make(chan error, 1)
	go func() { verified <- n.raft.VerifyLeader().Error() }()
	select {
	case err := <-verified:
		return index, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-n.done:
		return 0, ErrShutdown
	}
}

func (n *Node) serveReadIndex(peer string, c net.Conn) {
	ctx, cancel := context.WithTimeout(n.ctx, openLimit)
	defer cancel()
	index, err := n.ownReadIndex(ctx)
	if err == nil {
		err = c.SetWriteDeadline(time.Now().Add(openLimit))
	}
	if err == nil {
		_, err = c.Write(binary.BigEndian.AppendUint64(nil, index))
	}
	if err != nil {
		n.cfg.Logger.Debug("read index not told", "peer", peer, "error", err)
	}
}

// WaitApplied returns when this node has applied the entry at index.
func (n *Node) WaitApplied(ctx context.Context, index uint64) error {
	return n.applied.wait(ctx, n.done, index)
}
