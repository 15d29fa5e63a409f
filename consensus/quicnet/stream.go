package quicnet

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// The first byte of a stream says what it is for.
const (
	streamRPC   = 1
	streamNamed = 2 // then one byte of length, and the handler's name

	maxName = 32
	// openTimeout bounds the wait for what says what a stream is for.
	openTimeout = 10 * time.Second
)

// A stream is a QUIC stream as a net.Conn. Close ends both directions; QUIC's
// own Close ends only the one that writes, and the other would hold a slot of
// the peer's for ever.
type stream struct {
	*quic.Stream
	conn *quic.Conn

	writing sync.Mutex // QUIC forbids Close during Write
}

var _ net.Conn = (*stream)(nil)

func newStream(conn *quic.Conn, s *quic.Stream) *stream { return &stream{Stream: s, conn: conn} }

func (s *stream) LocalAddr() net.Addr  { return s.conn.LocalAddr() }
func (s *stream) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

func (s *stream) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.Stream.Write(p)
}

func (s *stream) Close() error {
	s.CancelRead(0)
	if !s.writing.TryLock() {
		// A Write is blocked on the peer's window: make it return. What it
		// had left to say is lost, as with any other connection.
		_ = s.SetWriteDeadline(time.Unix(1, 0))
		s.writing.Lock()
	}
	defer s.writing.Unlock()
	return s.Stream.Close()
}

// serve reads what a stream is for and hands it on.
func (e *Endpoint) serve(l *link, s *stream) {
	defer s.Close()
	if s.SetReadDeadline(time.Now().Add(openTimeout)) != nil {
		return
	}
	var kind [1]byte
	if _, err := io.ReadFull(s, kind[:]); err != nil {
		return
	}
	switch kind[0] {
	case streamRPC:
		e.serveRPC(l, s)
	case streamNamed:
		if h := e.handlerOf(s); h != nil {
			if s.SetReadDeadline(time.Time{}) == nil {
				h(l.peer.ID, s)
			}
			return
		}
		e.refuse(refusedStream, l.peer.ID, "stream for a handler that is not there")
	default:
		e.refuse(refusedStream, l.peer.ID, "stream of an unknown kind")
	}
}

func (e *Endpoint) handlerOf(s *stream) Handler {
	var n [1]byte
	if _, err := io.ReadFull(s, n[:]); err != nil || n[0] == 0 || n[0] > maxName {
		return nil
	}
	name := make([]byte, n[0])
	if _, err := io.ReadFull(s, name); err != nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.handlers[string(name)]
}
