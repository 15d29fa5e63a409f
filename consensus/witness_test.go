package consensus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

// A notary is one member's sight of what the regions have seen: a ledger is
// witnessed at a size when two other members have the same root there. It takes
// the place of signatures, which are not this package's matter; that the
// sender's own word counts for nothing is.
type notary struct{ m *member }

func (n notary) Wait(ctx context.Context, _ uint64) error {
	for n.m.c.unwitnessed.Load() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (n notary) Proof(size uint64) ([]byte, error) { return fmt.Appendf(nil, "size %d", size), nil }

func (n notary) Check(p consensus.Point, proof []byte) error {
	if string(proof) != fmt.Sprintf("size %d", p.Size) {
		return errors.New("the proof is for another size")
	}
	agree := 0
	for id, other := range n.m.c.members {
		if root, err := other.machine.rootAt(p.Size); id != n.m.id && err == nil && root == p.Root {
			agree++
		}
	}
	if agree < 2 {
		return fmt.Errorf("%d members have this root at %d", agree, p.Size)
	}
	return nil
}

// The log keeps what nobody has vouched for yet, and says that it grows; as soon
// as the ledger is witnessed it is cut.
func TestTheLogIsNotCutPastWhatIsWitnessed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, eager)
	c.unwitnessed.Store(true)
	for _, id := range regions {
		c.members[id].start()
	}
	leader := c.leader()
	leader.propose(numbered("kept", 20)...)
	c.agree(20)
	cut := make(chan error, 1)
	go func() { cut <- leader.node.Snapshot() }()
	// It goes on while the snapshot waits.
	leader.propose("meanwhile")
	c.agree(21)
	if s := leader.node.Status(); s.Snapshot != 0 {
		t.Errorf("a snapshot at %d of a ledger that is not witnessed", s.Snapshot)
	}
	if first := firstInLog(t, leader); first != 1 {
		t.Errorf("the log begins at %d", first)
	}
	c.unwitnessed.Store(false)
	select {
	case err := <-cut:
		must(t, err)
	case <-time.After(waiting.Limit):
		t.Fatal("the snapshot is still waiting")
	}
	if first := firstInLog(t, leader); first < 20 {
		t.Errorf("the log still begins at %d", first)
	}
	if got := leader.machine.items(); !slices.Contains(got, "meanwhile") {
		t.Errorf("%v", got)
	}
}

// A node that is closed while its snapshot waits does not wait for it.
func TestAWaitingSnapshotEndsWithTheNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, eager)
	c.unwitnessed.Store(true)
	for _, id := range regions {
		c.members[id].start()
	}
	m := c.leader()
	m.propose("one")
	node := m.node
	ended := make(chan error, 1)
	go func() { ended <- node.Snapshot() }()
	m.stop()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a snapshot was taken")
		}
	case <-time.After(waiting.Limit):
		t.Error("it still waits")
	}
}

func firstInLog(t *testing.T, m *member) uint64 {
	t.Helper()
	r, err := m.node.CheckLog()
	must(t, err)
	return r.First
}
