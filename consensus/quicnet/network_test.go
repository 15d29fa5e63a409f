package quicnet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/crypto/sm"
)

var testLedger = sm.Sum([]byte("test ledger"))

// A network is a directory and the endpoints of some of its nodes, on loopback
// sockets.
type network struct {
	t  testing.TB
	mu sync.Mutex

	peers map[string]Peer
	keys  map[string]*sm.NodeKey
	conns map[string]net.PacketConn

	distrusted string // of whom no node hears that it stands for election
}

func newNetwork(t testing.TB, ids ...string) *network {
	n := &network{t: t, peers: map[string]Peer{}, keys: map[string]*sm.NodeKey{}, conns: map[string]net.PacketConn{}}
	for _, id := range ids {
		n.enrol(id, true)
	}
	return n
}

func newKey(t testing.TB) *sm.NodeKey {
	key, err := sm.Generate[sm.Node](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (n *network) enrol(id string, voter bool) {
	conn := listenUDP(n.t, "127.0.0.1:0")
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keys[id] = newKey(n.t)
	n.conns[id] = conn
	n.peers[id] = Peer{ID: id, Address: conn.LocalAddr().String(), Keys: []*sm.NodePublic{n.keys[id].Public()}, Voter: voter}
}

func listenUDP(t testing.TB, addr string) net.PacketConn {
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (n *network) directory(id string) (Peer, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, ok := n.peers[id]
	return p, ok
}

func (n *network) remove(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.peers, id)
}

func (n *network) config(id string) Config {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Config{
		ID: id, Address: n.peers[id].Address, Key: holding(n.keys[id]), Ledger: testLedger,
		Conn: n.conns[id], Directory: n.directory,
		CheckPayload: func(data []byte) error {
			if bytes.HasPrefix(data, []byte("rotten")) {
				return errors.New("checksum")
			}
			return nil
		},
		Logger: slog.New(slog.NewTextHandler(testWriter{n.t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Helper()
	return len(p), nil
}

func (n *network) listen(cfg Config) *Endpoint {
	e, err := Listen(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { e.Close() })
	return e
}

// holding is a node that does not rotate its key.
func holding(k *sm.NodeKey) func() *sm.NodeKey { return func() *sm.NodeKey { return k } }

// lastEntry is the last one of the log that a node stands in for.
const lastEntry = 1000

func (n *network) known(c raft.Configuration) error {
	for _, s := range c.Servers {
		if _, known := n.directory(string(s.ID)); !known {
			return errors.New("a server that the directory does not have")
		}
	}
	return nil
}

// A node is an endpoint with a stand-in for Raft behind it: a term, a leader,
// and a record of the requests that got through.
type node struct {
	*Endpoint
	mu     sync.Mutex
	term   uint64
	leader string
	got    []any
	reply  func(command any) any
}

func (n *network) node(id string, term uint64, leader string) *node {
	return n.behind(n.endpoint(id), term, leader)
}

func (n *network) endpoint(id string) *Endpoint { return n.listen(n.config(id)) }

// behind puts the stand-in behind an endpoint.
func (n *network) behind(e *Endpoint, term uint64, leader string) *node {
	nd := &node{Endpoint: e, term: term, leader: leader}
	nd.bind(raftView{
		term:   func() uint64 { nd.mu.Lock(); defer nd.mu.Unlock(); return nd.term },
		leader: func() string { nd.mu.Lock(); defer nd.mu.Unlock(); return nd.leader },
		last:   func() uint64 { return lastEntry },
		allow: func(req *raft.AppendEntriesRequest, at int) error {
			if req.PrevLogEntry > lastEntry {
				return raft.ErrLogNotFound
			}
			c, err := decodeConfiguration(req.Entries[at].Data)
			return errors.Join(err, n.known(c))
		},
		plausible: n.known,
		distrusts: func(candidate string) bool { return candidate == n.distrusted },
	})
	nd.reply = func(command any) any {
		switch req := command.(type) {
		case *raft.AppendEntriesRequest:
			return &raft.AppendEntriesResponse{Term: req.Term, LastLog: req.PrevLogEntry + uint64(len(req.Entries)), Success: true}
		case *raft.RequestVoteRequest:
			return &raft.RequestVoteResponse{Term: req.Term, Granted: true}
		case *raft.RequestPreVoteRequest:
			return &raft.RequestPreVoteResponse{Term: req.Term, Granted: true}
		case *raft.InstallSnapshotRequest:
			return &raft.InstallSnapshotResponse{Term: req.Term, Success: true}
		default:
			return &raft.TimeoutNowResponse{}
		}
	}
	answer := func(rpc raft.RPC) {
		if rpc.Reader != nil {
			if _, err := io.Copy(io.Discard, rpc.Reader); err != nil {
				rpc.Respond(nil, err)
				return
			}
		}
		nd.mu.Lock()
		nd.got = append(nd.got, rpc.Command)
		reply := nd.reply
		nd.mu.Unlock()
		rpc.Respond(reply(rpc.Command), nil)
	}
	nd.SetHeartbeatHandler(answer)
	nd.goTask(func() {
		for {
			select {
			case rpc := <-nd.Consumer():
				answer(rpc)
			case <-nd.ctx.Done():
				return
			}
		}
	})
	return nd
}

func (nd *node) heard() []any {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	return append([]any(nil), nd.got...)
}

func entry(term uint64, kind raft.LogType, data string) *raft.Log {
	return &raft.Log{Term: term, Type: kind, Data: []byte(data)}
}

// greeted reads a hello and finds out who sent it.
func (e *Endpoint) greeted(s io.Reader, want string, exporter []byte, role byte) (Peer, bootID, error) {
	h, err := e.readHello(s, want)
	if err != nil {
		return Peer{}, bootID{}, err
	}
	peer, err := e.checkHello(h, exporter, role)
	return peer, h.boot, err
}
