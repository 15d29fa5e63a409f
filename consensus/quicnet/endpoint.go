package quicnet

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"github.com/quic-go/quic-go"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// A Peer is what the directory says of a node.
type Peer struct {
	ID      string
	Address string // host:port of its UDP socket
	Region  string
	Keys    []*sm.NodePublic // in force: two while the node rotates
	Voter   bool
}

// has says whether the key is one of the peer's.
func (p Peer) has(key *sm.NodePublic) bool { return slices.ContainsFunc(p.Keys, key.Equal) }

// Config is what an Endpoint is built from. All fields but Logger and Rand are
// required.
type Config struct {
	ID      string             // own node id
	Address string             // own address, as the others' directories have it
	Key     func() *sm.NodeKey // asked at every handshake: it may be rotated
	Ledger  sm.Digest

	// Conn is taken over and closed by the endpoint. A *net.UDPConn that
	// nothing wraps keeps segmentation offload and ECN.
	Conn net.PacketConn

	// Directory returns the node with this id. It is asked on every
	// handshake and every dial, so a rotated key or a new address counts at
	// once.
	Directory func(id string) (Peer, bool)

	// CheckPayload refuses a command entry whose bytes are damaged. It runs
	// before Raft sees the entry: once stored, damage is fatal.
	CheckPayload func(data []byte) error

	// News carries what has become of the directory to a node that was away:
	// without it a rotation would lock it out for ever. nil: none is told.
	News News

	Logger *slog.Logger
	Rand   io.Reader // of boot ids and signatures' nonces; nil is crypto/rand
}

// News are opaque bytes that prove themselves: docs/formats/peer-stream.md.
type News interface {
	// As of which size of the ledger this node's Directory answers.
	Size() uint64
	// Since is what a node as of that size lacks, at most MaxNews bytes; nil
	// if nothing.
	Since(size uint64) []byte
	// Learn judges what another node tells. What holds counts at once in
	// Directory.
	Learn(news []byte) error
}

// MaxNews bounds the news of one handshake in bytes.
const MaxNews = 2 << 20

const (
	// handshakeTimeout bounds the QUIC handshake and, after it, the proof of
	// identity.
	handshakeTimeout = 3 * time.Second
	// maxPending bounds connections that have not shown who they are.
	maxPending = 16
	// maxStreams bounds the streams that a peer may have open towards us.
	maxStreams = 128
)

// quicConfig holds the settings that docs/performance.md measures: windows that
// keep a WAN link full, a keep-alive that notices a dead peer within the idle
// timeout, no 0-RTT (its data could be replayed).
func quicConfig() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           handshakeTimeout,
		MaxIdleTimeout:                 15 * time.Second,
		KeepAlivePeriod:                3 * time.Second,
		InitialStreamReceiveWindow:     4 << 20,
		MaxStreamReceiveWindow:         16 << 20,
		InitialConnectionReceiveWindow: 8 << 20,
		MaxConnectionReceiveWindow:     32 << 20,
		MaxIncomingStreams:             maxStreams,
		MaxIncomingUniStreams:          -1,
		Allow0RTT:                      false,
	}
}

// A Handler serves one stream that an authenticated peer opened. The stream is
// closed, in both directions, when it returns. A Handler sets the deadlines.
type Handler = func(peer string, c net.Conn)

// An Endpoint is one node's end of all its connections. It implements
// raft.Transport, raft.WithPreVote and raft.WithClose.
type Endpoint struct {
	cfg      Config
	log      *slog.Logger
	boot     bootID
	quic     *quic.Transport
	listener *quic.Listener
	client   *tls.Config

	refusals *refusals
	lobby    lobby
	consumer chan raft.RPC
	raft     raftView
	abridged abridgement
	bound    chan struct{} // closed once raft is set
	bindOnce sync.Once
	beat     atomic.Pointer[func(raft.RPC)]

	ctx       context.Context
	cancel    context.CancelFunc
	closeOnce sync.Once
	tasks     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	handlers map[string]Handler
	dialled  map[string]*dial // own connections, by peer: they carry what we ask
	accepted map[string]*link // the peers' connections: they carry what they ask
	acked    map[string]uint64
}

// raftView is the part of Raft's state that the checks need.
type raftView struct {
	term   func() uint64
	leader func() string
	last   func() uint64 // index of the last entry
	// allow judges the configuration entry at a place of a request.
	allow func(req *raft.AppendEntriesRequest, at int) error
	// plausible judges the configuration of a snapshot.
	plausible func(raft.Configuration) error
	// distrusts says of whom nothing is heard when it stands for election.
	distrusts func(candidate string) bool
}

// An abridgement leaves out of an entry what its receiver has, and restores it.
type abridgement struct {
	leave   func(peer string, data []byte) [][]byte
	restore func(data []byte, room int) ([]byte, error)
}

var (
	_ raft.Transport   = (*Endpoint)(nil)
	_ raft.WithPreVote = (*Endpoint)(nil)
	_ raft.WithClose   = (*Endpoint)(nil)
)

