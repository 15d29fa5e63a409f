package consensus_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/quicnet"
	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/crypto/sm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var regions = []string{"beijing", "tianjin", "hebei", "shanxi"}

var testLedger = sm.Sum([]byte("a ledger for tests"))

// A cluster is four nodes in one process, over real QUIC sockets on loopback
// and real files.
type cluster struct {
	t       testing.TB
	servers raft.Configuration
	peers   map[string]quicnet.Peer
	keys    map[string]*sm.NodeKey
	members map[string]*member

	snapshots consensus.Snapshots
	marking   consensus.Marking
	tally     bool          // count items instead of keeping them
	elastic   bool          // the directory follows the items
	held      time.Duration // Timers.Held
	heartbeat time.Duration // Timers.Heartbeat

	unwitnessed atomic.Bool // the notaries say nothing
}

type member struct {
	c       *cluster
	id, dir string
	machine *machine
	node    *consensus.Node
	net     *quicnet.Endpoint
	cut     *atomic.Bool // packets are dropped both ways
	fatal   chan error
	marks   marks
	floor   uint64
	drops   func(peer string, item []byte) bool // what it leaves out as leader; nil: nothing

	// conn is the node's socket. It stays open while the node is down, so that
	// nobody else is given its port.
	conn net.PacketConn
}

// calm is the silence after which a new leader is elected where an election in
// between would be another story. Elsewhere it is short: a story that has one
// need not wait for it.
const calm = 3 * time.Second

func newCluster(t testing.TB, snapshots consensus.Snapshots) *cluster {
	c := &cluster{t: t, heartbeat: 300 * time.Millisecond, peers: map[string]quicnet.Peer{}, keys: map[string]*sm.NodeKey{}, members: map[string]*member{}, snapshots: snapshots}
	dir := t.TempDir()
	for _, id := range regions {
		c.enrol(id, dir)
		c.servers.Servers = append(c.servers.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(c.peers[id].Address)})
	}
	t.Cleanup(c.stop)
	return c
}

// enrol gives a node a key and an address that all know.
func (c *cluster) enrol(id, dir string) {
	key, err := sm.Generate[sm.Node](rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	addr := conn.LocalAddr().String()
	c.keys[id] = key
	c.peers[id] = quicnet.Peer{ID: id, Address: addr, Keys: []*sm.NodePublic{key.Public()}, Voter: true}
	c.members[id] = &member{c: c, id: id, dir: filepath.Join(dir, id), machine: newMachine(), cut: new(atomic.Bool), conn: conn}
}

func (c *cluster) key(id string) func() *sm.NodeKey { return func() *sm.NodeKey { return c.keys[id] } }

// The directory of most tests is the genesis's for ever; reconcile_test.go
// has one that follows the items.

func (c *cluster) Members() (m consensus.Membership) {
	for _, s := range c.servers.Servers {
		m = append(m, consensus.Member{ID: string(s.ID), Address: string(s.Address), Voter: true})
	}
	return m
}

func (c *cluster) History() []consensus.Membership           { return []consensus.Membership{c.Members()} }
func (c *cluster) Foresee([][][]byte) []consensus.Membership { return nil }
func (c *cluster) Staged() []consensus.Membership            { return c.History() }

func startCluster(t testing.TB) *cluster {
	c := newCluster(t, consensus.Snapshots{})
	for _, id := range regions {
		c.members[id].start()
	}
	return c
}

func (c *cluster) stop() {
	var all sync.WaitGroup
	for _, m := range c.members {
		all.Go(m.stop)
	}
	all.Wait()
	for _, m := range c.members {
		m.conn.Close()
	}
}

// lent is a socket that stays with the test when its node closes it.
type lent struct{ *net.UDPConn }

func (lent) Close() error { return nil }

// cuttable drops packets while its link is cut. It hides the UDP socket's
// extras, so it is used only where a test cuts.
type cuttable struct {
	net.PacketConn
	cut *atomic.Bool
}

func (c *cuttable) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.PacketConn.ReadFrom(p)
		if err != nil || !c.cut.Load() {
			return n, addr, err
		}
	}
}

func (c *cuttable) WriteTo(p []byte, addr net.Addr) (int, error) {
	if c.cut.Load() {
		return len(p), nil
	}
	return c.PacketConn.WriteTo(p, addr)
}

