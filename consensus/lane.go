package consensus

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// laneName is the stream on which a node hands its items to the leader:
// proposal id, length, item, and so on. Nothing comes back but the end of the
// stream, which says that what was sent on it must be sent again.
const laneName = "propose"

const (
	openLimit  = 3 * time.Second
	laneBuffer = 64 << 10
)

// A lane is this node's stream to the leader's batcher.
type lane struct {
	net.Conn
	w      *bufio.Writer
	leader string
}

type opening struct {
	leader string
	cancel context.CancelFunc
}

func (n *Node) openLane(leader string) (*lane, error) {
	ctx, cancel := context.WithTimeout(n.ctx, openLimit)
	defer cancel()
	// A leader that has died keeps a dial waiting; its successor ends that.
	n.opening.Store(&opening{leader: leader, cancel: cancel})
	defer n.opening.Store(nil)
	if n.leaderID() != leader {
		return nil, errNotLeading
	}
	c, err := n.cfg.Network.Open(ctx, leader, laneName)
	if err != nil {
		return nil, fmt.Errorf("consensus: lane to %s: %w", leader, err)
	}
	l := &lane{Conn: c, w: bufio.NewWriterSize(c, laneBuffer), leader: leader}
	n.present.Store(l)
	n.tasks.Go(func() {
		// The leader never writes: whatever Read returns is the end.
		_, _ = io.ReadFull(c, make([]byte, 1))
		select {
		case <-time.After(retryFirst): // two nodes that disagree must not spin
		case <-n.done:
		}
		n.proposals.resend()
	})
	return l, nil
}

// breakLane frees a sender that waits for somebody who does not lead any more.
// It opens another lane.
func (n *Node) breakLane() {
	leader := n.leaderID()
	if o := n.opening.Load(); o != nil && o.leader != leader {
		o.cancel()
	}
	if l := n.present.Load(); l != nil && l.leader != leader {
		_ = l.Close()
	}
}

func (l *lane) write(items []proposed) error {
	var size [4]byte
	for _, p := range items {
		binary.BigEndian.PutUint32(size[:], uint32(len(p.item)))
		// bufio keeps the first error and returns it from Flush.
		l.w.Write(p.id[:])
		l.w.Write(size[:])
		l.w.Write(p.item)
	}
	return l.w.Flush()
}

func (l *lane) close() { _ = l.Close() } // nobody is there to be told

func readProposal(r *bufio.Reader) (proposed, error) {
	var head [itemFixed]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return proposed{}, err
	}
	size := binary.BigEndian.Uint32(head[16:])
	if size == 0 || size > MaxItem {
		return proposed{}, fmt.Errorf("%w: %d bytes announced", ErrTooLarge, size)
	}
	p := proposed{id: proposalID(head[:16]), item: make([]byte, size)}
	if _, err := io.ReadFull(r, p.item); err != nil {
		return proposed{}, err
	}
	return p, nil
}

// serveLane takes a peer's items in. Reading as fast as the batcher takes them,
// and no faster, is what slows a peer down.
func (n *Node) serveLane(peer string, c net.Conn) {
	// The peer may have learnt of our election before we are ready.
	select {
	case <-n.batcher.inOffice():
	case <-time.After(n.cfg.Timers.Election):
		return
	case <-n.done:
		return
	}
	from := n.batcher.source(peer, maxQueued, func() { _ = c.Close() })
	defer n.batcher.leave(from)
	r := bufio.NewReaderSize(c, laneBuffer)
	for {
		p, err := readProposal(r)
		if err != nil {
			if errors.Is(err, ErrTooLarge) {
				n.cfg.Logger.Warn("lane closed", "peer", peer, "error", err)
			}
			return
		}
		if n.batcher.push(from, p) != nil {
			return
		}
	}
}
