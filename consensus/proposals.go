package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

var (
	// ErrTooLarge is returned for an item of no or too many bytes. It has not
	// been proposed.
	ErrTooLarge = errors.New("consensus: item is empty or larger than 512 KiB")
	// ErrShutdown is returned when the node shuts down. An item under way may
	// still be applied.
	ErrShutdown = errors.New("consensus: node has been shut down")
)

// An Outcome is what this node's own state machine said of an item.
type Outcome struct {
	Index  uint64 // of the Raft entry
	Result any
}

// A proposal waits for its item to come back through the log.
type proposal struct {
	proposed
	done    chan Outcome // one slot
	settled bool         // answered or given up
	foreign bool         // another node's, which the leader holds back
}

// proposals are the items of this node that have not come back yet, in the
// order in which they were proposed. One goroutine sends them to the leader, all
// of them again whenever the leader, its term or the way to it has changed: an
// item that comes twice is the state machine's to recognise.
type proposals struct {
	rand io.Reader
	wake chan struct{} // one slot

	mu     sync.Mutex
	closed bool
	byID   map[proposalID]*proposal
	queue  []*proposal
	unsent int // index into queue
	// round counts what makes everything be sent again.
	round uint64
}

func newProposals(rand io.Reader) *proposals {
	return &proposals{rand: rand, wake: make(chan struct{}, 1), byID: map[proposalID]*proposal{}}
}

// Start proposes an item and returns at once. Items started one after the other
// reach the leader in that order. wait returns this node's own result, or an
// error when ctx ends or the node shuts down; the item may still be applied
// then. wait must be called, once.
func (n *Node) Start(ctx context.Context, item []byte) (wait func() (Outcome, error)) {
	p, err := n.proposals.add(item)
	if err != nil {
		return func() (Outcome, error) { return Outcome{}, err }
	}
	return func() (Outcome, error) {
		select {
		case o := <-p.done:
			return o, nil
		case <-ctx.Done():
			n.proposals.drop(p)
			return Outcome{}, fmt.Errorf("consensus: outcome unknown: %w", context.Cause(ctx))
		case <-n.done:
			return Outcome{}, ErrShutdown
		}
	}
}

// Propose proposes an item and waits for this node's own result.
func (n *Node) Propose(ctx context.Context, item []byte) (Outcome, error) {
	return n.Start(ctx, item)()
}

func (q *proposals) add(item []byte) (*proposal, error) {
	if len(item) == 0 || len(item) > MaxItem {
		return nil, ErrTooLarge
	}
	p := &proposal{proposed: proposed{item: item}, done: make(chan Outcome, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrShutdown
	}
	if _, err := io.ReadFull(q.rand, p.id[:]); err != nil {
		return nil, fmt.Errorf("consensus: proposal id: %w", err)
	}
	q.enqueue(p)
	return p, nil
}

func (q *proposals) enqueue(p *proposal) {
	q.byID[p.id] = p
	q.queue = append(q.queue, p)
	q.poke()
}

// adopt proposes another node's item under the id by which that node knows it.
// It returns false if there is one of that id already.
func (q *proposals) adopt(item proposed) (*proposal, bool) {
	p := &proposal{proposed: item, done: make(chan Outcome, 1), foreign: true}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.byID[p.id] != nil {
		return nil, false
	}
	q.enqueue(p)
	return p, true
}

// oldest is the one that has been under way for longest, nil if none is.
func (q *proposals) oldest() *proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unsent == 0 {
		return nil
	}
	return q.queue[0]
}

// own are the items under way that this node itself has proposed, at most
// limit bytes and at least one.
func (q *proposals) own(limit int) (items []proposed) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.queue[:q.unsent] {
		if p.settled || p.foreign {
			continue
		}
		if limit -= len(p.item); limit < 0 && len(items) > 0 {
			break
		}
		items = append(items, p.proposed)
	}
	return items
}

