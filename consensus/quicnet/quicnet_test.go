package quicnet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus/waiting"
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

func TestRaftRequestsArriveAsTheyWereSent(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 7, "north"), n.node("south", 7, "north")

	configuration := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{
		{ID: "north", Address: raft.ServerAddress(n.peers["north"].Address)},
		{ID: "south", Address: raft.ServerAddress(n.peers["south"].Address)},
	}})
	req := &raft.AppendEntriesRequest{
		Term: 7, PrevLogEntry: 41, PrevLogTerm: 6, LeaderCommitIndex: 40,
		Entries: []*raft.Log{
			entry(6, raft.LogNoop, ""), entry(7, raft.LogCommand, "a payload"),
			entry(7, raft.LogConfiguration, string(configuration)),
		},
	}
	var resp raft.AppendEntriesResponse
	if err := north.AppendEntries("south", "", req, &resp); err != nil {
		t.Fatal(err)
	}
	if !resp.Success || resp.LastLog != 44 || north.Acknowledged("south") != 44 {
		t.Errorf("response %+v, acknowledged %d", resp, north.Acknowledged("south"))
	}
	got := south.heard()[0].(*raft.AppendEntriesRequest)
	if string(got.ID) != "north" || string(got.Addr) != n.peers["north"].Address {
		t.Errorf("the request says it is from %s at %s", got.ID, got.Addr)
	}
	if got.Term != 7 || got.PrevLogEntry != 41 || got.PrevLogTerm != 6 || got.LeaderCommitIndex != 40 || len(got.Entries) != 3 {
		t.Errorf("got %+v", got)
	}
	for i, l := range got.Entries {
		want := req.Entries[i]
		if l.Index != 42+uint64(i) || l.Term != want.Term || l.Type != want.Type || !bytes.Equal(l.Data, want.Data) {
			t.Errorf("entry %d is %+v", i, l)
		}
	}

	var vote raft.RequestVoteResponse
	if err := south.RequestVote("north", "", &raft.RequestVoteRequest{Term: 8, LastLogIndex: 44, LastLogTerm: 7, LeadershipTransfer: true}, &vote); err != nil {
		t.Fatal(err)
	}
	asked := north.heard()[0].(*raft.RequestVoteRequest)
	if !vote.Granted || vote.Term != 8 || asked.Term != 8 || asked.LastLogIndex != 44 || asked.LastLogTerm != 7 || !asked.LeadershipTransfer {
		t.Errorf("vote %+v for %+v", vote, asked)
	}
	var pre raft.RequestPreVoteResponse
	if err := south.RequestPreVote("north", "", &raft.RequestPreVoteRequest{Term: 8}, &pre); err != nil || !pre.Granted {
		t.Errorf("pre-vote %+v, %v", pre, err)
	}
	if err := north.TimeoutNow("south", "", &raft.TimeoutNowRequest{}, new(raft.TimeoutNowResponse)); err != nil {
		t.Error(err)
	}
	snapshot := bytes.Repeat([]byte("entry "), 100_000)
	var installed raft.InstallSnapshotResponse
	err := north.InstallSnapshot("south", "", &raft.InstallSnapshotRequest{
		Term: 7, LastLogIndex: 40, LastLogTerm: 6, Configuration: configuration, ConfigurationIndex: 1, Size: int64(len(snapshot)),
	}, &installed, bytes.NewReader(snapshot))
	if err != nil || !installed.Success {
		t.Errorf("snapshot %+v, %v", installed, err)
	}
}

