package witness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Ledger is this node's own copy of the ledger, as far as a witness looks at
// it. The methods are safe for concurrent use.
type Ledger interface {
	// Size is the number of leaves applied.
	Size() uint64
	// RootAt and DirectoryAt answer for any size up to Size.
	RootAt(size uint64) (sm.Digest, error)
	DirectoryAt(size uint64) (*peers.Directory, error)
}

// Network carries streams between nodes that have shown who they are.
type Network interface {
	// Handle names the handler of streams that peers open. The stream is
	// closed when the handler returns.
	Handle(name string, h func(node string, c net.Conn))
	// Open opens a stream to a node's handler.
	Open(ctx context.Context, node, name string) (net.Conn, error)
}

// Peer is another node that collects cosignatures.
type Peer struct {
	Node   string
	Region peers.Region
}

// Mark is a leader's signed word on the ledger at a size.
type Mark struct {
	Index, Term uint64 // of the Raft entry that carried it; Index 0 if it came from a peer
	Size        uint64
	Root        sm.Digest
	Signer      string // node id
	Raw         []byte // as signed, for evidence
}

// Config is what a Witness is made of. Clock is the wall clock.
type Config struct {
	Dir      string // its own, outside Raft's directory and every backup
	Evidence string // directory of evidence bundles
	Region   peers.Region
	LedgerID sm.Digest
	// Keys are this region's witness keys that this process holds: one, two
	// while it rotates, none on a node that only collects.
	Keys    func() []*sm.WitnessKey
	Ledger  Ledger
	Network Network
	// Peers are the other nodes of the directory; it may change.
	Peers func() []Peer
	// ReadMark parses a mark that a peer passes on and verifies who signed it.
	ReadMark func(raw []byte) (Mark, error)
	Clock    func() time.Time
	Logger   *slog.Logger
	// Halted is called once if this node must not go on serving. It must not
	// block.
	Halted func(Halt)
	// Took is told how long it was from a mark to a witnessed checkpoint.
	Took func(time.Duration)
}

// Witness is one node's witness. Run does the work; the other methods may be
// called concurrently with it and with one another.
type Witness struct {
	cfg     Config
	history *history
	marked  chan Mark
	heard   chan heard
	ended   chan struct{} // closed when Run has returned
	ears    ears

	// Of Run's goroutine.
	signer   *signer
	tallies  tallies
	marks    marks
	held     map[string][]heard // by node: what our ledger has not come to yet
	pushers  map[string]*pusher
	unsaved  bool
	evidence evidence
	watch    watch
	handing  handing
	refusals rate.Sometimes // when one is logged

	mu      sync.Mutex
	latest  peers.Checkpoint
	signed  heard         // the last that this node has given out
	changed chan struct{} // closed and replaced when latest has changed
	lines   map[peers.Region]peers.Checkpoint
	status  Status
}

// Open reads what the witness kept. Nothing is signed before Run.
func Open(cfg Config) (*Witness, error) {
	if err := durable.MakeDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	w := &Witness{
		cfg: cfg, marked: make(chan Mark, 16), heard: make(chan heard, 16), ended: make(chan struct{}),
		held: map[string][]heard{}, pushers: map[string]*pusher{}, tallies: tallies{},
		refusals: rate.Sometimes{First: 3, Interval: time.Second},
		changed:  make(chan struct{}), lines: map[peers.Region]peers.Checkpoint{},
		evidence: evidence{dir: cfg.Evidence, clock: cfg.Clock, told: map[string]time.Time{}},
	}
	var err error
	if w.status.Halt, err = readHalt(cfg.Dir); err != nil {
		return nil, err
	}
	if w.signer, err = openSigner(cfg); err != nil {
		return nil, err
	}
	if w.history, err = openHistory(cfg.Dir); err != nil {
		return nil, err
	}
	last, err := w.history.last()
	if err != nil {
		return nil, errors.Join(err, w.history.close())
	}
	// Both count again once our own ledger has been held against them.
	for _, c := range []peers.Checkpoint{last, w.signer.state.Checkpoint} {
		if c.Size > 0 {
			w.hold(heard{checkpoint: c})
		}
	}
	w.signed.checkpoint = w.signer.state.Checkpoint
	cfg.Network.Handle(streamName, w.serve)
	cfg.Network.Handle(handoversName, w.handOver)
	return w, nil
}

// Close gives the files back, after Run has returned.
func (w *Witness) Close() error { return w.history.close() }

// Floor is the Raft index of the last mark that was cosigned: no log of this
// node may end before it.
func (w *Witness) Floor() uint64 { return w.signer.state.Index }

