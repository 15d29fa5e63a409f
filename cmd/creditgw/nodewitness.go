package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/witness"
)

// Of a node's directory, docs/formats/witness.md and evidence.md.
const (
	witnessName  = "witness"
	evidenceName = "evidence"
)

// openWitness opens what this node has signed. It comes before Raft, which must
// not start below it.
func (n *node) openWitness() (err error) {
	took := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "creditgw_witness_seconds", Help: "Time from a leader's mark to a witnessed checkpoint.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	})
	if err := n.metrics.Register(took); err != nil {
		return err
	}
	n.witness, err = witness.Open(witness.Config{
		Dir: n.path(witnessName), Evidence: n.path(evidenceName), Region: n.cfg.Self.Region,
		LedgerID: n.cfg.Genesis.LedgerID(), Keys: n.witnessKeys, Ledger: witnessLedger{n.store},
		Network: n.endpoint, Peers: n.witnessPeers, ReadMark: n.readMark, Clock: n.cfg.Wall, Logger: n.cfg.Logger,
		Halted: n.halt, Took: func(d time.Duration) { took.Observe(d.Seconds()) },
	})
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.witness.Close)
	if h := n.witness.Status().Halt; h != nil && h.Reason == witness.HaltRolledBack {
		return rolledBack(*h)
	}
	return nil
}

// halt is what follows when this node's ledger is not the one that the others
// have seen. A node that has forgotten what it promised must not even vote.
func (n *node) halt(h witness.Halt) {
	if stop := n.stopWork.Load(); stop != nil {
		(*stop)(errHalted)
	}
	if h.Reason == witness.HaltRolledBack {
		n.cfg.Fatal(rolledBack(h))
	}
}

func rolledBack(h witness.Halt) error {
	return &message{
		Text: text{
			"本节点的数据目录被换成了旧副本：它不记得自己签过的检查点",
			"the data directory of this node was put back to an old copy: it does not remember a checkpoint that it has signed",
		},
		Hint:  text{"证据见 evidence/" + h.Evidence + ".txt；以新的节点号重新加入", "see evidence/" + h.Evidence + ".txt; rejoin as a new node id"},
		Cause: consensus.ErrRejoin,
	}
}

// stopped says why this node does not serve; nil if it does.
func (n *node) stopped() *exchange.Error {
	h := n.witness.Status().Halt
	if h == nil {
		return nil
	}
	e := exchange.Fail(exchange.KindUnavailable, string(h.Reason),
		"本节点的账本与多数地区见证的不一致，已停止服务", "this node's ledger is not the one that the regions have witnessed; it has stopped serving")
	e.Hint.ZH = "证据见节点目录 evidence/" + h.Evidence + ".txt"
	e.Hint.EN = "see evidence/" + h.Evidence + ".txt in the node's directory"
	return e
}

func (n *node) marked(index uint64, m consensus.Mark) { n.witness.Marked(witnessMark(index, m)) }

func witnessMark(index uint64, m consensus.Mark) witness.Mark {
	return witness.Mark{Index: index, Term: m.Term, Size: m.Size, Root: m.Root, Signer: m.Signer, Raw: m.Marshal()}
}

// readMark reads a mark that another node passes on.
func (n *node) readMark(raw []byte) (witness.Mark, error) {
	m, err := consensus.ParseMark(raw)
	if err != nil {
		return witness.Mark{}, err
	}
	if err := m.Verify(n.cfg.Genesis.LedgerID(), n.nodeKeys(m.Signer)...); err != nil {
		return witness.Mark{}, err
	}
	return witnessMark(0, m), nil
}

// witnessPeers are the other nodes of the directory.
func (n *node) witnessPeers() []witness.Peer {
	var all []witness.Peer
	for _, p := range n.store.Directory().Nodes() {
		if p.InForce() && p.ID != n.cfg.Self.Node.ID {
			all = append(all, witness.Peer{Node: p.ID, Region: p.Region})
		}
	}
	return all
}

// witnessLedger is the store as a witness looks at it.
type witnessLedger struct{ *store.Store }

func (l witnessLedger) Size() uint64 { return l.Head().Size }

// checkpoints is the witness as the domain reads it.
type checkpoints struct{ *witness.Witness }

var _ exchange.Checkpoints = checkpoints{}

// Around answers with the domain's own word for a miss.
func (c checkpoints) Around(index uint64) (before, covering peers.Checkpoint, err error) {
	before, covering, err = c.Witness.Around(index)
	if errors.Is(err, witness.ErrUnwitnessed) {
		err = exchange.ErrNotFound
	}
	return before, covering, err
}

// witnessStatus is what the status tells of it.
func (n *node) witnessStatus() httpapi.WitnessStatus {
	s := n.witness.Status()
	out := httpapi.WitnessStatus{
		Size: s.Size, Marked: s.Marked, Regions: []httpapi.Cosigner{}, Alarms: []string{}, Evidence: s.Evidence, Refused: s.Refused,
	}
	if s.Size > 0 {
		at, age := exchange.Moment(s.At.Unix()), s.Age.Seconds()
		out.At, out.AgeSeconds = &at, &age
	}
	for _, r := range s.Regions {
		out.Regions = append(out.Regions, httpapi.Cosigner{Region: r.Region, Size: r.Size, At: exchange.Moment(r.At.Unix())})
	}
	for _, a := range s.Alarms {
		out.Alarms = append(out.Alarms, string(a))
	}
	return out
}

// whileServing runs what acts on the ledger, as long as the ledger is the one
// that the regions have seen. What it ends on a halt does not end the node:
// people have to be able to ask it why.
func (n *node) whileServing(ctx context.Context, g *errgroup.Group, work ...func(context.Context) error) {
	ctx, stop := context.WithCancelCause(ctx)
	n.stopWork.Store(&stop)
	if h := n.witness.Status().Halt; h != nil {
		stop(errHalted)
	}
	for _, run := range work {
		g.Go(func() error {
			err := run(ctx)
			if errors.Is(context.Cause(ctx), errHalted) {
				return nil
			}
			return err
		})
	}
}

var errHalted = errors.New("the node has stopped serving")
