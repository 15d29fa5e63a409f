package quicnet

import (
	"errors"

	"github.com/hashicorp/raft"
)

// maxTermStep is how far ahead of ours a peer's term may be. Terms grow by one
// an election; a node would have to miss a thousand of them to be refused
// wrongly, and a liar can't use up the 64 bits.
const maxTermStep = 1000

// check decides whether Raft may hear this request from this peer. The header
// and the deprecated address fields have been filled from the connection, so
// what remains is what a member could lie about.
func (e *Endpoint) check(peer Peer, command any) *refusedError {
	switch req := command.(type) {
	case *raft.AppendEntriesRequest:
		if err := e.checkLeader(peer, req.Term); err != nil {
			return err
		}
		return e.checkEntries(req)
	case *raft.InstallSnapshotRequest:
		if err := e.checkLeader(peer, req.Term); err != nil {
			return err
		}
		// Its sink judges the membership by what the snapshot's entries yield;
		// here goes what is wrong whatever they do.
		c, err := decodeConfiguration(req.Configuration)
		if err == nil {
			err = e.view().plausible(c)
		}
		if err != nil {
			return refuse(refusedConfiguration, "%v", err)
		}
		return nil
	case *raft.RequestVoteRequest:
		return e.checkCandidate(peer, req.Term)
	case *raft.RequestPreVoteRequest:
		return e.checkCandidate(peer, req.Term)
	case *raft.TimeoutNowRequest:
		// It makes us stand for election at once and others vote although
		// they have a leader; only that leader may ask for it.
		if leader := e.view().leader(); leader != peer.ID {
			return refuse(refusedNotLeader, "election demanded, the leader is %q", leader)
		}
		return nil
	}
	return refuse(refusedMalformed, "request of an unknown kind")
}

// view waits for Bind: Raft is running before the endpoint knows of it.
func (e *Endpoint) view() raftView {
	select {
	case <-e.bound:
		return e.raft
	case <-e.ctx.Done():
		return raftView{
			term: func() uint64 { return 0 }, leader: func() string { return "" }, last: func() uint64 { return 0 },
			allow:     func(*raft.AppendEntriesRequest, int) error { return errClosed },
			plausible: func(raft.Configuration) error { return errClosed },
			distrusts: func(string) bool { return true },
		}
	}
}

func (e *Endpoint) checkTerm(term uint64) *refusedError {
	current := e.view().term()
	if term > current && term-current > maxTermStep {
		return refuse(refusedTerm, "term %d, ours is %d", term, current)
	}
	return nil
}

func (e *Endpoint) checkCandidate(peer Peer, term uint64) *refusedError {
	if !peer.Voter {
		return refuse(refusedNotVoter, "stands for election")
	}
	if e.view().distrusts(peer.ID) {
		return refuse(refusedCandidate, "stands for election, and held back as leader what it was given")
	}
	return e.checkTerm(term)
}

// checkLeader lets pass what only a leader sends. A term has one leader: a
// second one in the same term was never elected. The term is read before the
// leader, for Raft clears the leader before it raises the term.
func (e *Endpoint) checkLeader(peer Peer, term uint64) *refusedError {
	if !peer.Voter {
		return refuse(refusedNotVoter, "acts as leader")
	}
	if err := e.checkTerm(term); err != nil {
		return err
	}
	v := e.view()
	if term == v.term() {
		if leader := v.leader(); leader != "" && leader != peer.ID {
			return refuse(refusedSecondLeader, "acts as leader of term %d, which is %q", term, leader)
		}
	}
	return nil
}

// checkEntries looks at each entry before Raft stores it: configurations act
// from that moment, uncommitted, and Raft panics on kinds and on bytes that it
// doesn't know.
func (e *Endpoint) checkEntries(req *raft.AppendEntriesRequest) *refusedError {
	before := req.PrevLogTerm
	for i, l := range req.Entries {
		if l.Term < before || l.Term > req.Term {
			return refuse(refusedEntry, "entry %d of term %d after %d in term %d", l.Index, l.Term, before, req.Term)
		}
		before = l.Term
		switch l.Type {
		case raft.LogCommand:
			if err := e.cfg.CheckPayload(l.Data); err != nil {
				return refuse(refusedPayload, "entry %d: %v", l.Index, err)
			}
		case raft.LogConfiguration:
			if err := e.checkConfiguration(req, i); err != nil {
				return err
			}
		case raft.LogNoop, raft.LogBarrier:
			if len(l.Data) > 0 {
				return refuse(refusedEntry, "entry %d carries bytes that nobody reads", l.Index)
			}
		default:
			return refuse(refusedEntry, "entry %d of kind %d", l.Index, l.Type)
		}
	}
	return nil
}

func (e *Endpoint) checkConfiguration(req *raft.AppendEntriesRequest, at int) *refusedError {
	if _, err := decodeConfiguration(req.Entries[at].Data); err != nil {
		return refuse(refusedConfiguration, "%v", err)
	}
	switch err := e.view().allow(req, at); {
	case errors.Is(err, raft.ErrLogNotFound):
		return refuse(refusedBehind, "entries from %d on, ours end at %d", req.PrevLogEntry+1, e.view().last())
	case err != nil:
		return refuse(refusedConfiguration, "entry %d: %v", req.Entries[at].Index, err)
	}
	return nil
}
