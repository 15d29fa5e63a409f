package consensus_test

import (
	"bytes"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/quicnet"
)

// A member's node falls into the wrong hands, with its key. It can be a nuisance
// to the others; it can't push their term away, change the membership or plant
// a snapshot, not even until the next restart.
func TestARogueMemberMovesNothing(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader().propose(numbered("honest", 20)...)
	c.agree(20)
	stolen := c.follower()
	stolen.stop()
	victim := c.follower()
	term := c.leader().node.Status().Term

	rogue, err := quicnet.Listen(quicnet.Config{
		ID: stolen.id, Address: c.peers[stolen.id].Address, Key: c.key(stolen.id), Ledger: testLedger,
		Conn:         stolen.socket(),
		Directory:    func(id string) (quicnet.Peer, bool) { p, ok := c.peers[id]; return p, ok },
		CheckPayload: func([]byte) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rogue.Close()
	rogue.Bind(idleRaft(t, rogue), func(*raft.AppendEntriesRequest, int) error { return nil },
		func(raft.Configuration) error { return nil }, func(string) bool { return false })

	forged := raft.Configuration{Servers: append(c.servers.Servers[:3:3], raft.Server{ID: "nowhere", Address: "192.0.2.1:1"})}
	target := raft.ServerID(victim.id)
	lied := 0
	for _, lie := range []struct {
		name string
		say  func() error
	}{
		{"a vote for the highest term", func() error {
			return rogue.RequestVote(target, "", &raft.RequestVoteRequest{Term: ^uint64(0), LastLogIndex: 1 << 40, LastLogTerm: ^uint64(0)}, new(raft.RequestVoteResponse))
		}},
		{"entries of the highest term", func() error {
			return rogue.AppendEntries(target, "", &raft.AppendEntriesRequest{Term: ^uint64(0)}, new(raft.AppendEntriesResponse))
		}},
		{"a forged membership", func() error {
			return rogue.AppendEntries(target, "", &raft.AppendEntriesRequest{
				Term: term + 1, Entries: []*raft.Log{{Term: term + 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(forged)}},
			}, new(raft.AppendEntriesResponse))
		}},
		{"an election", func() error {
			return rogue.TimeoutNow(target, "", &raft.TimeoutNowRequest{}, new(raft.TimeoutNowResponse))
		}},
		// Last: for a while it makes the victim take the rogue for its leader.
		{"a snapshot with a forged membership", func() error {
			return rogue.InstallSnapshot(target, "", &raft.InstallSnapshotRequest{
				Term: term + 1, LastLogIndex: 1 << 30, LastLogTerm: term, Configuration: raft.EncodeConfiguration(forged), Size: 3,
			}, new(raft.InstallSnapshotResponse), bytes.NewReader([]byte("lie")))
		}},
	} {
		if err := lie.say(); err == nil {
			t.Errorf("%s was answered", lie.name)
		}
		lied++
	}
	refused := uint64(0)
	for _, n := range victim.net.Refused() {
		refused += n
	}
	if refused < uint64(lied)-1 { // the snapshot got as far as its sink
		t.Errorf("%d lies, counted %v", lied, victim.net.Refused())
	}
	for range 2 {
		// Honest elections come on top of what the rogue has said.
		if s := victim.node.Status(); s.Term > 1<<20 || s.Applied > 1<<20 || s.Snapshot != 0 {
			t.Errorf("the victim has moved: %+v", s)
		}
		c.leader().propose("still here " + victim.node.Status().State)
		victim.crash()
		victim.start()
	}
	if err := consensus.CheckConfiguration(c.servers, forged); err == nil {
		t.Error("the forged membership is the cluster's")
	}
}

// idleRaft gives the rogue's endpoint a Raft of its own, so that
// it may say what it likes and takes what the cluster sends it.
func idleRaft(t *testing.T, trans raft.Transport) *raft.Raft {
	store := raft.NewInmemStore()
	conf := raft.DefaultConfig()
	conf.LocalID = "idle"
	conf.LogLevel = "OFF"
	r, err := raft.NewRaft(conf, &raft.MockFSM{}, store, store, raft.NewInmemSnapshotStore(), trans)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Shutdown().Error() })
	return r
}
