package main

import (
	"cmp"
	"slices"
	"sync"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/quicnet"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
)

// membership shows consensus the ledger's directory as what Raft must follow.
type membership struct {
	store *store.Store

	mu      sync.Mutex
	of      *peers.Directory // of which present is
	present consensus.Membership
}

var _ consensus.Directory = (*membership)(nil)

// Members is asked after every entry, and the directory seldom changes.
func (m *membership) Members() consensus.Membership {
	d := m.store.Directory()
	m.mu.Lock()
	defer m.mu.Unlock()
	if d != m.of {
		m.of, m.present = d, membersOf(d)
	}
	return m.present
}

func (m *membership) History() []consensus.Membership {
	return membersOfAll(m.store.Directories())
}

func (m *membership) Foresee(entries [][][]byte) []consensus.Membership {
	// A fault of the disk shows when the entries are applied; what could be
	// foreseen up to it counts.
	directories, _ := m.store.Foresee(entries)
	return membersOfAll(directories)
}

func (m *membership) Staged() []consensus.Membership {
	return membersOfAll(m.store.StagedDirectories())
}

// membersOfAll leaves out those that equal the one before.
func membersOfAll(directories []*peers.Directory) []consensus.Membership {
	var all []consensus.Membership
	for _, d := range directories {
		members := membersOf(d)
		if n := len(all); n == 0 || !slices.Equal(all[n-1], members) {
			all = append(all, members)
		}
	}
	return all
}

func membersOf(d *peers.Directory) consensus.Membership {
	var out consensus.Membership
	for _, n := range d.Nodes() {
		out = append(out, consensus.Member{ID: n.ID, Address: n.Addr, Voter: d.Votes(n)})
	}
	slices.SortFunc(out, func(a, b consensus.Member) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// founders are the nodes of the genesis; all vote.
func founders(g *peers.Genesis) consensus.Membership {
	var out consensus.Membership
	for _, m := range g.Members {
		out = append(out, consensus.Member{ID: m.Node.ID, Address: m.Node.Addr, Voter: true})
	}
	return out
}

// peer is the newest roster, as the network asks it.
func (n *node) peer(id string) (quicnet.Peer, bool) {
	d := n.news.roster()
	p, region, ok := d.NodeByID(id)
	if !ok {
		return quicnet.Peer{}, false
	}
	record, _ := d.Node(id)
	return quicnet.Peer{
		ID: p.ID, Address: p.Addr, Region: string(region), Keys: d.NodeKeys(id), Voter: d.Votes(record),
	}, true
}

// nodeKeys are those in force of a node; two while it rotates.
func (n *node) nodeKeys(id string) []*sm.NodePublic { return n.store.Directory().NodeKeys(id) }
