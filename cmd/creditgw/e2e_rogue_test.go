//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus/quicnet"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
)

// stolen is what a region's node keeps, in the hands of this test. The node's
// process must have ended.
type stolen struct {
	self    peers.Member
	keys    *Keys
	genesis *peers.Genesis
	entries []exchange.Entry // the ledger that the node had applied
}

// startBetrayed starts four regions, gives them a ledger and turns one against
// the others: its process is gone, and what it kept is with the test.
func startBetrayed(t *testing.T) (c *cluster, hostile *gateway, s *stolen) {
	t.Helper()
	c = startCluster(t)
	for _, n := range c.nodes {
		n.submit(exchange.WaitCommitted, n.notices(c.follower(n).region, 3)...)
	}
	c.agree()
	hostile = c.region("140000")
	hostile.stop()
	return c, hostile, steal(t, hostile)
}

func steal(t *testing.T, n *gateway) *stolen {
	t.Helper()
	s := stealKeys(t, n)
	dir := filepath.Join(t.TempDir(), "ledger")
	copyTree(t, filepath.Join(n.dir, "ledger"), dir)
	ledger, err := store.Open(store.Config{
		Dir: dir, Genesis: s.genesis, Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.entries, err = ledger.Entries(0, int(ledger.Head().Size)); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// stealKeys leaves the ledger alone.
func stealKeys(t *testing.T, n *gateway) *stolen {
	t.Helper()
	passphrase, err := os.ReadFile(n.file("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	var s stolen
	if s.keys, s.self, err = loadKeys(n.dir, passphrase[:len(passphrase)-1]); err != nil {
		t.Fatal(err)
	}
	if s.genesis, err = loadGenesis(n.dir, s.self); err != nil {
		t.Fatal(err)
	}
	return &s
}

// peer is a founder's node, as the network asks for it.
func (s *stolen) peer(id string) (quicnet.Peer, bool) {
	for _, m := range s.genesis.Members {
		if m.Node.ID == id {
			return quicnet.Peer{ID: id, Address: m.Node.Addr, Region: string(m.Region), Keys: []*sm.NodePublic{m.Node.Key}, Voter: true}, true
		}
	}
	return quicnet.Peer{}, false
}

// batches are the batches of one origin, as they were accepted.
func (s *stolen) batches(origin peers.Region) (out []exchange.Batch) {
	for _, e := range s.entries {
		if e.Header.Origin != origin {
			continue
		}
		if e.Item() == 0 {
			info := e.Batch
			out = append(out, exchange.Batch{
				RawPreamble: info.RawPreamble, Preamble: info.Preamble, Signature: info.Signature, Wraps: info.Wraps,
			})
		}
		last := &out[len(out)-1]
		last.Items = append(last.Items, exchange.Item{Header: e.RawHeader, Body: e.Body})
	}
	return out
}

// A rogue speaks the peers' protocol under an identity and says what it likes.
// It takes part in nothing: what the others ask it, answer decides.
type rogue struct {
	*quicnet.Endpoint
	t      *testing.T
	answer atomic.Pointer[func(command any) (any, error)]
}

// silent answers no request.
func silent(any) (any, error) { return nil, errors.New("no answer") }

// newRogue takes the place of the node whose address is listen; others reach it
// only there.
func newRogue(t *testing.T, s *stolen, id string, key *sm.NodeKey, listen string) *rogue {
	t.Helper()
	conn, err := net.ListenPacket("udp", listen)
	if err != nil {
		t.Fatal(err)
	}
	r := &rogue{t: t}
	r.Endpoint, err = quicnet.Listen(quicnet.Config{
		ID: id, Address: listen, Key: func() *sm.NodeKey { return key }, Ledger: s.genesis.LedgerID(), Conn: conn,
		Directory:    s.peer,
		CheckPayload: func([]byte) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.answers(silent)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case rpc := <-r.Consumer():
				if rpc.Reader != nil {
					_, _ = io.Copy(io.Discard, rpc.Reader)
				}
				rpc.Respond((*r.answer.Load())(rpc.Command))
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		r.leave()
	})
	r.Bind(deafRaft(t), func(*raft.AppendEntriesRequest, int) error { return nil },
		func(raft.Configuration) error { return nil }, func(string) bool { return false })
	return r
}

// leave frees the address.
func (r *rogue) leave() { _ = r.Close() }

func (r *rogue) answers(f func(command any) (any, error)) { r.answer.Store(&f) }

// deafRaft is what an endpoint must be bound to: a Raft of no members, which
// hears nothing.
func deafRaft(t *testing.T) *raft.Raft {
	t.Helper()
	conf := raft.DefaultConfig()
	conf.LocalID, conf.LogLevel = "deaf", "OFF"
	log := raft.NewInmemStore()
	_, transport := raft.NewInmemTransport("deaf")
	r, err := raft.NewRaft(conf, &raft.MockFSM{}, log, log, raft.NewInmemSnapshotStore(), transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Shutdown().Error() })
	return r
}

// propose hands an item to the leader as any member may, and leaves the lane
// open: what is waiting on a lane goes with it.
func (r *rogue) propose(leader string, item []byte) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lane, err := r.Open(ctx, leader, "propose")
	if err != nil {
		r.t.Fatal(err)
	}
	message := make([]byte, 16, 20+len(item))
	_, _ = rand.Read(message) // the proposal's id; never fails
	message = binary.BigEndian.AppendUint32(message, uint32(len(item)))
	if _, err := lane.Write(append(message, item...)); err != nil {
		r.t.Fatal(err)
	}
}
