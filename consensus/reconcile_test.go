package consensus_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

// elastic is a directory that follows the ledger: the item "member ID" lets a
// node in with a vote, "left ID" lets it go.
type elastic struct{ m *member }

func (e elastic) fold(items []string) []consensus.Membership {
	history := []consensus.Membership{e.m.c.Members()}
	for _, item := range items {
		verb, id, _ := strings.Cut(item, " ")
		last := slices.Clone(history[len(history)-1])
		switch verb {
		case "member":
			last = append(last, consensus.Member{ID: id, Address: e.m.c.peers[id].Address, Voter: true})
		case "left":
			last = slices.DeleteFunc(last, func(m consensus.Member) bool { return m.ID == id })
		default:
			continue
		}
		history = append(history, last)
	}
	return history
}

func (e elastic) History() []consensus.Membership { return e.fold(e.m.machine.items()) }

func (e elastic) Members() consensus.Membership {
	history := e.History()
	return history[len(history)-1]
}

func (e elastic) Foresee(entries [][][]byte) []consensus.Membership {
	items := e.m.machine.items()
	for _, entry := range entries {
		for _, item := range entry {
			if !slices.Contains(items, string(item)) {
				items = append(items, string(item))
			}
		}
	}
	return e.fold(items)
}

func (e elastic) Staged() []consensus.Membership {
	e.m.machine.mu.Lock()
	defer e.m.machine.mu.Unlock()
	var items []string
	for _, item := range e.m.machine.staged {
		items = append(items, string(item))
	}
	return e.fold(items)
}

// elasticCluster lets the directory follow, and keeps two ids in reserve whose
// addresses everybody knows.
func elasticCluster(t *testing.T, snapshots consensus.Snapshots) *cluster {
	c := newCluster(t, snapshots)
	c.elastic = true
	dir := t.TempDir()
	for _, id := range []string{"neimeng", "liaoning"} {
		c.enrol(id, dir)
	}
	for _, id := range regions {
		c.members[id].start()
	}
	return c
}

func (c *cluster) takesPart(id string) bool {
	for _, p := range c.leader().node.Status().Peers {
		if p.ID == id {
			return p.Acknowledged > 0
		}
	}
	return c.leader().id == id
}

func TestRaftFollowsTheDirectory(t *testing.T) {
	t.Parallel()
	c := elasticCluster(t, consensus.Snapshots{})
	c.leader().propose(numbered("before", 10)...)
	c.members["neimeng"].start()
	c.leader().propose("member neimeng")
	c.leader().propose(numbered("after", 10)...)
	c.agree(21)
	waiting.Until(t, "the new node has a place among the leader's peers", func() bool { return c.takesPart("neimeng") })

	// With its vote the cluster lives on without two of the five.
	waiting.Until(t, "the new node votes", func() bool { return c.leader().node.Status().MembershipWaits == "" })
	first, second := c.follower(), c.members[regions[0]]
	if second == first {
		second = c.members[regions[1]]
	}
	first.crash()
	second.crash()
	c.survivor().propose("three of five")
	first.start()
	second.start()
	c.agree(22)

	gone := c.leader() // the leader itself leaves
	gone.propose("left " + gone.id)
	waiting.Until(t, "another one leads", func() bool {
		for _, m := range c.members {
			if id, ok := "", false; m.node != nil && m != gone {
				if id, ok = m.node.Leader(); ok && id != gone.id {
					return true
				}
			}
		}
		return false
	})
	waiting.Until(t, "the one that left is out", func() bool {
		s := c.survivor().node.Status()
		return s.MembershipWaits == "" && !slices.ContainsFunc(s.Peers, func(p consensus.PeerStatus) bool { return p.ID == gone.id })
	})
	c.survivor().propose("without it")
}

// survivor is a node that runs and knows of a leader that runs.
func (c *cluster) survivor() (found *member) {
	c.t.Helper()
	waiting.Until(c.t, "somebody leads", func() bool {
		for _, m := range c.members {
			if m.node == nil {
				continue
			}
			if s := m.node.Status(); s.State == "Leader" && s.Leader == m.id {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// A node that is not there does not get a vote, and the status says why. It
// gets one as soon as it comes.
func TestNoVoteForANodeThatIsNotThere(t *testing.T) {
	t.Parallel()
	c := elasticCluster(t, consensus.Snapshots{})
	c.leader().propose("member neimeng")
	waiting.Until(t, "the leader says what it waits for", func() bool {
		return strings.Contains(c.leader().node.Status().MembershipWaits, "neimeng")
	})
	c.leader().propose("life goes on")
	c.members["neimeng"].start()
	waiting.Until(t, "it votes", func() bool { return c.leader().node.Status().MembershipWaits == "" && c.takesPart("neimeng") })
}

// Whoever was away gets the entry that lets a node in and the configuration
// that follows from it in one request, knowing of neither.
func TestMembershipReachesANodeThatWasAway(t *testing.T) {
	t.Parallel()
	c := elasticCluster(t, consensus.Snapshots{})
	c.leader().propose("before")
	away := c.follower()
	away.crash()
	for _, id := range []string{"neimeng", "liaoning"} {
		c.members[id].start()
		c.leader().propose("member " + id)
		waiting.Until(t, id+" votes", func() bool { return c.leader().node.Status().MembershipWaits == "" && c.takesPart(id) })
	}
	c.leader().propose("left neimeng")
	waiting.Until(t, "it is out", func() bool { return c.leader().node.Status().MembershipWaits == "" && !c.takesPart("neimeng") })
	c.members["neimeng"].stop()
	c.leader().propose(numbered("meanwhile", 20)...)
	away.start()
	c.agree(24)
	if n := away.net.Refused()["configuration"]; n > 0 {
		t.Errorf("refused %d of the memberships", n)
	}
}

// The same by a snapshot, and then once more after everything has restarted
// from what it had synced.
func TestMembershipSurvivesSnapshotsAndRestarts(t *testing.T) {
	t.Parallel()
	c := elasticCluster(t, consensus.Snapshots{Trailing: 1})
	c.leader().propose("before")
	away := c.follower()
	away.crash()
	c.members["neimeng"].start()
	c.leader().propose("member neimeng")
	waiting.Until(t, "it votes", func() bool { return c.leader().node.Status().MembershipWaits == "" && c.takesPart("neimeng") })
	c.leader().propose(numbered("meanwhile", 20)...)
	for _, m := range c.members {
		if m.node != nil {
			if err := m.node.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.leader().propose("behind the snapshot")
	away.start()
	c.agree(23)
	if away.machine.installs == 0 {
		t.Error("the story wants a snapshot")
	}
	for _, m := range c.members {
		if m.node != nil {
			m.crash()
		}
	}
	for _, id := range slices.Concat(regions, []string{"neimeng"}) {
		c.members[id].start()
	}
	c.leader().propose("left neimeng")
	waiting.Until(t, "it is out", func() bool { return c.leader().node.Status().MembershipWaits == "" && !c.takesPart("neimeng") })
	c.leader().propose("and on")
}
