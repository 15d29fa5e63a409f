package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A Node is one member of the cluster. Its methods may be called concurrently.
type Node struct {
	cfg     Config
	raft    *raft.Raft
	storage *storage

	proposals *proposals
	batcher   *batcher
	marker    *marker
	announcer *announcer
	vigil     *vigil
	applied   appliedIndex

	memberships memberships
	changed     chan struct{} // the directory wants another membership
	waiting     atomic.Pointer[string]

	malformed atomic.Uint64
	poisoned  atomic.Uint64 // snapshots that were refused
	heldBack  atomic.Bool   // the log could be cut, but is not witnessed that far
	badMarks  atomic.Uint64
	present   atomic.Pointer[lane]
	opening   atomic.Pointer[opening]

	forgetting sync.Mutex // one Forget at a time

	elected  chan bool // Raft's word that this node leads or no longer does
	observed chan raft.Observation

	ctx       context.Context
	cancel    context.CancelFunc
	done      <-chan struct{}
	tasks     sync.WaitGroup
	fatalOnce sync.Once
	closeOnce sync.Once
	closeErr  error
}

// Open starts a node: with the genesis's membership the first time, from its
// directory later. An error that wraps ErrRejoin means that the node has lost
// part of its memory and must not vote again under this id.
func Open(cfg Config) (*Node, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	n := &Node{
		cfg:       cfg,
		proposals: newProposals(cfg.Rand),
		elected:   make(chan bool, 8),
		observed:  make(chan raft.Observation, 8),
		changed:   make(chan struct{}, 1),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.done = n.ctx.Done()
	var err error
	if n.storage, err = openStorage(&n.cfg, n.fatal); err != nil {
		n.cancel()
		return nil, err
	}
	n.storage.log.ahead = cfg.StateMachine.Prepare
	n.storage.snapshots.allow = n.allowSnapshot
	n.storage.snapshots.refused = n.refusedSnapshot
	n.applied.at = cfg.StateMachine.Applied()
	n.storage.log.applied.Store(n.applied.at)
	n.memberships.begin(n.applied.at, cfg.Directory.History())
	n.announcer = newAnnouncer(n)
	n.vigil = newVigil(n)
	n.marker = &marker{n: n, grown: make(chan struct{}, 1)}
	n.batcher = newBatcher(cfg.InFlight, n.applyEntry, n.fatal, n.done)

	cfg.Network.Abridge(n.batcher.abridge, n.proposals.restore)
	cfg.Network.Handle(laneName, n.serveLane)
	cfg.Network.Handle(relayName, n.serveRelay)
	cfg.Network.Handle(complaintName, n.vigil.serveComplaint)
	cfg.Network.Handle(readName, n.serveReadIndex)
	cfg.Network.Handle(pulseName, n.servePulse)
	n.raft, err = raft.NewRaft(n.cfg.raftConfig(n.elected), &fsm{n: n}, n.storage.cache, n.storage.stable, n.storage.snapshots, cfg.Network)
	if err != nil {
		n.cancel()
		return nil, errors.Join(fmt.Errorf("consensus: raft: %w", err), n.storage.close())
	}
	n.raft.RegisterObserver(raft.NewObserver(n.observed, false, func(o *raft.Observation) bool {
		_, leader := o.Data.(raft.LeaderObservation)
		return leader
	}))
	n.tasks.Go(n.send)
	n.tasks.Go(n.watchLeader)
	n.tasks.Go(n.watchElection)
	n.tasks.Go(n.batcher.run)
	n.tasks.Go(n.marker.run)
	n.tasks.Go(n.vigil.run)
	n.tasks.Go(n.reconcile)
	cfg.Network.Bind(n.raft, n.allow, n.plausible, n.vigil.distrusts)
	return n, nil
}

// fatal reports a fault that the process must not outlive.
func (n *Node) fatal(err error) { n.fatalOnce.Do(func() { n.cfg.Fatal(err) }) }

// applyEntry gives an entry to Raft; wait returns when it has been applied here.
func (n *Node) applyEntry(data []byte) (wait func() error) {
	return n.raft.ApplyLog(raft.Log{Data: data}, 0).Error
}

// watchElection opens the batcher when this node has been elected and closes it
// when it no longer leads.
func (n *Node) watchElection() {
	term, ready := 0, make(chan int)
	for {
		select {
		case leading := <-n.elected:
			term++ // whoever is still taking office for an earlier one is late
			if present := term; leading {
				n.tasks.Go(func() { n.takeOffice(present, ready) })
			} else {
				n.batcher.lead(false)
			}
		case took := <-ready:
			if took == term {
				n.batcher.lead(true)
				n.proposals.poke()
				n.marker.poke()
			}
		case <-n.done:
			n.batcher.lead(false)
			return
		}
	}
}

// takeOffice appends an entry without items. Once it is applied this node has
// applied all that its predecessors committed, and the index of Raft's own
// no-op, which no state machine sees, lies behind an index that they all reach.
func (n *Node) takeOffice(term int, ready chan<- int) {
	data, err := marshalPayload(nil, nil)
	if err != nil {
		n.fatal(err)
		return
	}
	for n.raft.State() == raft.Leader {
		applied := make(chan error, 1)
		go func() { applied <- n.applyEntry(data)() }()
		select {
		case err = <-applied:
		case <-n.done:
			return
		}
		if err == nil {
			break
		}
		// About to hand over, which may come to nothing.
		n.cfg.Logger.Info("first entry of the term failed", "error", err)
		select {
		case <-time.After(retryMost):
		case <-n.done:
			return
		}
	}
	if err != nil {
		return
	}
	select {
	case ready <- term:
	case <-n.done:
	}
}

// Snapshot takes a snapshot now and cuts the log behind it. It does nothing if
// nothing is new.
func (n *Node) Snapshot() error {
	if err := n.raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("consensus: snapshot: %w", err)
	}
	return nil
}

// Shutdown stops the node and closes its network and its files. Proposals that
// are waiting end with ErrShutdown.
func (n *Node) Shutdown() error {
	n.closeOnce.Do(func() {
		n.proposals.close()
		n.cancel()
		stopped := n.raft.Shutdown()
		// Raft waits for its calls to other nodes; closing ends them.
		err := n.cfg.Network.Close()
		n.closeErr = errors.Join(stopped.Error(), err)
		n.tasks.Wait()
		n.closeErr = errors.Join(n.closeErr, n.storage.close())
	})
	return n.closeErr
}
