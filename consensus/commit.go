package consensus

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// A follower learns that an entry has been committed with the next append, after
// it has stored what is in it, or when the leader has been idle for CommitTimeout;
// only then can a proposer there be answered. So the leader says it at once,
// with the message that Raft itself sends at the timeout: an append without
// entries behind the committed one, in that one's term.
type announcer struct {
	n *Node

	mu    sync.Mutex
	peers map[raft.ServerID]announcedPeer
}

type announcedPeer struct {
	server raft.Server
	latest chan *raft.AppendEntriesRequest // one slot: an older one says less
}

func newAnnouncer(n *Node) *announcer {
	return &announcer{n: n, peers: map[raft.ServerID]announcedPeer{}}
}

// others are those of the present configuration, each with somebody who tells
// it.
func (a *announcer) others() []announcedPeer {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []announcedPeer
	for _, s := range a.n.raft.GetConfiguration().Configuration().Servers {
		if string(s.ID) == a.n.cfg.ID {
			continue
		}
		p, ok := a.peers[s.ID]
		if !ok {
			p = announcedPeer{server: s, latest: make(chan *raft.AppendEntriesRequest, 1)}
			a.peers[s.ID] = p
			a.n.tasks.Go(func() { a.run(p) })
		}
		out = append(out, p)
	}
	return out
}

// committed tells the others that an entry has been committed. One of an earlier
// leader they pass over, for its term is over.
func (a *announcer) committed(l *raft.Log) {
	req := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax,
			ID:              []byte(a.n.cfg.ID), Addr: []byte(a.n.cfg.Network.LocalAddr()),
		},
		Term: l.Term, PrevLogEntry: l.Index, PrevLogTerm: l.Term, LeaderCommitIndex: l.Index,
	}
	for _, p := range a.others() {
		select {
		case <-p.latest:
		default:
		}
		select {
		case p.latest <- req:
		default:
		}
	}
}

// The pauses between attempts to tell a peer that is still storing the entry: it
// was not one of those whose word committed it.
const (
	announceAgain = time.Millisecond
	announceLast  = 16 * time.Millisecond
)

// run tells one peer.
func (a *announcer) run(p announcedPeer) {
	for {
		select {
		case req := <-p.latest:
			a.tell(p, req)
		case <-a.n.done:
			return
		}
	}
}

// tell returns when the peer knows or Raft will tell it: a peer that is not there,
// or not nearly that far, is Raft's business.
func (a *announcer) tell(p announcedPeer, req *raft.AppendEntriesRequest) {
	for pause := announceAgain; pause <= announceLast; pause *= 2 {
		var resp raft.AppendEntriesResponse
		if err := a.n.cfg.Network.AppendEntries(p.server.ID, p.server.Address, req, &resp); err != nil {
			a.n.cfg.Logger.Debug("commit not announced", "peer", p.server.ID, "error", err)
			return
		}
		if resp.Success || resp.Term > req.Term {
			return
		}
		select {
		case req = <-p.latest:
		case <-time.After(pause):
		case <-a.n.done:
			return
		}
	}
}