// Marked takes a mark of an applied entry. It does not block: a mark that finds
// the witness busy is left out, and the next one counts.
func (w *Witness) Marked(m Mark) {
	select {
	case w.marked <- m:
	default:
	}
}

// Latest is the newest witnessed checkpoint that our ledger bears out.
func (w *Witness) Latest() (peers.Checkpoint, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest, w.latest.Size > 0
}

// ErrUnwitnessed says that no witnessed checkpoint covers a leaf yet.
var ErrUnwitnessed = errors.New("witness: not witnessed yet")

// Around returns the earliest kept checkpoint that covers a leaf, and the
// newest that does not (size 0: none).
func (w *Witness) Around(index uint64) (before, covering peers.Checkpoint, err error) {
	latest, _ := w.Latest()
	if latest.Size <= index {
		return before, covering, ErrUnwitnessed
	}
	before, covering, err = w.history.around(index)
	if covering.Size == 0 {
		covering = latest // it is not on disk yet
	}
	return before, covering, err
}

// Handovers are the checkpoints behind a change of the witness set that the
// set before it has cosigned, ascending.
func (w *Witness) Handovers() ([]peers.Checkpoint, error) { return w.history.handovers(0, math.MaxInt) }

// Wait returns when Latest covers size leaves, or ctx's error.
func (w *Witness) Wait(ctx context.Context, size uint64) error {
	for {
		w.mu.Lock()
		reached, changed := w.latest.Size >= size, w.changed
		w.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const (
	tick     = 250 * time.Millisecond
	saveEach = 4 // ticks between two writes of the newest checkpoint
)

// Run cosigns and collects until ctx ends. An error is a fault of the disk.
func (w *Witness) Run(ctx context.Context) error {
	var streams sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer streams.Wait()
	defer cancel()
	defer close(w.ended)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 0; ; {
		w.meet(ctx, &streams)
		var err error
		select {
		case m := <-w.marked:
			err = w.onMark(m)
		case h := <-w.heard:
			err = w.onHeard(h)
		case <-ticker.C:
			if err = w.checkOwn(); err == nil {
				err = w.release()
			}
			w.look()
			if n++; err == nil && n%saveEach == 0 {
				err = w.save()
				w.fetch(ctx, &streams)
			}
		case <-ctx.Done():
			return errors.Join(w.save(), ctx.Err())
		}
		if err != nil {
			return err
		}
	}
}

// save writes the newest checkpoint. It lags a second behind: after a crash the
// others have it.
func (w *Witness) save() error {
	if !w.unsaved {
		return nil
	}
	latest, _ := w.Latest()
	if err := w.history.put(latest); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	w.unsaved = false
	return nil
}

// statement is what our own ledger says at a size that it has reached.
func (w *Witness) statement(size uint64) (peers.Checkpoint, *peers.Directory, error) {
	root, err := w.cfg.Ledger.RootAt(size)
	if err != nil {
		return peers.Checkpoint{}, nil, fmt.Errorf("witness: %w", err)
	}
	d, err := w.cfg.Ledger.DirectoryAt(size)
	if err != nil {
		return peers.Checkpoint{}, nil, fmt.Errorf("witness: %w", err)
	}
	return peers.Checkpoint{Ledger: w.cfg.LedgerID, Size: size, Root: root, Directory: d.Root()}, d, nil
}

// sets are those by which a checkpoint of a size is judged: the one in force,
// and, at the size where that began, the one before it.
func (w *Witness) sets(size uint64, d *peers.Directory) (set, before peers.WitnessSet, changed bool) {
	set = d.Witnesses()
	if size == 0 || d.Next() != size {
		return set, set, false
	}
	earlier, err := w.cfg.Ledger.DirectoryAt(size - 1)
	if err != nil {
		return set, set, false
	}
	before = earlier.Witnesses()
	return set, before, !set.Equal(before)
}

// changes lists, ascending, the sizes in (from, to] at which a change of the
// witness set takes effect. Every witness cosigns each of them, marked or not,
// so that no change is without a checkpoint by the set before it.
func (w *Witness) changes(from, to uint64) ([]uint64, error) {
	var sizes []uint64
	for to > from {
		d, err := w.cfg.Ledger.DirectoryAt(to)
		if err != nil {
			return nil, fmt.Errorf("witness: %w", err)
		}
		at := d.Next()
		if at <= from || at == 0 {
			break
		}
		if _, _, changed := w.sets(at, d); changed {
			sizes = append([]uint64{at}, sizes...)
		}
		to = at - 1
	}
	return sizes, nil
}
