package consensus_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

func TestAnItemProposedAtAFollowerIsAppliedEverywhere(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	f := c.follower()
	got, err := f.node.Propose(waiting.Context(t), []byte("notice 1"))
	if err != nil {
		t.Fatal(err)
	}
	// The result is the follower's own: its state machine is there already.
	if size, _, applied := f.machine.state(); size != 1 || applied < got.Index || got.Result != 0 {
		t.Errorf("outcome %+v, but the proposer has applied %d entries up to %d", got, size, applied)
	}
	c.agree(1)
	for _, m := range c.members {
		if err := m.node.WaitApplied(waiting.Context(t), got.Index); err != nil {
			t.Error(err)
		}
		if told := m.machine.toldOf(got.Index); len(told) != 1 || string(told[0]) != "notice 1" {
			t.Errorf("%s was told of %q before it applied the item", m.id, told)
		}
	}
	s := c.leader().node.Status()
	if s.State != "Leader" || len(s.Peers) != 3 || s.Applied < got.Index || s.Commit < got.Index {
		t.Errorf("leader's status: %+v", s)
	}
}

func TestOrderOfEachOriginIsKept(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader()
	const each = 300
	var all sync.WaitGroup
	for _, m := range c.members {
		all.Go(func() {
			ctx := waiting.Context(t)
			var waits []func() (consensus.Outcome, error)
			for _, item := range numbered(m.id, each) {
				waits = append(waits, m.node.Start(ctx, []byte(item)))
			}
			for _, wait := range waits {
				if _, err := wait(); err != nil {
					t.Errorf("%s: %v", m.id, err)
				}
			}
		})
	}
	all.Wait()
	c.agree(4 * each)
	assertOrder(t, c.members["hebei"].machine.items())
}

func assertOrder(t *testing.T, items []string) {
	t.Helper()
	last := map[string]string{}
	for _, item := range items {
		origin, _, _ := strings.Cut(item, " ")
		if item <= last[origin] {
			t.Fatalf("%q comes after %q", item, last[origin])
		}
		last[origin] = item
	}
}

func TestKillingTheLeaderLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	killed := c.leader()
	const each = 200
	ctx := waiting.Context(t)
	var all sync.WaitGroup
	half := make(chan struct{}, 4)
	for _, m := range c.members {
		if m == killed {
			continue
		}
		all.Go(func() {
			for i, item := range numbered(m.id, each) {
				if _, err := m.node.Propose(ctx, []byte(item)); err != nil {
					t.Errorf("%s: %q: %v", m.id, item, err)
					return
				}
				if i == each/2 {
					half <- struct{}{}
				}
			}
		})
	}
	<-half
	killed.crash()
	all.Wait()
	c.agree(3 * each)
	assertOrder(t, c.leader().machine.items())

	killed.start()
	c.agree(3 * each)
	if got, want := killed.machine.items(), c.leader().machine.items(); !slices.Equal(got, want) {
		t.Error("the node that was killed came back to another ledger")
	}
}

func TestANodeThatIsCutOffCatchesUp(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader().propose("before")
	away := c.leader() // the others must elect a new leader without it
	away.cut.Store(true)
	term := away.node.Status().Term

	// It accepts proposals and can't have them committed.
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := away.node.Propose(ctx, []byte("too short a wait")); err == nil {
		t.Error("a node without a majority says that something is committed")
	}
	wait := away.node.Start(waiting.Context(t), []byte("while away"))

	c.leader().propose(numbered("during", 20)...)
	waiting.Until(t, "it wants to be elected", func() bool { return away.node.Status().State == "Candidate" })
	if s := away.node.Status(); s.Term != term {
		t.Errorf("term went from %d to %d without a vote: it will disturb the others when it is back", term, s.Term)
	}
	away.cut.Store(false)
	if _, err := wait(); err != nil {
		t.Errorf("what was proposed while away: %v", err)
	}
	// "too short a wait" was given up by its caller, not by the log: it may
	// or may not be there, alike everywhere.
	waiting.Until(t, "one ledger", func() bool {
		first, _, _ := c.members["beijing"].machine.state()
		for _, m := range c.members {
			if n, _, _ := m.machine.state(); n != first || n < 22 {
				return false
			}
		}
		return true
	})
}

func TestAllNodesRestart(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader().propose(numbered("first", 30)...)
	c.agree(30)
	want := c.members["shanxi"].machine.items()
	for _, m := range c.members {
		m.crash()
	}
	for _, m := range c.members {
		m.start()
	}
	c.agree(30) // from the log alone: no state machine had synced anything
	if got := c.members["shanxi"].machine.items(); !slices.Equal(got, want) {
		t.Error("another ledger after the restart")
	}
	c.follower().propose("after")
	c.agree(31)
}

func TestReadIndexSeesWhatWasAcknowledgedElsewhere(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	writer, reader := c.leader(), c.follower()
	for i := range 20 {
		item := fmt.Sprintf("item %d", i)
		if i%2 == 1 {
			writer, reader = reader, writer
		}
		writer.propose(item)
		if _, err := reader.node.ReadIndex(waiting.Context(t)); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(reader.machine.items(), item) {
			t.Fatalf("%s does not see %q, which %s has acknowledged", reader.id, item, writer.id)
		}
	}
}

// Who is cut off can't know what the others have acknowledged meanwhile, a
// leader no more than a follower. It asks a majority before it answers, however
// sure it still is of its office.
func TestACutOffNodeReadsNothing(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader().propose("before")
	for _, away := range []*member{c.leader(), c.follower()} {
		away.cut.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), 800*time.Millisecond)
		if _, err := away.node.ReadIndex(ctx); err == nil {
			t.Error("a node that is cut off has read linearizably")
		}
		cancel()
		away.cut.Store(false)
		c.leader()
	}
}

func TestItemsOutsideTheLimitsAreRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	l := c.leader()
	for _, size := range []int{0, consensus.MaxItem + 1} {
		if _, err := l.node.Propose(waiting.Context(t), make([]byte, size)); err != consensus.ErrTooLarge {
			t.Errorf("item of %d bytes: %v", size, err)
		}
	}
	if _, err := c.follower().node.Propose(waiting.Context(t), make([]byte, consensus.MaxItem)); err != nil {
		t.Errorf("largest item: %v", err)
	}
	c.agree(1)
}
