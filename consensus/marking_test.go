package consensus_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

// marks are what a node was shown, in order.
type marks struct {
	mu  sync.Mutex
	all []consensus.Mark
}

func (s *marks) take(_ uint64, m consensus.Mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, m)
}

// of returns those of a size.
func (s *marks) of(size int) (found []consensus.Mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.all {
		if m.Size == uint64(size) {
			found = append(found, m)
		}
	}
	return found
}

// Soon after the ledger has grown every node knows at which size to compare
// roots, and on an idle ledger it is told so again and again.
func TestTheLeaderMarksTheLedger(t *testing.T) {
	t.Parallel()
	c := newCluster(t, consensus.Snapshots{})
	c.marking = consensus.Marking{Busy: 10 * time.Millisecond, Idle: 30 * time.Millisecond}
	for _, id := range regions {
		c.members[id].start()
	}
	c.follower().propose(numbered("notice", 5)...)
	leader := c.leader()
	_, root, _ := leader.machine.state()
	for _, m := range c.members {
		waiting.Until(t, m.id+" has seen the ledger marked twice", func() bool { return len(m.marks.of(5)) >= 2 })
		for _, mark := range m.marks.of(5) {
			if mark.Root != root {
				t.Errorf("%s: mark %+v, root %s", m.id, mark, root)
			}
		}
		if s := m.node.Status(); s.BadMarks != 0 {
			t.Errorf("%s: %d bad marks", m.id, s.BadMarks)
		}
	}
	// Nor does a new leader wait for growth.
	before := len(leader.marks.of(5))
	leader.stop()
	other := c.leader()
	waiting.Until(t, "the next leader marks", func() bool {
		all := other.marks.of(5)
		return len(all) > before && all[len(all)-1].Signer == other.id
	})
}

// A log that was put back to before what its node has cosigned is refused.
func TestALogBelowTheFloorIsRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader().propose("notice")
	m := c.follower()
	reach := m.node.Status().LastLog
	m.stop()
	m.floor = reach
	m.start()
	m.stop()
	m.floor = reach + 1000
	if err := m.open(); err == nil || !errors.Is(err, consensus.ErrRejoin) {
		t.Errorf("a log that was rolled back opens: %v", err)
	}
}
