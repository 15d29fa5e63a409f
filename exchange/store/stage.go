package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// stagedTogether is how many batches of a stream are judged in one go.
const stagedTogether = 16

// Stage reads a snapshot stream to its end into the next generation, by the
// rules of Apply, and returns the root of what it holds. The live state goes
// on; an earlier staged snapshot is replaced. Nothing of the sender is
// believed: p and the stream's own head only say what is to be found.
func (s *Store) Stage(p consensus.Point, r io.Reader) (sm.Digest, error) {
	s.staging.Lock()
	defer s.staging.Unlock()
	s.staged = nil
	dir := s.dir(s.generation + 1)
	if err := errors.Join(os.RemoveAll(dir), durable.MakeDir(dir)); err != nil {
		return sm.Digest{}, fmt.Errorf("store: %w", err)
	}
	st, err := openState(dir, &s.config)
	if err != nil {
		return sm.Digest{}, err
	}
	err = st.receive(p, bufio.NewReaderSize(r, 1<<20))
	if err == nil {
		err = s.agrees(st)
	}
	if err == nil {
		err = st.settle(p)
	}
	if err == nil {
		err = s.carryErasures(st)
	}
	root := st.head().Root
	s.staged = st.directories
	if err = errors.Join(err, st.close()); err != nil {
		return sm.Digest{}, errors.Join(err, os.RemoveAll(dir))
	}
	return root, nil
}

// receive applies a stream to an empty state.
func (st *state) receive(p consensus.Point, r io.Reader) error {
	raw := make([]byte, streamHeader)
	if _, err := io.ReadFull(r, raw); err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	head, err := parseStreamHead(raw)
	switch {
	case err != nil:
		return err
	case head.ledger != st.ledger:
		return fmt.Errorf("store: snapshot of ledger %s, not %s", head.ledger, st.ledger)
	case head.size != p.Size:
		return fmt.Errorf("store: snapshot of %d entries, %d were announced", head.size, p.Size)
	}
	for ended := false; !ended; {
		var items [][]byte
		for len(items) < stagedTogether && !ended {
			raw, err := readStreamed(r)
			switch {
			case err == io.EOF:
				ended = true
			case err != nil:
				return fmt.Errorf("store: snapshot after entry %d: %w", st.head().Size, err)
			default:
				items = append(items, raw)
			}
		}
		if err := st.receiveBatches(items); err != nil {
			return err
		}
		if st.head().Size > p.Size {
			break
		}
	}
	if have := st.head(); have.Size != p.Size || have.Root != head.root || !p.Root.IsZero() && have.Root != p.Root {
		return fmt.Errorf("store: the snapshot's %d entries have root %s, not what was announced", have.Size, have.Root)
	}
	return nil
}

func (st *state) receiveBatches(items [][]byte) error {
	for _, answer := range st.apply(0, 0, items, true) {
		switch a := answer.(type) {
		case error:
			return a
		case exchange.BatchResult:
			if a.Rejection != nil {
				return fmt.Errorf("store: snapshot: batch %d of %s: %w", a.Seq, a.Origin, a.Rejection)
			}
			if a.Replayed {
				return fmt.Errorf("store: snapshot: batch %d of %s comes twice", a.Seq, a.Origin)
			}
		}
	}
	return nil
}

// agrees compares a staged state with the live one where they overlap.
func (s *Store) agrees(staged *state) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	size := min(staged.head().Size, s.live.head().Size)
	ours, err := s.live.rootAt(size)
	if err != nil {
		return err
	}
	theirs, err := staged.rootAt(size)
	if err != nil {
		return err
	}
	if ours != theirs {
		return fmt.Errorf("store: the snapshot contradicts this node's ledger: root of the first %d entries is %s, here %s",
			size, theirs, ours)
	}
	return nil
}

// settle marks a staged state as received, verified and as of a Raft index.
func (st *state) settle(p consensus.Point) error {
	st.mu.Lock()
	st.applied.index, st.applied.term, st.applied.received = p.Index, p.Term, true
	st.mu.Unlock()
	return st.sync(p.Index)
}

// Install makes the staged snapshot p the live state, durably, and is safe to
// repeat after a crash: when p is applied already nothing is replaced.
func (s *Store) Install(p consensus.Point) error {
	s.staging.Lock()
	defer s.staging.Unlock()
	if s.Head().RaftIndex >= p.Index {
		return s.Sync(p.Index)
	}
	dir := s.dir(s.generation + 1)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("store: no snapshot is staged: %w", err)
	}
	staged, err := openState(dir, &s.config)
	if err != nil {
		return err
	}
	have := staged.durable
	if have.index != p.Index || have.term != p.Term || have.size != p.Size || !have.received ||
		!p.Root.IsZero() && have.root != p.Root {
		return errors.Join(fmt.Errorf("store: another snapshot is staged, of Raft index %d", have.index), staged.close())
	}
	s.mu.Lock()
	old := s.live
	if err := s.writeCurrent(s.generation + 1); err != nil {
		s.mu.Unlock()
		old.fail(err)
		return errors.Join(err, staged.close())
	}
	s.generation++
	s.live = staged
	s.mu.Unlock()
	s.config.Logger.Info("snapshot installed", "size", have.size, "root", have.root.String(), "raft_index", have.index)
	// From here on the old generation is of no use, whatever becomes of it.
	return errors.Join(old.close(), s.removeGenerations(s.generation))
}
