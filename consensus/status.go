package consensus

// Status is what a node knows of itself and, as leader, of the others.
type Status struct {
	ID       string
	State    string // Follower, Candidate, Leader or Shutdown
	Leader   string // "" if none is known
	Term     uint64
	Commit   uint64 // highest index known to be committed
	Applied  uint64 // highest entry with items that has been applied here
	LastLog  uint64
	Snapshot uint64 // index where the newest snapshot ends, 0 if none
	// Malformed counts intact entries in no known form: a leader's doing.
	Malformed uint64
	BadMarks  uint64 // marks that were passed over
	// Poisoned counts snapshots that came and were refused.
	Poisoned uint64
	// HeldBack says that the log can't be cut because nothing is witnessed up
	// to where it could be.
	HeldBack bool
	// Deposed counts the elections that this node has forced against a leader
	// that held items back.
	Deposed uint64
	Peers   []PeerStatus // on the leader only
	// MembershipWaits says, on the leader, why Raft's configuration is not the
	// directory's yet; "" if it is.
	MembershipWaits string
}

// PeerStatus is a follower as the leader sees it.
type PeerStatus struct {
	ID           string
	Acknowledged uint64 // highest index that it has in its log
	Lag          uint64 // entries that it lacks
}

// Status returns the present state. Its fields are read one after the other.
func (n *Node) Status() Status {
	s := Status{
		ID:        n.cfg.ID,
		State:     n.raft.State().String(),
		Leader:    n.leaderID(),
		Term:      n.raft.CurrentTerm(),
		Commit:    n.raft.CommitIndex(),
		Applied:   n.applied.index(),
		LastLog:   n.raft.LastIndex(),
		Malformed: n.malformed.Load(),
		Poisoned:  n.poisoned.Load(),
		HeldBack:  n.heldBack.Load(),
		BadMarks:  n.badMarks.Load(),
		Deposed:   n.vigil.stood.Load(),
		Snapshot:  n.storage.snapshots.index(),
	}
	if s.Leader != s.ID {
		return s
	}
	s.MembershipWaits = n.membershipWaits()
	for _, id := range n.others() {
		p := PeerStatus{ID: id, Acknowledged: n.cfg.Network.Acknowledged(id)}
		p.Lag = s.LastLog - min(p.Acknowledged, s.LastLog)
		s.Peers = append(s.Peers, p)
	}
	return s
}

// Leader returns the node that leads, as far as this one knows.
func (n *Node) Leader() (id string, known bool) {
	id = n.leaderID()
	return id, id != ""
}

func (n *Node) leaderID() string {
	_, id := n.raft.LeaderWithID()
	return string(id)
}

func (s *snapshots) index() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return 0
	}
	return s.current.Index
}

// others are the ids of the other servers that Raft has now.
func (n *Node) others() (ids []string) {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if id := string(s.ID); id != n.cfg.ID {
			ids = append(ids, id)
		}
	}
	return ids
}
