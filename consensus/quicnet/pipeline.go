package quicnet

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// pipelineDepth is how many AppendEntries may be under way to one peer. The
// batcher of package consensus bounds what is in flight for real; this only has
// to be no lower than it would go on a WAN.
const pipelineDepth = 16

// A pipeline sends AppendEntries without waiting for the answer of the one
// before. Answers come in order.
type pipeline struct {
	e    *Endpoint
	peer string
	s    *rpcStream

	inFlight chan *appendFuture
	finished chan raft.AppendFuture
	closed   chan struct{}
	once     sync.Once
}

var _ raft.AppendPipeline = (*pipeline)(nil)

// AppendEntriesPipeline implements raft.Transport.
func (e *Endpoint) AppendEntriesPipeline(id raft.ServerID, _ raft.ServerAddress) (raft.AppendPipeline, error) {
	_, s, err := e.rpcStream(id)
	if err != nil {
		return nil, err
	}
	p := &pipeline{
		e: e, peer: string(id), s: s,
		inFlight: make(chan *appendFuture, pipelineDepth),
		finished: make(chan raft.AppendFuture, pipelineDepth),
		closed:   make(chan struct{}),
	}
	e.goTask(p.receive)
	return p, nil
}

// AppendEntries sends a request. It may shorten req.Entries; Raft sends the
// rest next. It blocks while the pipeline is full.
func (p *pipeline) AppendEntries(req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	trim(req)
	f := &appendFuture{start: time.Now(), req: req, resp: resp, done: make(chan struct{})}
	head, rest := marshalAppend(req, p.pieces)
	err := p.s.conn.SetWriteDeadline(time.Now().Add(rpcTimeout))
	if err == nil {
		err = writeFrame(p.s.w, rpcAppendEntries, head, rest...)
	}
	if err != nil {
		return nil, fmt.Errorf("quicnet: request to %s: %w", p.peer, err)
	}
	select {
	case p.inFlight <- f:
		return f, nil
	case <-p.closed:
		return nil, raft.ErrPipelineShutdown
	}
}

// pieces is what the peer needs of an entry. It fails the request if it lacks the
// rest; what Raft repeats upon that is whole.
func (p *pipeline) pieces(l *raft.Log) [][]byte {
	if l.Type != raft.LogCommand {
		return whole(l)
	}
	return p.e.abridged.leave(p.peer, l.Data)
}

func (p *pipeline) receive() {
	for {
		select {
		case f := <-p.inFlight:
			f.err = p.s.conn.SetReadDeadline(time.Now().Add(rpcTimeout))
			if f.err == nil {
				f.err = p.e.readResponse(p.peer, p.s, f.resp)
			}
			if f.err != nil {
				// Raft looks at the response without asking for the error:
				// it must say that nothing was appended.
				clearResponse(f.resp)
			} else {
				p.e.noteAppend(p.peer, f.req, f.resp)
			}
			close(f.done)
			select {
			case p.finished <- f:
			case <-p.closed:
				return
			}
			if f.err != nil {
				// A sender may be waiting for room that nobody makes any more.
				p.Close()
				return
			}
		case <-p.closed:
			return
		}
	}
}

// Consumer implements raft.AppendPipeline.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.finished }

// Close implements raft.AppendPipeline. What is under way is lost.
func (p *pipeline) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.s.conn.Close()
	})
	return nil
}

// An appendFuture is the answer to one pipelined request.
type appendFuture struct {
	start time.Time
	req   *raft.AppendEntriesRequest
	resp  *raft.AppendEntriesResponse
	done  chan struct{}
	err   error
}

// Error waits for the answer.
func (f *appendFuture) Error() error {
	<-f.done
	return f.err
}

// Start returns when the request was sent.
func (f *appendFuture) Start() time.Time { return f.start }

// Request returns the request.
func (f *appendFuture) Request() *raft.AppendEntriesRequest { return f.req }

// Response returns the response; it is valid after Error has returned nil.
func (f *appendFuture) Response() *raft.AppendEntriesResponse { return f.resp }
