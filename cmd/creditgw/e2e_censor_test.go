//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/quicnet"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
)

// A censor is a member of the consensus in the place of a region's node, with
// its keys and in its directory, and does what a node does but for one thing:
// as the leader it takes no batch of the region that it holds back, whoever
// hands it in. It cosigns nothing and answers no agency.
type censor struct {
	*quicnet.Endpoint
	node  *consensus.Node
	store *store.Store
	holds atomic.Pointer[peers.Region] // nil: nobody's
	leave func()                       // frees directory and address
}

// newCensor stands in for a node whose process does not run.
func newCensor(t *testing.T, n *gateway) *censor {
	t.Helper()
	s := stealKeys(t, n)
	fatal := func(err error) { t.Error(err) }
	x := &censor{}
	var err error
	if x.store, err = store.Open(store.Config{
		Dir: filepath.Join(n.dir, ledgerName), Genesis: s.genesis, Logger: slog.New(slog.DiscardHandler), Fatal: fatal,
	}); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	key := func() *sm.NodeKey { return s.keys.Node }
	if x.Endpoint, err = quicnet.Listen(quicnet.Config{
		ID: s.self.Node.ID, Address: n.addr, Key: key, Ledger: s.genesis.LedgerID(), Conn: conn,
		Directory: s.peer, CheckPayload: consensus.CheckPayload,
	}); err != nil {
		t.Fatal(err)
	}
	if x.node, err = consensus.Open(consensus.Config{
		ID: s.self.Node.ID, Dir: filepath.Join(n.dir, "raft"), Servers: s.servers(), Directory: &membership{store: x.store},
		Network: x, StateMachine: x.store, Ledger: s.genesis.LedgerID(), Key: key,
		NodeKeys: func(id string) []*sm.NodePublic { return x.store.Directory().NodeKeys(id) }, Fatal: fatal,
	}); err != nil {
		t.Fatal(err)
	}
	x.leave = sync.OnceFunc(func() {
		if err := x.node.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := x.store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(x.leave)
	return x
}

// Handle implements consensus.Network.
func (x *censor) Handle(name string, h func(peer string, c net.Conn)) {
	if name != "propose" {
		x.Endpoint.Handle(name, h)
		return
	}
	x.Endpoint.Handle(name, func(peer string, c net.Conn) {
		h(peer, &censored{Conn: c, from: bufio.NewReader(c), held: x.held})
	})
}

func (x *censor) held(item []byte) bool {
	region := x.holds.Load()
	b, err := exchange.ParseBatch(item)
	return err == nil && region != nil && b.Preamble.Origin == *region
}

// lead waits until all others follow the censor. It is the first to stand for
// election, and if it is not the first to win, it does what any member can that
// has the whole log: it asks for votes in the leader's name.
func (x *censor) lead(t *testing.T, others *cluster) {
	t.Helper()
	eventually(t, "the hostile member leads", func() bool {
		mine := x.node.Status()
		if mine.State == "Follower" && mine.Leader != "" {
			x.Stand()
		}
		return mine.State == "Leader" && !slices.ContainsFunc(others.nodes, func(n *gateway) bool { return n.status().Leader != mine.ID })
	})
}

// censored is a member's stream of items without those that are held.
type censored struct {
	net.Conn
	from *bufio.Reader
	held func(item []byte) bool
	let  []byte // through, and not read yet
}

func (c *censored) Read(p []byte) (int, error) {
	for len(c.let) == 0 {
		message := make([]byte, 20) // id and length
		if _, err := io.ReadFull(c.from, message); err != nil {
			return 0, err
		}
		item := make([]byte, binary.BigEndian.Uint32(message[16:]))
		if _, err := io.ReadFull(c.from, item); err != nil {
			return 0, err
		}
		if !c.held(item) {
			c.let = append(message, item...)
		}
	}
	n := copy(p, c.let)
	c.let = c.let[n:]
	return n, nil
}
