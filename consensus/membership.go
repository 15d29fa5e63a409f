package consensus

import (
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// Member is a node as the directory has it.
type Member struct {
	ID      string
	Address string // host:port of its UDP socket
	Voter   bool   // else it only follows
}

// Membership is who should take part in Raft, in ascending order of id.
type Membership []Member

// Directory is what the ledger says of who takes part. Raft's configuration
// follows it: the leader changes one server at a time until both agree.
type Directory interface {
	// Members is the membership as of what is applied.
	Members() Membership
	// History is every one that there has been, oldest first; the last is
	// Members.
	History() []Membership
	// Foresee is every one that there would be if these entries, each a list
	// of items, were applied next. Nothing is applied, and what is applied
	// already is passed over.
	Foresee(entries [][][]byte) []Membership
	// Staged is the history of the snapshot that was staged last.
	Staged() []Membership
}

// Configuration is the membership as Raft writes it.
func (m Membership) Configuration() raft.Configuration {
	var c raft.Configuration
	for _, member := range m {
		c.Servers = append(c.Servers, member.server())
	}
	return c
}

func (m Member) server() raft.Server {
	s := raft.Server{Suffrage: raft.Nonvoter, ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.Address)}
	if m.Voter {
		s.Suffrage = raft.Voter
	}
	return s
}

func (m Membership) find(id raft.ServerID) (Member, bool) {
	i := slices.IndexFunc(m, func(m Member) bool { return m.ID == string(id) })
	if i < 0 {
		return Member{}, false
	}
	return m[i], true
}

// memberships remembers since which Raft index each membership is the
// directory's, as far as this process has seen it come. Older ones count as of
// where the process began, or where a snapshot was installed.
type memberships struct {
	mu   sync.Mutex
	list []dated
}

type dated struct {
	index   uint64
	members Membership
}

func (m *memberships) begin(index uint64, history []Membership) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = nil
	for _, members := range history {
		m.list = append(m.list, dated{index, members})
	}
}

// applied notes the membership behind an entry and says whether it is another.
func (m *memberships) applied(index uint64, members Membership) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.list); n > 0 && slices.Equal(m.list[n-1].members, members) {
		return false
	}
	m.list = append(m.list, dated{index, members})
	return true
}

// since lists those that were in force at an index or came after it.
func (m *memberships) since(index uint64) []Membership {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := 0
	for i, d := range m.list {
		if d.index <= index {
			first = i
		}
	}
	var out []Membership
	for _, d := range m.list[first:] {
		out = append(out, d.members)
	}
	return out
}

// configurations are the memberships in the Raft log, in order, and the one
// that a snapshot begins from.
type configurations struct {
	mu   sync.Mutex
	list []numbered
}

type numbered struct {
	index         uint64
	configuration raft.Configuration
}

func (c *configurations) begin(index uint64, configuration raft.Configuration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = []numbered{{index, configuration}}
}

// note takes in an entry of the log, or of a log that is being read.
func (c *configurations) note(l *raft.Log) {
	if l.Type != raft.LogConfiguration {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, numbered{l.Index, raft.DecodeConfiguration(l.Data)})
}

// cut drops what stood from index on: a suffix that another leader overwrites.
func (c *configurations) cut(index uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = slices.DeleteFunc(c.list, func(n numbered) bool { return n.index >= index })
}

// before is the last one at or before index.
func (c *configurations) before(index uint64) (numbered, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range slices.Backward(c.list) {
		if n.index <= index {
			return n, true
		}
	}
	return numbered{}, false
}

// CheckConfiguration reports whether got is the membership want: the same
// servers with the same addresses and votes, in any order.
func CheckConfiguration(want, got raft.Configuration) error {
	if len(want.Servers) != len(got.Servers) {
		return fmt.Errorf("consensus: membership of %d servers, not %d", len(got.Servers), len(want.Servers))
	}
	known := make(map[raft.Server]bool, len(want.Servers))
	for _, s := range want.Servers {
		known[s] = true
	}
	for _, s := range got.Servers {
		if !known[s] {
			return fmt.Errorf("consensus: membership with %q, which is not one of the cluster's", s.ID)
		}
		delete(known, s)
	}
	return nil
}
