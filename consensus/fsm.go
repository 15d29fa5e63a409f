package consensus

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// fsm stands between Raft and the state machine. All methods but those of the
// snapshot run on one goroutine of Raft's.
type fsm struct {
	n    *Node
	seen uint64 // the last command entry that Raft has shown
	term uint64 // and its term
}

var _ raft.FSM = (*fsm)(nil)

// Apply applies one entry, unless a start-up or a snapshot has put the state
// machine ahead of it. Results go to those who wait for them on this node; the
// leader's future carries none.
func (f *fsm) Apply(l *raft.Log) any {
	f.seen, f.term = l.Index, l.Term
	n := f.n
	if l.Index <= n.applied.index() {
		return nil
	}
	mark, ids, items, err := parsePayload(l.Data)
	if err != nil {
		// All nodes have these bytes and pass them over alike.
		n.malformed.Add(1)
		n.cfg.Logger.Error("malformed entry passed over", "index", l.Index, "term", l.Term)
	}
	if len(mark) > 0 {
		n.readMark(l.Index, l.Term, mark)
	}
	n.batcher.shown(ids)
	if n.batcher.inCharge() {
		n.announcer.committed(l)
	}
	results := n.cfg.StateMachine.Apply(l.Index, l.Term, items)
	if len(results) != len(items) {
		n.fatal(fmt.Errorf("consensus: %d results for %d items of entry %d", len(results), len(items), l.Index))
		return nil
	}
	n.storage.log.applied.Store(l.Index)
	// Before the index is: whoever sees the index finds the membership.
	if n.memberships.applied(l.Index, n.cfg.Directory.Members()) {
		n.pokeReconcile()
	}
	n.proposals.deliver(l.Index, ids, items, results)
	if len(items) > 0 {
		n.vigil.taken.Store(l.Index)
	}
	n.applied.advance(l.Index)
	if len(items) > 0 && n.batcher.inCharge() {
		n.marker.poke()
	}
	return nil
}

// Snapshot notes the point that the state machine is at. While entries from
// before a restart are shown again there is none for the index that Raft has in
// mind.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.seen < f.n.applied.index() {
		return nil, raft.ErrNothingNewToSnapshot
	}
	size, root := f.n.cfg.StateMachine.Point()
	return &fsmSnapshot{n: f.n, point: Point{Index: f.seen, Term: f.term, Size: size, Root: root}}, nil
}

// Restore installs the snapshot that the sink has verified. The reader has
// nothing in it.
func (f *fsm) Restore(io.ReadCloser) error {
	p, err := f.n.storage.snapshots.install()
	if err != nil {
		f.n.fatal(err)
		return err
	}
	f.seen, f.term = p.Index, p.Term
	f.n.storage.log.applied.Store(p.Index)
	f.n.storage.beginConfigurations()
	f.n.memberships.begin(p.Index, f.n.cfg.Directory.History())
	f.n.applied.advance(p.Index)
	// Own items may be in the part that was skipped. Sent again, they are
	// answered as duplicates by the state machine.
	f.n.proposals.resend()
	return nil
}

type fsmSnapshot struct {
	n     *Node
	point Point
}

var errForeignSink = errors.New("consensus: snapshot into a store of another kind")

// Persist makes the state machine durable past the point, and waits until the
// point is witnessed: the log is cut there. It is not on the goroutine that
// applies entries.
func (s *fsmSnapshot) Persist(to raft.SnapshotSink) error {
	k, ok := to.(*sink)
	if !ok || k.index != s.point.Index {
		return errForeignSink
	}
	if err := s.n.awaitWitness(s.point.Size); err != nil {
		return err
	}
	if err := s.n.cfg.StateMachine.Sync(s.point.Index); err != nil {
		s.n.fatal(fmt.Errorf("syncing the state up to entry %d: %w", s.point.Index, err))
		return err
	}
	k.persist(s.point.Size, s.point.Root)
	return s.n.boundTrailing()
}

func (s *fsmSnapshot) Release() {}
