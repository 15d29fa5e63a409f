package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// Config joins a drain to its node.
type Config struct {
	Cutter   Cutter
	Clock    exchange.Clock
	Journal  exchange.Journal
	Vault    exchange.Vault
	Casebook exchange.Casebook
	Ledger   exchange.Ledger
	Proposer exchange.Proposer
	// CaughtUp returns when this node has applied all that was committed when
	// it was asked, so that LastBatch is not of the past.
	CaughtUp func(context.Context) error
	Logger   *slog.Logger
}

// Drain carries the outbox to the ledger, in order, exactly once.
type Drain struct {
	cfg    Config
	forked atomic.Bool
	wait   wait
}

// Pauses between sessions after a fault that only time can mend. While batches
// are refused as a whole the pause doubles, for each refusal leaves an event in
// the journal.
const (
	minPause = 500 * time.Millisecond
	maxPause = 30 * time.Second
)

// ErrFork says that this region's next seq is taken by a batch that this node
// did not cut: someone else holds the region's batch key, or the journal is
// not the newest one. Draining stops for good; accepting goes on.
var ErrFork = errors.New("outbox: another batch of this region has our seq")

// errRestart begins a new session from what ledger and casebook say.
var errRestart = errors.New("outbox: start again")

// errRefused says that a batch was refused for what it is, not for an entry in
// it: the directory has to change before another one is taken.
var errRefused = errors.New("outbox: batch refused as a whole")

// New makes a drain; Run works it.
func New(cfg Config) *Drain { return &Drain{cfg: cfg} }

// Forked reports whether draining has stopped with ErrFork.
func (d *Drain) Forked() bool { return d.forked.Load() }

// Run drains until ctx ends or the region's seq is found forked.
func (d *Drain) Run(ctx context.Context) error {
	pause := minPause
	for {
		err := d.session(ctx)
		if !errors.Is(err, errRefused) {
			pause = minPause
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrFork):
			d.forked.Store(true)
			d.cfg.Logger.Error("outbox stopped", "reason", err)
			return err
		case errors.Is(err, errRestart):
		default:
			d.cfg.Logger.Warn("outbox session ended", "reason", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, maxPause)
		}
	}
}

// flight is a batch on its way.
type flight struct {
	cut   exchange.BatchCut
	since time.Time
	wait  func() (exchange.BatchResult, error)
}

// session drains from what ledger and casebook say now until something
// unexpected is answered.
func (d *Drain) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := d.cfg.CaughtUp(ctx); err != nil {
		return err
	}
	if err := d.cfg.Casebook.WaitFor(ctx, d.cfg.Journal.Last()); err != nil {
		return err
	}
	if err := d.followed(ctx, d.cfg.Ledger.Head().Size); err != nil {
		return err
	}
	s := &session{Drain: d}
	defer d.wait.end()
	s.seq, s.previous = d.cfg.Ledger.LastBatch(d.cfg.Cutter.Region)
	if err := s.resend(ctx); err != nil {
		return err
	}
	for {
		seen := d.cfg.Casebook.Position()
		if err := s.fill(ctx); err != nil {
			return err
		}
		if len(s.flights) > 0 {
			if err := s.land(ctx); err != nil {
				return err
			}
			continue
		}
		if err := d.cfg.Casebook.WaitFor(ctx, seen+1); err != nil {
			return err
		}
	}
}

// followed returns when the casebook has read that much of the ledger. What waits
// here may be there already: after a restore the lost node has sent it.
func (d *Drain) followed(ctx context.Context, size uint64) error {
	for {
		seen := d.cfg.Casebook.Position()
		if d.cfg.Casebook.Followed() >= size {
			return nil
		}
		if err := d.cfg.Casebook.WaitFor(ctx, seen+1); err != nil {
			return err
		}
	}
}

type session struct {
	*Drain
	seq      uint64    // of the last batch sent
	previous sm.Digest // its preamble's digest
	after    uint64    // order of the last entry cut
	flights  []flight
	pace     Pace
}

// resend proposes again, byte for byte, what was cut and is not committed.
func (s *session) resend(ctx context.Context) error {
	cuts, err := s.cfg.Casebook.Cuts()
	if err != nil {
		return err
	}
	// Cuts are followed in order: if any is left up to the ledger's last batch
	// of this region, that batch is the last of these, or not ours.
	committed, last := s.seq, s.previous
	left, ours := false, false
	for _, cut := range cuts {
		p, err := exchange.ParsePreamble(cut.Preamble)
		if err != nil {
			return fmt.Errorf("cut in the journal: %w", err)
		}
		if p.Seq <= committed {
			left, ours = true, p.Seq == committed && sm.Sum(cut.Preamble) == last
			continue // the follower will say so
		}
		if left && !ours {
			break
		}
		entries := make([]exchange.Pending, len(cut.Items))
		for i, id := range cut.Items {
			if entries[i], err = s.cfg.Casebook.Authored(id); err != nil {
				return fmt.Errorf("entry %s of cut %d: %w", id, p.Seq, err)
			}
		}
		wraps, err := exchange.OpenWraps(s.cfg.Vault, cut.Preamble, cut.Wraps, entries)
		if err != nil {
			return fmt.Errorf("wraps of cut %d: %w", p.Seq, err)
		}
		if err := s.send(ctx, batchOf(cut, p, wraps, entries), cut); err != nil {
			return err
		}
	}
	if left && !ours {
		return ErrFork
	}
	return nil
}

