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
	cancel  context.CancelFunc
	started time.Time
	done    chan struct{}

	// Set before done is closed.
	link  *link
	err   error
	ended time.Time
}

const (
	// redialAfter keeps a dead peer from being dialled in a loop.
	redialAfter = 100 * time.Millisecond
	// staleDial is how old an attempt is whose packets were probably sent
	// while nobody was there.
	staleDial = 300 * time.Millisecond
)

var errClosed = errors.New("quicnet: endpoint is closed")

// linkTo returns the link to a peer. If there is none it dials until there is
// one or ctx ends: to Raft, which waits longer after each failure, up to ten
// seconds, a call that takes its time to a peer that is down is one failure.
func (e *Endpoint) linkTo(ctx context.Context, id string) (*link, error) {
	for {
		d, err := e.attempt(id)
		if err != nil {
			return nil, err
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("quicnet: dial %s: %w", id, context.Cause(ctx))
		}
		if d.err == nil || !unreachable(d.err) {
			return d.link, d.err
		}
		select {
		case <-time.After(time.Until(d.ended.Add(redialAfter))):
		case <-ctx.Done():
			return nil, d.err
		}
	}
}

// unreachable reports whether nobody answered, as opposed to an answer that was
// wrong: the latter is the same next time.
func unreachable(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.Canceled)
}

// attempt returns the peer's dial, a new one if the last one is over.
func (e *Endpoint) attempt(id string) (*dial, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if d := e.dialled[id]; d != nil && !d.over() {
		return d, nil
	}
	ctx, cancel := context.WithTimeout(e.ctx, 2*handshakeTimeout)
	d := &dial{cancel: cancel, started: time.Now(), done: make(chan struct{})}
	e.dialled[id] = d
	e.tasks.Go(func() {
		defer cancel()
		d.link, d.err = e.dial(ctx, id)
		d.ended = time.Now()
		close(d.done)
	})
	return d, nil
}

// over reports whether another attempt is due.
func (d *dial) over() bool {
	select {
	case <-d.done:
		if d.err != nil {
			return time.Since(d.ended) >= redialAfter
		}
		return !d.link.alive()
	default:
		return false
	}
}

func (e *Endpoint) dial(ctx context.Context, id string) (*link, error) {
	peer, known := e.cfg.Directory(id)
	if !known {
		return nil, fmt.Errorf("quicnet: the directory has no node %q", id)
	}
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
func (e *Endpoint) admit(conn *quic.Conn, v *visitor) {
	ctx, cancel := context.WithTimeout(e.ctx, handshakeTimeout)
	l, err := e.proveAsAcceptor(ctx, conn)
	cancel()
	e.lobby.leave(v)
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
// timeout, and an attempt to reach it may be waiting to send again. Both are
// given up; the next call dials anew and finds it there.
func (e *Endpoint) replace(l *link) {
	id := l.peer.ID
	e.mu.Lock()
	gone := []*link{e.accepted[id]}
	e.accepted[id] = l
	if d := e.dialled[id]; d != nil {
		select {
		case <-d.done:
			if d.err == nil && d.link.boot != l.boot {
				gone = append(gone, d.link)
			}
			if d.err != nil || d.link.boot != l.boot {
				delete(e.dialled, id)
			}
		default:
			if time.Since(d.started) > staleDial {
				d.cancel()
				delete(e.dialled, id)
			}
		}
	}
	e.mu.Unlock()
	for _, old := range gone {
		if old != nil {
			// Closing twice is harmless, hence no error to handle.
			_ = old.conn.CloseWithError(0, "replaced")
		}
	}
}
