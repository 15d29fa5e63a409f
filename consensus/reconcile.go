package consensus

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	pulseName  = "pulse"
	pulseLimit = 2 * time.Second
	// pulseLag is how many entries a server may be behind and still count:
	// under load nobody is ever there quite.
	pulseLag = 1024
	// reconcileAgain is how often the leader looks again at a change that it
	// could not make: a server that was down, or far behind, may be there now.
	reconcileAgain = time.Second
	changeLimit    = 10 * time.Second
)

// A step brings Raft's configuration one server nearer to the directory's
// membership.
type step struct {
	kind   raft.ConfigurationChangeCommand
	server raft.Server
}

func (s step) String() string {
	switch s.kind {
	case raft.RemoveServer:
		return "remove " + string(s.server.ID)
	case raft.DemoteVoter:
		return "take the vote of " + string(s.server.ID)
	case raft.AddVoter:
		return "give a vote to " + string(s.server.ID)
	default:
		return "add " + string(s.server.ID)
	}
}

// steps lists what is to be done, in this order: who has left goes first, so
// that a configuration is never counted on who is gone; a new server follows
// before it votes. self comes last of those who go: it is the one that does it.
func steps(now raft.Configuration, want Membership, self string) []step {
	var out []step
	for _, s := range now.Servers {
		member, in := want.find(s.ID)
		switch {
		case !in:
			out = append(out, step{raft.RemoveServer, s})
		case s.Suffrage == raft.Voter && !member.Voter:
			out = append(out, step{raft.DemoteVoter, s})
		}
	}
	for _, member := range want {
		i := slices.IndexFunc(now.Servers, func(s raft.Server) bool { return string(s.ID) == member.ID })
		switch {
		case i < 0:
			out = append(out, step{raft.AddNonvoter, Member{ID: member.ID, Address: member.Address}.server()})
		case member.Voter && now.Servers[i].Suffrage != raft.Voter:
			out = append(out, step{raft.AddVoter, member.server()})
		}
	}
	slices.SortStableFunc(out, func(a, b step) int { return cmp.Compare(a.rank(self), b.rank(self)) })
	return out
}

func (s step) rank(self string) int {
	switch {
	case s.kind == raft.AddNonvoter:
		return 2
	case s.kind == raft.AddVoter:
		return 3
	case string(s.server.ID) == self:
		return 1
	}
	return 0
}

// safe says whether a majority of those who would vote then is there and
// caught up, and if not why.
func (s step) safe(now raft.Configuration, healthy map[raft.ServerID]bool) (why string) {
	if s.kind == raft.AddNonvoter || s.kind == raft.RemoveServer && s.server.Suffrage != raft.Voter {
		return ""
	}
	if s.kind == raft.AddVoter && !healthy[s.server.ID] {
		return fmt.Sprintf("%s is not there, or not caught up", s.server.ID)
	}
	voters, there := 0, 0
	count := func(id raft.ServerID) {
		voters++
		if healthy[id] {
			there++
		}
	}
	for _, other := range now.Servers {
		if other.Suffrage == raft.Voter && other.ID != s.server.ID {
			count(other.ID)
		}
	}
	if s.kind == raft.AddVoter {
		count(s.server.ID)
	}
	if 2*there <= voters {
		return fmt.Sprintf("%d of the %d that would vote are there", there, voters)
	}
	return ""
}