func TestPipelineKeepsOrderAndCutsWhatIsTooLong(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 3, "north"), n.node("south", 3, "north")
	p, err := north.AppendEntriesPipeline("south", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	big := string(make([]byte, maxAppend/2))
	long := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 9, PrevLogTerm: 3,
		Entries: []*raft.Log{entry(3, raft.LogCommand, big), entry(3, raft.LogCommand, big), entry(3, raft.LogCommand, "third")}}
	if _, err := p.AppendEntries(long, new(raft.AppendEntriesResponse)); err != nil {
		t.Fatal(err)
	}
	if len(long.Entries) != 2 {
		t.Errorf("%d entries sent in one request", len(long.Entries))
	}
	next := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 11, PrevLogTerm: 3, Entries: []*raft.Log{entry(3, raft.LogCommand, "third")}}
	if _, err := p.AppendEntries(next, new(raft.AppendEntriesResponse)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []uint64{11, 12} {
		f := <-p.Consumer()
		if err := f.Error(); err != nil || f.Response().LastLog != want {
			t.Fatalf("answer %+v, %v; want last log %d", f.Response(), err, want)
		}
	}
	if got := len(south.heard()); got != 2 {
		t.Errorf("%d requests arrived", got)
	}
}

// What a peer has is not sent to it on a pipeline. When it has it no more it fails
// that request, and what is sent to it then is whole.
func TestAPipelineLeavesOutWhatThePeerHas(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.endpoint("north"), n.endpoint("south")
	north.Abridge(func(peer string, data []byte) [][]byte {
		return [][]byte{data[:3], []byte("?" + peer), data[6:]}
	}, nil)
	var has atomic.Bool
	has.Store(true)
	south.Abridge(nil, func(data []byte, room int) ([]byte, error) {
		if !has.Load() {
			return nil, errors.New("no longer")
		}
		return bytes.Replace(data, []byte("?south"), []byte("own"), 1), nil
	})
	leader, follower := n.behind(north, 3, "north"), n.behind(south, 3, "north")
	request := func() *raft.AppendEntriesRequest {
		return &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 9, PrevLogTerm: 3,
			Entries: []*raft.Log{entry(3, raft.LogCommand, "an own item"), entry(3, raft.LogNoop, "")}}
	}
	p, err := leader.AppendEntriesPipeline("south", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	send := func() error {
		if _, err := p.AppendEntries(request(), new(raft.AppendEntriesResponse)); err != nil {
			t.Fatal(err)
		}
		f := <-p.Consumer()
		return f.Error()
	}
	arrived := func() string {
		heard := follower.heard()
		return string(heard[len(heard)-1].(*raft.AppendEntriesRequest).Entries[0].Data)
	}
	if err := send(); err != nil || arrived() != "an own item" {
		t.Errorf("%q arrived, %v", arrived(), err)
	}
	has.Store(false)
	if err := send(); !errors.Is(err, errFailedAtPeer) {
		t.Errorf("south lacks the item: %v", err)
	}
	if len(follower.heard()) != 1 || follower.Refused()["payload"] != 0 {
		t.Errorf("Raft heard %d requests, refused %v", len(follower.heard()), follower.Refused())
	}
	has.Store(true) // it would be restored, were it abridged
	if err := leader.AppendEntries("south", "", request(), new(raft.AppendEntriesResponse)); err != nil || arrived() != "an own item" {
		t.Errorf("%q arrived, %v", arrived(), err)
	}
}

func TestNamedStreamsAreServedWithTheirPeersName(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 1, ""), n.node("south", 1, "")
	south.Handle("echo", func(peer string, c net.Conn) {
		io.WriteString(c, peer+" says ")
		io.Copy(c, io.LimitReader(c, 5))
	})
	c, err := north.Open(waiting.Context(t), "south", "echo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "north says hello" {
		t.Errorf("%q, %v", got, err)
	}
	// A name that nobody handles ends the stream, not the connection.
	c2, err := north.Open(waiting.Context(t), "south", "nothing")
	if err != nil {
		t.Fatal(err)
	}
	defer c2.Close()
	if b, err := io.ReadAll(c2); err == nil && len(b) > 0 {
		t.Errorf("got %q from a handler that does not exist", b)
	}
	waiting.Until(t, "the stream was counted", func() bool { return south.Refused()["stream"] == 1 })
}

