package consensus

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// A configuration acts as soon as it is in a node's log, uncommitted, so a
// follower judges it before Raft stores it. It must be one step from the
// configuration before it in the log, towards a membership that the directory
// has had since then, or will have by the entries that stand before it and that
// this node has not applied yet.
//
// That never holds up replication: an honest leader takes a step only towards a
// membership that it has applied, after it has applied the configuration before.
// That membership was made by entries that stand before the new one in the log.
// Whoever is about to store the new one has those entries, by Raft's own check
// of the predecessor, and works out from them what the leader has: it need not
// know how far they are committed.

// errUnexplained is the refusal of a configuration that no entry explains.
var errUnexplained = errors.New("consensus: the directory does not explain this membership")

// allow judges the configuration entry at place at of an append. It returns
// raft.ErrLogNotFound when this node's log does not reach up to the entries, so
// that the leader has to send older ones first.
func (n *Node) allow(req *raft.AppendEntriesRequest, at int) error {
	entry := req.Entries[at]
	applied := n.applied.index()
	var own raft.Log
	switch err := n.storage.cache.GetLog(entry.Index, &own); {
	case err == nil && own.Term == entry.Term:
		return nil // it is in the log; Raft passes over it
	case entry.Index <= applied:
		return fmt.Errorf("consensus: another configuration at %d, %d has been applied", entry.Index, applied)
	}
	if !n.follows(req) {
		return raft.ErrLogNotFound
	}
	// The network has read the bytes: Raft's decoder panics on others.
	next := raft.DecodeConfiguration(entry.Data)
	before, known := n.storage.log.configurations.before(req.PrevLogEntry)
	for _, l := range req.Entries[:at] {
		if l.Type == raft.LogConfiguration {
			// Judged already: entries are in order.
			before, known = numbered{l.Index, raft.DecodeConfiguration(l.Data)}, true
		}
	}
	if !known {
		return CheckConfiguration(n.cfg.Servers, next)
	}
	if explained(before.configuration, next, n.memberships.since(before.index)) {
		return nil
	}
	pending, err := n.pending(applied, req, at)
	if err != nil {
		return err
	}
	if explained(before.configuration, next, n.cfg.Directory.Foresee(pending)) {
		return nil
	}
	return errUnexplained
}

// follows says whether this node's log holds the entry that the request builds
// on.
func (n *Node) follows(req *raft.AppendEntriesRequest) bool {
	if req.PrevLogEntry == 0 {
		return true
	}
	var l raft.Log
	if n.storage.cache.GetLog(req.PrevLogEntry, &l) == nil {
		return l.Term == req.PrevLogTerm
	}
	index, term := n.storage.snapshots.end()
	return req.PrevLogEntry == index && req.PrevLogTerm == term
}

// pending lists the items of the entries behind applied and before place at of
// the request.
func (n *Node) pending(applied uint64, req *raft.AppendEntriesRequest, at int) ([][][]byte, error) {
	var out [][][]byte
	add := func(l *raft.Log) {
		if l.Type != raft.LogCommand {
			return
		}
		// Malformed entries are passed over, here as in Apply.
		if _, _, items, err := parsePayload(l.Data); err == nil {
			out = append(out, items)
		}
	}
	for index := applied + 1; index <= req.PrevLogEntry; index++ {
		var l raft.Log
		if err := n.storage.cache.GetLog(index, &l); err != nil {
			return nil, fmt.Errorf("consensus: entry %d before a configuration: %w", index, err)
		}
		add(&l)
	}
	for _, l := range req.Entries[:at] {
		if l.Index > applied {
			add(l)
		}
	}
	return out, nil
}

// explained says whether next is before with one server changed as one of the
// memberships has it.
func explained(before, next raft.Configuration, memberships []Membership) bool {
	was, is, ok := difference(before, next)
	if !ok {
		return false
	}
	for _, m := range memberships {
		member, in := m.find(cmp.Or(is.ID, was.ID))
		switch {
		case is.ID == "": // removed
			ok = !in
		case is.Suffrage == raft.Nonvoter && was.Suffrage == raft.Voter && was.ID != "": // demoted
			ok = in && !member.Voter
		default: // added, at first without a vote, or given one
			ok = in && string(is.Address) == member.Address && (is.Suffrage == raft.Nonvoter || member.Voter)
		}
		if ok {
			return true
		}
	}
	return false
}

// difference finds the one server that next adds, changes or lacks: as it was
// and as it is, either without an id where there is none.
func difference(before, next raft.Configuration) (was, is raft.Server, one bool) {
	old := make(map[raft.ServerID]raft.Server, len(before.Servers))
	for _, s := range before.Servers {
		old[s.ID] = s
	}
	changes, seen := 0, make(map[raft.ServerID]bool, len(next.Servers))
	for _, s := range next.Servers {
		if s.ID == "" || seen[s.ID] {
			return was, is, false
		}
		seen[s.ID] = true
		if old[s.ID] != s {
			was, is = old[s.ID], s
			changes++
		}
		delete(old, s.ID)
	}
	for _, s := range old {
		was, is = s, raft.Server{}
		changes++
	}
	return was, is, changes == 1
}

// plausible refuses the membership of a snapshot that contradicts what this
// node knows, before Raft hears of it: an id has one address for ever. Servers
// that it does not know may have come since; allowSnapshot judges those.
func (n *Node) plausible(c raft.Configuration) error {
	history := n.cfg.Directory.History()
	for _, s := range c.Servers {
		for _, m := range history {
			if member, in := m.find(s.ID); in && member.Address != string(s.Address) {
				return fmt.Errorf("consensus: membership with %q at another address", s.ID)
			}
		}
	}
	return nil
}

// allowSnapshot judges the configuration that comes with a snapshot by the
// directory that its entries have yielded: all servers are known to it, and
// those that vote are most of its voters at some time.
func (n *Node) allowSnapshot(c raft.Configuration) error {
	history := n.cfg.Directory.Staged()
	for _, s := range c.Servers {
		known := false
		for _, m := range history {
			member, in := m.find(s.ID)
			known = known || in && member.Address == string(s.Address) && (s.Suffrage == raft.Nonvoter || member.Voter)
		}
		if !known {
			return fmt.Errorf("consensus: the snapshot's membership has %q, which its entries do not know so", s.ID)
		}
	}
	for _, m := range history {
		voters, present := 0, 0
		for _, member := range m {
			if member.Voter {
				voters++
				for _, s := range c.Servers {
					if s == member.server() {
						present++
					}
				}
			}
		}
		if 2*present > voters {
			return nil
		}
	}
	return errUnexplained
}