func (n *Node) pokeReconcile() {
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// reconcile has Raft's configuration follow the directory while this node
// leads.
func (n *Node) reconcile() {
	tick := time.NewTicker(reconcileAgain)
	defer tick.Stop()
	for {
		select {
		case <-n.changed:
		case <-tick.C:
		case <-n.done:
			return
		}
		for n.batcher.inCharge() && n.approach() {
		}
		if !n.batcher.inCharge() {
			n.waiting.Store(nil)
		}
	}
}

// membershipWaits says what keeps Raft's configuration from being the
// directory's.
func (n *Node) membershipWaits() string {
	if reason := n.waiting.Load(); reason != nil {
		return *reason
	}
	due := steps(n.raft.GetConfiguration().Configuration(), n.cfg.Directory.Members(), n.cfg.ID)
	if len(due) == 0 {
		return ""
	}
	return due[0].String() + ": next"
}

// approach takes one step, if one is due and safe, and says whether it did.
func (n *Node) approach() bool {
	future := n.raft.GetConfiguration()
	now, index := future.Configuration(), future.Index()
	due := steps(now, n.cfg.Directory.Members(), n.cfg.ID)
	if len(due) == 0 {
		n.waiting.Store(nil)
		return false
	}
	// The directory that a step follows is that of the configuration before
	// or a later one: allow counts on it.
	ctx, cancel := context.WithTimeout(n.ctx, changeLimit)
	defer cancel()
	if n.waitConfiguration(ctx, index) != nil {
		return false
	}
	healthy := n.pulses(ctx, now, due)
	reason := ""
	for _, s := range due {
		if why := s.safe(now, healthy); why != "" {
			reason = cmp.Or(reason, s.String()+": "+why)
			continue
		}
		if err := n.take(s, index); err != nil {
			reason = cmp.Or(reason, s.String()+": "+err.Error())
			break
		}
		n.cfg.Logger.Info("membership changed", "step", s.String())
		return true
	}
	if last := n.waiting.Swap(&reason); last == nil || *last != reason {
		n.cfg.Logger.Warn("the membership waits", "reason", reason)
	}
	return false
}

// waitConfiguration returns when this node has applied what stands before the
// configuration. Raft shows configurations to no state machine, so what is
// waited for is the entry before.
func (n *Node) waitConfiguration(ctx context.Context, index uint64) error {
	for at := index; at > 0; at-- {
		var l raft.Log
		if n.storage.cache.GetLog(at, &l) != nil {
			return nil // behind the snapshot: applied
		}
		if l.Type == raft.LogCommand {
			return n.applied.wait(ctx, n.done, at)
		}
	}
	return nil
}

func (n *Node) take(s step, index uint64) error {
	switch s.kind {
	case raft.RemoveServer, raft.DemoteVoter:
		if string(s.server.ID) == n.cfg.ID {
			// Somebody who stays has to do it.
			return n.raft.LeadershipTransfer().Error()
		}
		if s.kind == raft.DemoteVoter {
			return n.raft.DemoteVoter(s.server.ID, index, changeLimit).Error()
		}
		return n.raft.RemoveServer(s.server.ID, index, changeLimit).Error()
	case raft.AddVoter:
		return n.raft.AddVoter(s.server.ID, s.server.Address, index, changeLimit).Error()
	default:
		return n.raft.AddNonvoter(s.server.ID, s.server.Address, index, changeLimit).Error()
	}
}

// pulses asks all servers concerned how far they are.
func (n *Node) pulses(ctx context.Context, now raft.Configuration, due []step) map[raft.ServerID]bool {
	ids := map[raft.ServerID]bool{}
	for _, s := range now.Servers {
		ids[s.ID] = false
	}
	for _, s := range due {
		ids[s.server.ID] = false
	}
	commit := n.raft.CommitIndex()
	var (
		mu    sync.Mutex
		asked sync.WaitGroup
	)
	healthy := map[raft.ServerID]bool{raft.ServerID(n.cfg.ID): true}
	for id := range ids {
		if string(id) == n.cfg.ID {
			continue
		}
		asked.Go(func() {
			applied, err := n.pulse(ctx, string(id))
			mu.Lock()
			defer mu.Unlock()
			healthy[id] = err == nil && applied+pulseLag >= commit
		})
	}
	asked.Wait()
	return healthy
}

func (n *Node) pulse(ctx context.Context, peer string) (applied uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, pulseLimit)
	defer cancel()
	c, err := n.cfg.Network.Open(ctx, peer, pulseName)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(pulseLimit)); err != nil {
		return 0, err
	}
	var answer [8]byte
	_, err = io.ReadFull(c, answer[:])
	return binary.BigEndian.Uint64(answer[:]), err
}

func (n *Node) servePulse(peer string, c net.Conn) {
	err := c.SetWriteDeadline(time.Now().Add(pulseLimit))
	if err == nil {
		_, err = c.Write(binary.BigEndian.AppendUint64(nil, n.applied.index()))
	}
	if err != nil {
		n.cfg.Logger.Debug("pulse not told", "peer", peer, "error", err)
	}
}