// socket lends the node's socket to whoever stands for the node now.
func (m *member) socket() net.PacketConn { return lent{m.conn.(*net.UDPConn)} }

func (m *member) open() error {
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("CONSENSUS_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", m.id)
	}
	c := m.c
	conn := m.socket()
	if _, bench := c.t.(*testing.B); !bench {
		conn = &cuttable{PacketConn: conn, cut: m.cut}
	}
	var err error
	m.net, err = quicnet.Listen(quicnet.Config{
		ID: m.id, Address: c.peers[m.id].Address, Key: c.key(m.id), Ledger: testLedger, Conn: conn,
		Directory:    func(id string) (quicnet.Peer, bool) { p, ok := c.peers[id]; return p, ok },
		CheckPayload: consensus.CheckPayload,
		Logger:       logger,
	})
	if err != nil {
		return err
	}
	m.fatal = make(chan error, 1)
	var state consensus.StateMachine = m.machine
	if c.tally {
		state = &tally{machine: m.machine}
	}
	var directory consensus.Directory = c
	if c.elastic {
		directory = elastic{m}
	}
	var network consensus.Network = m.net
	if m.drops != nil {
		network = &censor{Network: m.net, drops: m.drops}
	}
	m.node, err = consensus.Open(consensus.Config{
		ID: m.id, Dir: m.dir, Servers: c.servers, Directory: directory, Network: network, StateMachine: state,
		Ledger: testLedger, Key: c.key(m.id),
		NodeKeys:  func(id string) []*sm.NodePublic { return c.peers[id].Keys },
		Timers:    consensus.Timers{Heartbeat: c.heartbeat, Held: c.held},
		Snapshots: c.snapshots, Marking: c.marking, Marked: m.marks.take, Floor: m.floor, Witness: notary{m},
		Logger: logger,
		Fatal:  func(err error) { m.fatal <- err },
	})
	if err != nil {
		m.net.Close()
		m.node = nil
	}
	return err
}

func (m *member) start() {
	m.c.t.Helper()
	if err := m.open(); err != nil {
		m.c.t.Fatalf("%s: %v", m.id, err)
	}
}

func (m *member) stop() {
	if m.node == nil {
		return
	}
	if err := m.node.Shutdown(); err != nil {
		m.c.t.Logf("%s: %v", m.id, err)
	}
	m.node = nil
}

// crash stops the node and forgets what its state machine had not synced.
func (m *member) crash() {
	m.stop()
	m.machine.crash()
}

func (c *cluster) leader() *member {
	c.t.Helper()
	var found *member
	waiting.Until(c.t, "a leader is known to a majority", func() bool {
		votes := map[string]int{}
		for _, m := range c.members {
			if m.node == nil || m.cut.Load() {
				continue
			}
			if id, ok := m.node.Leader(); ok {
				votes[id]++
			}
		}
		for id, n := range votes {
			if m := c.members[id]; n >= 3 && m.node != nil && !m.cut.Load() {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func (c *cluster) follower() *member {
	leader := c.leader()
	for _, id := range regions {
		if m := c.members[id]; m != leader && m.node != nil && !m.cut.Load() {
			return m
		}
	}
	c.t.Fatal("no follower")
	return nil
}

func (c *cluster) agree(size int) {
	c.t.Helper()
	waiting.Until(c.t, fmt.Sprintf("all running nodes have the same %d entries", size), func() bool {
		var root sm.Digest
		for _, m := range c.members {
			if m.node == nil {
				continue
			}
			n, r, _ := m.machine.state()
			if n != size || !root.IsZero() && r != root {
				return false
			}
			root = r
		}
		return true
	})
}

func (m *member) propose(items ...string) {
	m.c.t.Helper()
	ctx := waiting.Context(m.c.t)
	for _, item := range items {
		if _, err := m.node.Propose(ctx, []byte(item)); err != nil {
			m.c.t.Fatalf("%s proposes %q: %v", m.id, item, err)
		}
	}
}

func numbered(prefix string, n int) (items []string) {
	for i := range n {
		items = append(items, fmt.Sprintf("%s %04d", prefix, i))
	}
	return items
}
