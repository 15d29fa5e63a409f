package quicnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// A link is a connection whose other end has shown who it is.
//
// A pair of nodes has at most two: each node asks on the one that it dialled
// and answers on the one that it accepted. So the case of both dialling at once
// needs no rule of its own, and a newly accepted link simply replaces the
// older one of the same peer.
type link struct {
	conn *quic.Conn
	peer Peer
	boot bootID

	mu   sync.Mutex
	idle []*rpcStream // RPC streams between two calls
}

// maxIdle is how many RPC streams a link keeps: heartbeats, appends and a vote
// may be under way at the same time.
const maxIdle = 3

func (l *link) alive() bool { return l.conn.Context().Err() == nil }

func (l *link) open(ctx context.Context) (*stream, error) {
	s, err := l.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, fmt.Errorf("quicnet: stream to %s: %w", l.peer.ID, err)
	}
	return newStream(l.conn, s), nil
}

// A dial is an attempt to connect, shared by all who need its link, and then
// the link itself.
type dial struct {
	done chan struct{}
	link *link
	err  error
	at   time.Time // of a failure
}

// redialAfter keeps Raft's retries from dialling a dead peer in a loop.
const redialAfter = 100 * time.Millisecond

var errClosed = errors.New("quicnet: endpoint is closed")

// linkTo returns the link to a peer and dials if there is none.
func (e *Endpoint) linkTo(ctx context.Context, id string) (*link, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errClosed
	}
	d := e.dialled[id]
	if d == nil || d.over() {
		d = &dial{done: make(chan struct{})}
		e.dialled[id] = d
		e.tasks.Go(func() {
			l, err := e.dial(id)
			e.mu.Lock()
			d.link, d.err, d.at = l, err, time.Now()
			e.mu.Unlock()
			close(d.done)
		})
	}
	e.mu.Unlock()
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, fmt.Errorf("quicnet: dial %s: %w", id, context.Cause(ctx))
	}
}

// over reports whether another attempt is due. The endpoint's lock is held.
func (d *dial) over() bool {
	select {
	case <-d.done:
	default:
		return false
	}
	if d.err != nil {
		return time.Since(d.at) >= redialAfter
	}
	return !d.link.alive()
}

func (e *Endpoint) dial(id string) (*link, error) {
	peer, known := e.cfg.Directory(id)
	if !known {
		return nil, fmt.Errorf("quicnet: the directory has no node %q", id)
	}
	ctx, cancel := context.WithTimeout(e.ctx, 2*handshakeTimeout)
	defer cancel()
	addr, err := net.ResolveUDPAddr("udp", peer.Address)
	if err != nil {
		return nil, fmt.Errorf("quicnet: address of %s: %w", id, err)
	}
	conn, err := e.quic.Dial(ctx, addr, e.client, quicConfig())
	if err != nil {
		return nil, fmt.Errorf("quicnet: dial %s: %w", id, err)
	}
	l, err := e.proveAsDialler(ctx, conn, id)
	if err != nil {
		e.turnAway(conn, id, err)
		return nil, err
	}
	// The peer asks nothing on a connection that we dialled.
	e.log.Info("connected", "peer", id)
	return l, nil
}

// turnAway closes a connection that failed to show who is behind it.
func (e *Endpoint) turnAway(conn *quic.Conn, peer string, err error) {
	reason := refusedHello
	var refused *refusedError
	if errors.As(err, &refused) {
		reason = refused.reason
		e.refuse(reason, peer, refused.detail)
	}
	closeConn(conn, reason)
}

// admit finds out who dialled and then serves the streams of that peer.
func (e *Endpoint) admit(conn *quic.Conn) {
	ctx, cancel := context.WithTimeout(e.ctx, handshakeTimeout)
	l, err := e.proveAsAcceptor(ctx, conn)
	cancel()
	<-e.pending
	if err != nil {
		e.turnAway(conn, conn.RemoteAddr().String(), err)
		return
	}
	e.replace(l)
	for {
		s, err := conn.AcceptStream(e.ctx)
		if err != nil {
			return
		}
		e.goTask(func() { e.serve(l, newStream(conn, s)) })
	}
}

// replace makes l the link that its peer asks on. If the peer has restarted,
// our own link to it is dead, though QUIC would notice only after the idle
// timeout; the next call dials anew.
func (e *Endpoint) replace(l *link) {
	id := l.peer.ID
	e.mu.Lock()
	old := e.accepted[id]
	e.accepted[id] = l
	var stale *link
	if d := e.dialled[id]; d != nil {
		select {
		case <-d.done:
			if d.err == nil && d.link.boot != l.boot {
				stale = d.link
				delete(e.dialled, id)
			}
		default:
		}
	}
	e.mu.Unlock()
	for _, gone := range []*link{old, stale} {
		if gone != nil {
			// Closing twice is harmless, hence no error to handle.
			_ = gone.conn.CloseWithError(0, "replaced")
		}
	}
}