func batchOf(cut exchange.BatchCut, p exchange.Preamble, wraps []byte, entries []exchange.Pending) exchange.Batch {
	b := exchange.Batch{RawPreamble: cut.Preamble, Preamble: p, Signature: cut.Signature, Wraps: wraps}
	for _, e := range entries {
		b.Items = append(b.Items, exchange.Item{Header: e.Header, Body: e.Body})
	}
	return b
}

// fill cuts and sends while there is something to send and room in flight.
func (s *session) fill(ctx context.Context) error {
	for waited := false; ; {
		pending, err := s.cfg.Casebook.Pending(s.after, exchange.MaxBatchItems)
		if err != nil || len(pending) == 0 {
			return err
		}
		n, waiting := Fit(pending), len(pending)
		if n < waiting {
			waiting = exchange.MaxBatchItems // this batch can't grow any more
		}
		wait, ok := s.pace.Wait(waiting, len(s.flights))
		if !ok {
			return nil
		}
		if wait > 0 && !waited {
			waited = true
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := s.cut(ctx, pending[:n]); err != nil {
			return err
		}
		s.pace.Left(n)
		s.after = pending[n-1].Order
	}
}

func (s *session) cut(ctx context.Context, entries []exchange.Pending) error {
	b, err := s.cfg.Cutter.Cut(entries, s.seq+1, s.previous, s.cfg.Ledger.Directory())
	if err != nil {
		return err
	}
	cut := exchange.BatchCut{Preamble: b.RawPreamble, Signature: b.Signature}
	if cut.Wraps, err = exchange.SealWraps(s.cfg.Vault, b.RawPreamble, b.Wraps, entries); err != nil {
		return err
	}
	for _, e := range entries {
		cut.Items = append(cut.Items, e.ID)
	}
	if _, err := s.cfg.Journal.Append(ctx, exchange.Event{At: s.cfg.Clock(), Cut: &cut}); err != nil {
		return err
	}
	if err := s.send(ctx, b, cut); err != nil {
		return err
	}
	s.cfg.Cutter.Secrets.Prepare()
	return nil
}

func (s *session) send(ctx context.Context, b exchange.Batch, cut exchange.BatchCut) error {
	raw, err := b.Marshal()
	if err != nil {
		return err
	}
	s.seq, s.previous = b.Preamble.Seq, sm.Sum(b.RawPreamble)
	if len(s.flights) == 0 {
		s.wait.begin(s.cfg.Ledger.Head().Size)
	}
	s.flights = append(s.flights, flight{cut: cut, since: time.Now(), wait: s.cfg.Proposer.Start(ctx, raw)})
	return nil
}

// land takes the answer on the oldest batch in flight.
func (s *session) land(ctx context.Context) error {
	f := s.flights[0]
	complaint := time.AfterFunc(heldAfter, s.complain)
	result, err := f.wait()
	complaint.Stop()
	if err != nil {
		return err
	}
	if s.flights = s.flights[1:]; len(s.flights) > 0 {
		s.wait.begin(s.cfg.Ledger.Head().Size)
	} else {
		s.wait.end()
	}
	s.pace.Landed(time.Since(f.since))
	r := result.Rejection
	if r == nil {
		return nil
	}
	s.cfg.Logger.Warn("batch refused", "seq", result.Seq, "code", r.Code, "item", r.Item)
	switch r.Code {
	case exchange.CodeBatchFork:
		return ErrFork
	case exchange.CodeSeqGap:
		if r.Expected == result.Seq {
			return ErrFork // the seq is free, but what stands before it is not ours
		}
		return errRestart // an earlier batch was refused or overtaken
	}
	p, err := exchange.ParsePreamble(f.cut.Preamble)
	if err != nil {
		return err
	}
	refused := exchange.BatchRefused{Seq: p.Seq, Code: r.Code}
	if r.Item >= 0 && r.Item < len(f.cut.Items) {
		refused.Item = f.cut.Items[r.Item]
	} else if len(f.cut.Items) == 1 {
		refused.Item = f.cut.Items[0]
	}
	if _, err := s.cfg.Journal.Append(ctx, exchange.Event{At: s.cfg.Clock(), Refused: &refused}); err != nil {
		return err
	}
	if refused.Item.IsZero() {
		return fmt.Errorf("%w: seq %d, %s", errRefused, p.Seq, r.Code)
	}
	return errRestart
}