func (q *proposals) drop(p *proposal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settle(p)
}

func (q *proposals) settle(p *proposal) {
	p.settled = true
	p.item = nil
	delete(q.byID, p.id)
	for len(q.queue) > 0 && q.queue[0].settled {
		q.queue[0] = nil
		q.queue = q.queue[1:]
		q.unsent = max(q.unsent-1, 0)
	}
}

// deliver hands the results of an applied entry to those of its items that were
// proposed here. The leader has seen the ids: one that stands beside other bytes
// is not an answer.
func (q *proposals) deliver(index uint64, ids []proposalID, items [][]byte, results []any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.byID) == 0 {
		return
	}
	for i, id := range ids {
		if p := q.byID[id]; p != nil && bytes.Equal(p.item, items[i]) {
			p.done <- Outcome{Index: index, Result: results[i]}
			q.settle(p)
		}
	}
}

// resend has everything that has not come back sent again.
func (q *proposals) resend() {
	q.mu.Lock()
	q.round++
	q.mu.Unlock()
	q.poke()
}

// poke wakes the sender; a poke that finds one pending adds nothing.
func (q *proposals) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *proposals) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// take returns what is to be sent, from the beginning if again is set.
func (q *proposals) take(again bool) (items []proposed) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if again {
		q.unsent = 0
	}
	for _, p := range q.queue[q.unsent:] {
		if !p.settled {
			items = append(items, p.proposed)
		}
	}
	q.unsent = len(q.queue)
	return items
}

func (q *proposals) roundNow() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.round
}

// A route is the way to the leader that items have been sent on. When it is not
// the present one any more, what was sent on it counts as lost.
type route struct {
	leader string
	term   uint64
	round  uint64
}

const (
	retryFirst = 5 * time.Millisecond
	retryMost  = 200 * time.Millisecond
)

// send is the goroutine that brings the proposals to the leader.
func (n *Node) send() {
	var (
		last  route
		out   outlet
		pause = retryFirst
		retry <-chan time.Time
	)
	drop := func() {
		if out != nil {
			out.close() // what was on it is sent again
			out = nil
		}
	}
	defer drop()
	for {
		select {
		case <-n.proposals.wake:
		case <-retry:
		case <-n.done:
			return
		}
		retry = nil
		now := route{leader: n.leaderID(), term: n.raft.CurrentTerm(), round: n.proposals.roundNow()}
		if now != last {
			drop()
			last = now
		}
		if now.leader == "" {
			continue // Raft's observer wakes us when there is one
		}
		fresh := out == nil
		var err error
		if fresh {
			out, err = n.outletTo(now.leader)
		}
		if err == nil {
			if items := n.proposals.take(fresh); len(items) > 0 {
				err = out.write(items)
			}
		}
		if err != nil {
			drop()
			retry = time.After(pause)
			pause = min(2*pause, retryMost)
			continue
		}
		pause = retryFirst
	}
}

// An outlet takes items to the leader's batcher: the node's own, or another's
// by a lane.
type outlet interface {
	write([]proposed) error
	close()
}

func (n *Node) outletTo(leader string) (outlet, error) {
	if leader == n.cfg.ID {
		return &ownQueue{b: n.batcher, s: n.batcher.source(n.cfg.ID, 0, n.proposals.resend)}, nil
	}
	l, err := n.openLane(leader)
	if err != nil {
		return nil, err // not l: an outlet that holds a nil lane is not nil
	}
	return l, nil
}

type ownQueue struct {
	b *batcher
	s *source
}

func (q *ownQueue) write(items []proposed) error { return q.b.push(q.s, items...) }
func (q *ownQueue) close()                       { q.b.leave(q.s) }

// watchLeader wakes the sender when the leader changes.
func (n *Node) watchLeader() {
	for {
		select {
		case <-n.observed:
			n.breakLane()
			n.proposals.poke()
		case <-n.done:
			return
		}
	}
}
