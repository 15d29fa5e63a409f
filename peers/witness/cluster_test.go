package witness_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/consensus/quicnet"
	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
	"github.com/xinqiao/creditgw/peers/witness"
)

var regions = []peers.Region{"110000", "120000", "130000", "140000"}

// A cluster is four nodes with real witnesses, a real Raft and real QUIC
// between them. The ledger is a list of items under a real tree.
type cluster struct {
	t         testing.TB
	directory *peers.Directory
	servers   raft.Configuration
	nodes     []*node
	marking   consensus.Marking
}

type node struct {
	id      string
	region  peers.Region
	key     *sm.NodeKey
	dir     string
	machine *machine
	net     *network
	raft    *consensus.Node
	witness *witness.Witness
	halted  chan witness.Halt
	took    []time.Duration // from a mark to a witnessed checkpoint
	mu      sync.Mutex      // of took
}

func startCluster(t testing.TB) *cluster {
	t.Helper()
	return startMarked(t, consensus.Marking{})
}

func startMarked(t testing.TB, marking consensus.Marking) *cluster {
	t.Helper()
	c := &cluster{t: t, marking: marking}
	addrs := map[peers.Region]string{}
	conns := make([]net.PacketConn, len(regions))
	for i, r := range regions {
		conns[i] = witness.Must(net.ListenPacket("udp", "127.0.0.1:0"))
		addrs[r] = conns[i].LocalAddr().String()
	}
	founded := consortium.FoundAt(addrs)
	c.directory = founded.Directory()
	for _, r := range regions {
		n := &node{id: peers.NodeID(r, 1), region: r, key: founded.Node[r], dir: filepath.Join(t.TempDir(), string(r)),
			machine: newMachine(), halted: make(chan witness.Halt, 1)}
		c.servers.Servers = append(c.servers.Servers, raft.Server{ID: raft.ServerID(n.id), Address: raft.ServerAddress(addrs[r])})
		c.nodes = append(c.nodes, n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, n := range c.nodes {
		c.open(n, conns[i], founded.Witness[n.region])
		running.Go(func() {
			if err := n.witness.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", n.id, err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
		for _, n := range c.nodes {
			if err := errors.Join(n.raft.Shutdown(), n.witness.Close()); err != nil {
				t.Logf("%s: %v", n.id, err)
			}
		}
	})
	return c
}

func (c *cluster) open(n *node, conn net.PacketConn, key *sm.WitnessKey) {
	c.t.Helper()
	logger := slog.New(slog.DiscardHandler)
	endpoint, err := quicnet.Listen(quicnet.Config{
		ID: n.id, Address: conn.LocalAddr().String(), Key: n.nodeKey, Ledger: c.directory.Ledger(), Conn: conn, Logger: logger,
		Directory: func(id string) (quicnet.Peer, bool) {
			p, r, ok := c.directory.NodeByID(id)
			return quicnet.Peer{ID: p.ID, Address: p.Addr, Region: string(r), Keys: c.directory.NodeKeys(id), Voter: ok}, ok
		},
		CheckPayload: consensus.CheckPayload,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	n.net = &network{Endpoint: endpoint}
	if n.witness, err = witness.Open(witness.Config{
		Dir: founded(c.t, n.dir), Evidence: filepath.Join(n.dir, "evidence"), Region: n.region, LedgerID: c.directory.Ledger(),
		Keys: func() []*sm.WitnessKey { return []*sm.WitnessKey{key} }, Ledger: view{machine: n.machine, directory: c.directory}, Network: n.net, Clock: time.Now, Logger: logger,
		Peers: func() (all []witness.Peer) {
			for _, other := range c.nodes {
				if other != n {
					all = append(all, witness.Peer{Node: other.id, Region: other.region})
				}
			}
			return all
		},
		ReadMark: func(raw []byte) (witness.Mark, error) {
			m, err := consensus.ParseMark(raw)
			if err == nil {
				err = m.Verify(c.directory.Ledger(), c.directory.NodeKeys(m.Signer)...)
			}
			return taken(0, m), err
		},
		Halted: func(h witness.Halt) { n.halted <- h },
		Took: func(d time.Duration) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.took = append(n.took, d)
		},
	}); err != nil {
		c.t.Fatal(err)
	}
	if n.raft, err = consensus.Open(consensus.Config{
		ID: n.id, Dir: filepath.Join(n.dir, "raft"), Servers: c.servers, Network: n.net, StateMachine: n.machine,
		Ledger: c.directory.Ledger(), Key: n.nodeKey, NodeKeys: c.directory.NodeKeys, Directory: c.membership(), Logger: logger,
		Marking: c.marking,
		Timers:  consensus.Timers{Heartbeat: 3 * time.Second}, // an election in between would be another story
		Marked:  func(index uint64, m consensus.Mark) { n.witness.Marked(taken(index, m)) }, Floor: n.witness.Floor(),
		Fatal: func(err error) { c.t.Error(err) },
	}); err != nil {
		c.t.Fatal(err)
	}
}

func taken(index uint64, m consensus.Mark) witness.Mark {
	return witness.Mark{Index: index, Term: m.Term, Size: m.Size, Root: m.Root, Signer: m.Signer, Raw: m.Marshal()}
}

func (n *node) nodeKey() *sm.NodeKey { return n.key }

// A membership that does not change.
type membership struct{ members consensus.Membership }

func (c *cluster) membership() membership {
	var m membership
	for _, s := range c.servers.Servers {
		m.members = append(m.members, consensus.Member{ID: string(s.ID), Address: string(s.Address), Voter: true})
	}
	return m
}

func (m membership) Members() consensus.Membership   { return m.members }
func (m membership) History() []consensus.Membership { return []consensus.Membership{m.members} }
func (m membership) Foresee([][][]byte) []consensus.Membership {
	return []consensus.Membership{m.members}
}
func (m membership) Staged() []consensus.Membership { return []consensus.Membership{m.members} }

func (c *cluster) leader() (found *node) {
	waiting.Until(c.t, "somebody leads", func() bool {
		for _, n := range c.nodes {
			id, ok := n.raft.Leader()
			if !ok || found != nil && id != found.id {
				return false
			}
			for _, other := range c.nodes {
				if other.id == id {
					found = other
				}
			}
		}
		return true
	})
	return found
}

// propose has items on the ledger of a node, and of a majority.
func (c *cluster) propose(by *node, items ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waiting.Limit)
	defer cancel()
	for _, item := range items {
		if _, err := by.raft.Propose(ctx, []byte(item)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// A network is an endpoint whose owner may lie to one of the others.
type network struct {
	*quicnet.Endpoint
	lie atomic.Pointer[lie]
}

// A lie changes what one node is sent.
type lie struct {
	to     raft.ServerID
	change func(*raft.AppendEntriesRequest) *raft.AppendEntriesRequest
}

func (n *network) say(to raft.ServerID, r *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	if l := n.lie.Load(); l != nil && l.to == to {
		return l.change(r)
	}
	return r
}

func (n *network) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	return n.Endpoint.AppendEntries(id, target, n.say(id, args), resp)
}

func (n *network) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := n.Endpoint.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &pipeline{AppendPipeline: p, n: n, id: id}, nil
}

type pipeline struct {
	raft.AppendPipeline
	n  *network
	id raft.ServerID
}

func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	return p.AppendPipeline.AppendEntries(p.n.say(p.id, args), resp)
}

// A machine keeps items in memory. Nothing of it survives, and nothing is asked
// to: no node of these tests starts twice.
type machine struct {
	mu     sync.Mutex
	at     uint64
	leaves []sm.Digest
	roots  []sm.Digest // by size
}

func newMachine() *machine {
	return &machine{roots: []sm.Digest{ledger.EmptyRoot()}}
}

func (m *machine) Apply(index, _ uint64, items [][]byte) []any {
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make([]any, len(items))
	for i, item := range items {
		m.leaves = append(m.leaves, ledger.LeafHash(item))
		m.roots = append(m.roots, ledger.RootOf(m.leaves))
		results[i] = len(m.leaves) - 1
	}
	m.at = index
	return results
}

func (m *machine) Applied() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *machine) Point() (uint64, sm.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.leaves)), m.roots[len(m.leaves)]
}

func (m *machine) RootAt(size uint64) (sm.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if size >= uint64(len(m.roots)) {
		return sm.Digest{}, errors.New("not applied")
	}
	return m.roots[size], nil
}

var errNoSnapshots = errors.New("no snapshots here")

func (m *machine) Prepare(uint64, [][]byte)                    {}
func (m *machine) Sync(uint64) error                           { return nil }
func (m *machine) Export(uint64) (io.ReadCloser, int64, error) { return nil, 0, errNoSnapshots }
func (m *machine) Stage(consensus.Point, io.Reader) (sm.Digest, error) {
	return sm.Digest{}, errNoSnapshots
}
func (m *machine) Install(consensus.Point) error { return errNoSnapshots }

// view is the machine as a witness looks at it.
type view struct {
	*machine
	directory *peers.Directory
}

func (v view) Size() uint64 {
	size, _ := v.Point()
	return size
}

func (v view) DirectoryAt(uint64) (*peers.Directory, error) { return v.directory, nil }