// Listen starts an endpoint. RPCs wait until Bind has been called.
func Listen(cfg Config) (*Endpoint, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	e := &Endpoint{
		cfg:      cfg,
		refusals: newRefusals(),
		log:      cfg.Logger,
		consumer: make(chan raft.RPC),
		bound:    make(chan struct{}),
		handlers: map[string]Handler{},
		dialled:  map[string]*dial{},
		accepted: map[string]*link{},
		acked:    map[string]uint64{},
		abridged: abridgement{
			leave:   func(_ string, data []byte) [][]byte { return [][]byte{data} },
			restore: func(data []byte, _ int) ([]byte, error) { return data, nil },
		},
	}
	if _, err := io.ReadFull(cfg.Rand, e.boot[:]); err != nil {
		return nil, fmt.Errorf("quicnet: boot id: %w", err)
	}
	server, client, err := tlsConfigs()
	if err != nil {
		return nil, err
	}
	e.client = client
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.quic = &quic.Transport{
		Conn: coalesce(cfg.Conn),
		// Retry for everyone: nobody gets more than three times his own
		// bytes out of us towards an address that is not his.
		VerifySourceAddress: func(net.Addr) bool { return true },
	}
	if e.listener, err = e.quic.Listen(server, quicConfig()); err != nil {
		e.cancel()
		return nil, fmt.Errorf("quicnet: listen: %w", err)
	}
	e.goTask(e.accept)
	return e, nil
}

// Handle names the handler of the streams that peers open under this name.
func (e *Endpoint) Handle(name string, h Handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handlers[name] = h
}

// Open opens a stream to the handler of this name at a peer. The caller closes
// it and sets the deadlines.
func (e *Endpoint) Open(ctx context.Context, peer, name string) (net.Conn, error) {
	if len(name) == 0 || len(name) > maxName {
		return nil, fmt.Errorf("quicnet: stream name of %d bytes", len(name))
	}
	l, err := e.linkTo(ctx, peer)
	if err != nil {
		return nil, err
	}
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.Write(append([]byte{streamNamed, byte(len(name))}, name...)); err != nil {
		s.Close()
		return nil, fmt.Errorf("quicnet: open %s at %s: %w", name, peer, err)
	}
	return s, nil
}

// Abridge names what leaves out of a command entry's bytes, on a pipeline, what
// the peer has, and what puts it in again there: up to room bytes. Without it
// entries go out whole. It is called before the endpoint is Raft's.
func (e *Endpoint) Abridge(leave func(peer string, data []byte) [][]byte, restore func(data []byte, room int) ([]byte, error)) {
	e.abridged = abridgement{leave, restore}
}

// Bind gives the endpoint the Raft node whose term and leader the checks need,
// and the judges of what changes the membership and of candidates, lets waiting
// RPCs through and connects to the other members, so that they notice a restart
// at once and an election finds its connections ready.
func (e *Endpoint) Bind(r *raft.Raft, allow func(req *raft.AppendEntriesRequest, at int) error,
	plausible func(raft.Configuration) error, distrusts func(candidate string) bool,
) {
	e.bind(raftView{
		term:   r.CurrentTerm,
		leader: func() string { _, id := r.LeaderWithID(); return string(id) },
		last:   r.LastIndex,
		allow:  allow, plausible: plausible, distrusts: distrusts,
	})
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if id := string(s.ID); id != e.cfg.ID {
			e.goTask(func() {
				ctx, cancel := context.WithTimeout(e.ctx, handshakeTimeout)
				defer cancel()
				if _, err := e.linkTo(ctx, id); err != nil {
					e.log.Debug("peer not reachable yet", "peer", id, "error", err)
				}
			})
		}
	}
}

func (e *Endpoint) bind(v raftView) {
	e.bindOnce.Do(func() {
		e.raft = v
		close(e.bound)
	})
}

// Refused returns how often something was refused, by reason.
func (e *Endpoint) Refused() map[string]uint64 { return e.refusals.counts() }

// Acknowledged returns the highest log index that a peer has acknowledged to
// this node as leader, 0 if none.
func (e *Endpoint) Acknowledged(peer string) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.acked[peer]
}

func (e *Endpoint) acknowledge(peer string, index uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.acked[peer] = max(e.acked[peer], index)
}

// Close ends all connections and returns when no goroutine of the endpoint
// runs any more. Handlers see their streams fail.
func (e *Endpoint) Close() error {
	var err error
	e.closeOnce.Do(func() {
		e.mu.Lock()
		e.closed = true
		links := slices.Collect(maps.Values(e.accepted))
		for _, d := range e.dialled {
			select {
			case <-d.done:
				if d.err == nil {
					links = append(links, d.link)
				}
			default:
			}
		}
		e.mu.Unlock()
		for _, l := range links {
			// The peers need not wait for the idle timeout. An error says
			// that they know already.
			_ = l.conn.CloseWithError(0, "closed")
		}
		e.cancel()
		err = errors.Join(e.listener.Close(), e.quic.Close(), e.cfg.Conn.Close())
		e.tasks.Wait()
	})
	return err
}

// goTask runs f unless the endpoint is closed; Close waits for it.
func (e *Endpoint) goTask(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.tasks.Go(f)
}

func (e *Endpoint) accept() {
	for {
		conn, err := e.listener.Accept(e.ctx)
		if err != nil {
			return
		}
		v := &visitor{from: comesFrom(conn.RemoteAddr()), out: func() {
			e.refuse(refusedBusy, conn.RemoteAddr().String(), "too many connections without identity")
			closeConn(conn, refusedBusy)
		}}
		e.lobby.enter(v)
		e.goTask(func() { e.admit(conn, v) })
	}
}
