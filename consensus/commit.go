package consensus

import (
	"github.com/hashicorp/raft"
)

// An idle follower learns that an entry has been committed at the next append or
// after CommitTimeout, whichever is first, and only then can a proposer there be
// answered: 5 to 10 ms for nothing. So the leader says it at once, when nothing
// is behind the entry that would say it anyway, with the message that Raft
// itself sends at the timeout: an append without entries behind the committed
// one, in the term in which this node had it committed.
type announcer struct {
	n     *Node
	peers []announcedPeer
}

type announcedPeer struct {
	server raft.Server
	latest chan *raft.AppendEntriesRequest // one slot: an older one says less
}

func newAnnouncer(n *Node) *announcer {
	a := &announcer{n: n}
	for _, s := range n.cfg.Servers.Servers {
		if string(s.ID) != n.cfg.ID {
			a.peers = append(a.peers, announcedPeer{server: s, latest: make(chan *raft.AppendEntriesRequest, 1)})
		}
	}
	return a
}

// committed tells the others that the entry at index, appended by this node as
// leader, has been committed.
func (a *announcer) committed(index uint64) {
	var l raft.Log
	if a.n.storage.cache.GetLog(index, &l) != nil {
		return
	}
	req := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax,
			ID:              []byte(a.n.cfg.ID), Addr: []byte(a.n.cfg.Network.LocalAddr()),
		},
		Term: l.Term, PrevLogEntry: index, PrevLogTerm: l.Term, LeaderCommitIndex: index,
	}
	for _, p := range a.peers {
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

// run tells one peer. That it is not there, or not that far, is Raft's business.
func (a *announcer) run(p announcedPeer) {
	for {
		select {
		case req := <-p.latest:
			var resp raft.AppendEntriesResponse
			if err := a.n.cfg.Network.AppendEntries(p.server.ID, p.server.Address, req, &resp); err != nil {
				a.n.cfg.Logger.Debug("commit not announced", "peer", p.server.ID, "error", err)
			}
		case <-a.n.done:
			return
		}
	}
}
