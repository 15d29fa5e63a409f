package consensus

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// relayName is the stream of docs/formats/peer-stream.md.
const relayName = "relay"

// handOn gives what is held back of this node's own to a member, unless that is
// being done.
func (v *vigil) handOn(peer string) {
	items := v.n.proposals.own(maxQueued)
	if len(items) == 0 || !claim(&v.mu, v.handing, peer) {
		return
	}
	v.n.tasks.Go(func() {
		defer release(&v.mu, v.handing, peer)
		ctx, cancel := context.WithTimeout(v.n.ctx, openLimit)
		defer cancel()
		c, err := v.n.cfg.Network.Open(ctx, peer, relayName)
		if err != nil {
			v.n.cfg.Logger.Debug("nothing handed on", "peer", peer, "error", err)
			return
		}
		defer c.Close()
		if c.SetDeadline(time.Now().Add(2*v.n.cfg.Timers.Held)) != nil {
			return
		}
		l := &lane{Conn: c, w: bufio.NewWriterSize(c, laneBuffer)}
		if l.write(items) == nil {
			_, _ = io.ReadFull(c, make([]byte, 1)) // the end, as of a lane
		}
	})
}

// serveRelay proposes what another member says is held back. The pace keeps a
// member from taking this one's turns for a flood of its own.
func (n *Node) serveRelay(peer string, c net.Conn) {
	v := n.vigil
	if !claim(&v.mu, v.relaying, peer) {
		return
	}
	defer release(&v.mu, v.relaying, peer)
	pace := time.NewTicker(v.every())
	defer pace.Stop()
	r := bufio.NewReaderSize(c, laneBuffer)
	for {
		if c.SetReadDeadline(time.Now().Add(n.cfg.Timers.Held)) != nil {
			return
		}
		item, err := readProposal(r)
		if err != nil || !n.relay(item) {
			return
		}
		select {
		case <-pace.C:
		case <-n.done:
			return
		}
	}
}

// relayTurns is how many times Timers.Held a handed-on item stays: the node that
// has it complains within two of them.
const relayTurns = 6

func (n *Node) relay(item proposed) bool {
	p, ok := n.proposals.adopt(item)
	if !ok {
		return false
	}
	select {
	case <-p.done:
		return true
	case <-time.After(relayTurns * n.cfg.Timers.Held):
	case <-n.done:
	}
	n.proposals.drop(p)
	return false
}

func claim(mu *sync.Mutex, of map[string]bool, peer string) bool {
	mu.Lock()
	defer mu.Unlock()
	if of[peer] {
		return false
	}
	of[peer] = true
	return true
}

func release(mu *sync.Mutex, of map[string]bool, peer string) {
	mu.Lock()
	defer mu.Unlock()
	delete(of, peer)
}