// A node that comes back is reached at once, though nothing told its peers that
// the old connection is dead.
func TestARestartedPeerIsReachedAgain(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north := n.node("north", 1, "")
	first := n.node("south", 1, "")
	vote := func() error {
		return north.RequestVote("south", "", &raft.RequestVoteRequest{Term: 2}, new(raft.RequestVoteResponse))
	}
	if err := vote(); err != nil {
		t.Fatal(err)
	}
	addr := n.conns["south"].LocalAddr().String()
	n.conns["south"].Close() // as if the process were killed: no farewell
	first.Close()
	n.conns["south"] = listenUDP(t, addr)
	second := n.node("south", 1, "")
	if _, err := second.linkTo(waiting.Context(t), "north"); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "south votes again", func() bool { return vote() == nil })
}

func TestCloseEndsEverything(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 1, ""), n.node("south", 1, "")
	stopped := make(chan struct{})
	south.Handle("wait", func(_ string, c net.Conn) {
		c.Write([]byte("!"))
		io.Copy(io.Discard, c)
		close(stopped)
	})
	c, err := north.Open(waiting.Context(t), "south", "wait")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := north.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	<-stopped // the peer's handler ends with the connection
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a closed endpoint still sends")
	}
	if _, err := north.Open(waiting.Context(t), "south", "wait"); err == nil {
		t.Error("a closed endpoint still dials")
	}
}

// A membership behind entries that are not there yet can't be judged: the
// leader is told where the log ends, as Raft would, and nobody is accused.
func TestAMembershipComesAfterWhatStandsBeforeIt(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 7, "north"), n.node("south", 7, "north")
	members := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "north", Address: "a"}}})
	req := &raft.AppendEntriesRequest{
		Term: 7, PrevLogEntry: lastEntry + 5, PrevLogTerm: 7,
		Entries: []*raft.Log{entry(7, raft.LogConfiguration, string(members))},
	}
	var resp raft.AppendEntriesResponse
	if err := north.AppendEntries("south", "", req, &resp); err != nil || resp.Success || resp.LastLog != lastEntry || !resp.NoRetryBackoff {
		t.Errorf("answered %+v, %v", resp, err)
	}
	if got := south.heard(); len(got) > 0 || south.Refused()["configuration"] != 0 {
		t.Errorf("Raft heard %v, refused %v", got, south.Refused())
	}
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

// gossip is news in the simplest form: the directory as of size 2 has the new
// key of a node.
type gossip struct {
	n    *network
	size atomic.Uint64
}

func (g *gossip) Size() uint64 { return g.size.Load() }

func (g *gossip) Since(size uint64) []byte {
	if size >= g.Size() {
		return nil
	}
	return []byte("the new key")
}

func (g *gossip) Learn(news []byte) error {
	if string(news) != "the new key" {
		return errors.New("a rumour")
	}
	g.size.Store(2)
	return nil
}

// A node that was away while another rotated its key learns of it from that
// very node, and so it can be sure whom it speaks to.
func TestANodeThatWasAwayLearnsTheNewKey(t *testing.T) {
	n := newNetwork(t, "north", "south")
	fresh := newKey(t)
	away, ahead := &gossip{n: n}, &gossip{n: n}
	ahead.size.Store(2)

	rotated := n.config("south")
	rotated.Key, rotated.News = holding(fresh), ahead
	south := n.listen(rotated)
	south.bind(raftView{
		term: func() uint64 { return 1 }, leader: func() string { return "" }, last: func() uint64 { return 0 },
	})
	south.Handle("word", func(_ string, c net.Conn) { c.Write([]byte("hello")) })

	cfg := n.config("north")
	cfg.News = away
	known := cfg.Directory
	cfg.Directory = func(id string) (Peer, bool) {
		p, ok := known(id)
		if id == "south" && away.Size() == 2 {
			p.Keys = []*sm.NodePublic{fresh.Public()}
		}
		return p, ok
	}
	north := n.listen(cfg)
	c, err := north.Open(t.Context(), "south", "word")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if said, err := io.ReadAll(c); err != nil || string(said) != "hello" {
		t.Errorf("heard %q, %v", said, err)
	}
}
