package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/exchange/outbox"
)

// shutdownGrace is how long calls under way may take to end.
const shutdownGrace = 5 * time.Second

// run works until ctx ends. up is called once, when calls are answered.
func (n *node) run(ctx context.Context, listener net.Listener, certFile, keyFile string, up func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.casebook.Run(ctx) })
	g.Go(func() error { return n.witness.Run(ctx) })
	g.Go(func() error { return n.serveBackups(ctx) })
	if n.shadow != nil {
		g.Go(func() error { return n.shadow.Run(ctx) })
	}
	g.Go(func() error {
		// What the journal holds is known before a new slot or id is drawn.
		if err := n.casebook.WaitFor(ctx, n.journal.Last()); err != nil {
			return err
		}
		if err := n.join(); err != nil {
			return err
		}
		n.whileServing(ctx, g, n.follow, n.statements.Run, n.eraser.Run, n.anchors.Run, n.drainOutbox)
		g.Go(func() error { return n.checks.run(ctx) })
		g.Go(func() error { return n.serve(ctx, listener, certFile, keyFile) })
		up()
		return nil
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// follow goes on from where the casebook stands; a node that starts again has
// that much of the ledger once Raft has replayed it.
func (n *node) follow(ctx context.Context) error {
	from := n.casebook.Followed()
	if err := n.store.WaitSize(ctx, from); err != nil {
		return err
	}
	return n.follower.Run(ctx, from)
}

// drainOutbox keeps a fork from ending the node: it goes on accepting and
// serving, and says in status and readiness that nothing leaves.
func (n *node) drainOutbox(ctx context.Context) error {
	err := n.drain.Run(ctx)
	if errors.Is(err, outbox.ErrFork) {
		return nil
	}
	return err
}

func (n *node) serve(ctx context.Context, listener net.Listener, certFile, keyFile string) error {
	server := n.api.Server()
	listener = bounded(listener)
	done := make(chan error, 1)
	go func() {
		if certFile != "" {
			done <- server.ServeTLS(listener, certFile, keyFile)
			return
		}
		done <- server.Serve(listener)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close() // calls that did not end in time are cut; what they were told stands
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

// status is what this node knows of itself and of the others.
func (n *node) status() httpapi.NodeStatus {
	raft := n.consensus.Status()
	s := httpapi.NodeStatus{
		Node: raft.ID, Version: command.Version(), StartedAt: n.started, Now: n.cfg.Clock(), Leader: raft.Leader, Term: raft.Term,
		Committed: raft.Commit, Applied: raft.Applied, Journal: uint64(n.journal.Last()), Refused: n.refused(), MembershipWaits: raft.MembershipWaits,
		Deposed: raft.Deposed, LogHeldBack: raft.HeldBack, Witness: n.witnessStatus(),
	}
	if check := n.checks.Latest(); check.State != "" {
		s.Check = &check
	}
	for _, r := range n.store.Directory().Regions() {
		m, _ := n.store.Directory().Member(r)
		p := httpapi.Peer{Node: m.Node.ID, Region: r, Self: m.Node.ID == raft.ID, Leader: m.Node.ID == raft.Leader}
		for _, f := range raft.Peers {
			if f.ID == p.Node {
				p.Acknowledged, p.Lag = &f.Acknowledged, &f.Lag
			}
		}
		s.Peers = append(s.Peers, p)
	}
	return s
}

// refused counts what was not believed: by the network, by the log, by Apply.
func (n *node) refused() map[string]uint64 {
	out := n.endpoint.Refused()
	if out == nil {
		out = map[string]uint64{}
	}
	stats := n.store.Stats()
	for code, count := range stats.Refused {
		out["batch "+string(code)] += count
	}
	if stats.Replayed > 0 {
		out["batch replayed"] = stats.Replayed
	}
	raft := n.consensus.Status()
	if raft.Malformed > 0 {
		out["entry malformed"] = raft.Malformed
	}
	if raft.Poisoned > 0 {
		out["snapshot"] = raft.Poisoned
	}
	if raft.BadMarks > 0 {
		out["mark"] = raft.BadMarks
	}
	if w := n.witness.Status().Refused; w > 0 {
		out["cosignature"] = w
	}
	return out
}

// ready names what keeps the node from its whole work; empty is ready.
func (n *node) ready() []string {
	var why []string
	if stopped := n.stopped(); stopped != nil {
		why = append(why, stopped.Code)
	}
	if _, known := n.consensus.Leader(); !known {
		why = append(why, "NO_LEADER")
	}
	if n.drain.Forked() {
		why = append(why, "OUTBOX_FORKED")
	}
	if n.drain.HeldBack() {
		why = append(why, "OUTBOX_HELD_BACK")
	}
	if n.casebook.Position() < n.journal.Last() {
		why = append(why, "CASEBOOK_BEHIND")
	}
	return why
}

// lock keeps a second process off the directory: two of them would cut two
// batches with one seq.
func (n *node) lock() error {
	f, err := lockDir(n.cfg.Dir)
	if err != nil {
		return err
	}
	n.closers = append(n.closers, f.Close)
	return nil
}

// lockDir takes the directory until the file is closed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "node.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(inUse(dir), f.Close())
	}
	return f, nil
}

func inUse(dir string) error {
	return &message{
		Text: text{dir + " 正被另一个进程使用", dir + " is in use by another process"},
		Hint: text{"先停节点（systemctl stop creditgw）；运行中的节点用 backup 备份，用 POST /v1/checks 自查",
			"stop the node first (systemctl stop creditgw); a running one is backed up by backup and checked by POST /v1/checks"},
	}
}
