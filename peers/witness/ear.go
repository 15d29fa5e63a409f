package witness

import (
	"net"
	"sync"

	"golang.org/x/time/rate"
)

const (
	// A leader marks five times a second; a peer that has more to say waits.
	framesPerSecond = 50
	frameBurst      = 100
)

// ears are one for each node that has spoken here. A node has one of them however
// many streams it opens, and however often: each line that it brings costs a
// verification, and all nodes are heard by one goroutine.
type ears struct {
	mu sync.Mutex
	of map[string]*ear
}

type ear struct {
	limit *rate.Limiter
	open  net.Conn // on which the node speaks; nil if it does not
}

// listen gives the node's ear to a stream. The one that had it is closed: its node
// has come back, or has opened more than one.
func (e *ears) listen(node string, c net.Conn) (limit *rate.Limiter, leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of == nil {
		e.of = map[string]*ear{}
	}
	own := e.of[node]
	if own == nil {
		own = &ear{limit: rate.NewLimiter(framesPerSecond, frameBurst)}
		e.of[node] = own // as many as there are members
	}
	if own.open != nil {
		_ = own.open.Close() // closing twice is harmless
	}
	own.open = c
	return own.limit, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if own.open == c {
			own.open = nil
		}
	}
}
