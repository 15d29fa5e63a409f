package witness

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/peers"
)

// heard is what came from a node, or from ourselves with node "".
type heard struct {
	node       string
	region     peers.Region
	checkpoint peers.Checkpoint // with at least one line; size 0 for none
	mark       []byte           // that the line answers; empty for none

	// Of a greeting only.
	greeting bool
	own      peers.Checkpoint // the newest with a line of ours; size 0 for none
}

// maxHeld bounds what is kept of one node while our own ledger is behind.
const maxHeld = 32

// onMark takes a leader's mark that has come through Raft here.
func (w *Witness) onMark(m Mark) error {
	w.watch.marked(m.Size, w.cfg.Clock())
	if err := w.onSigned(m); err != nil {
		return err
	}
	if w.halted() {
		w.send(heard{mark: m.Raw}) // it may be one of two
		return nil
	}
	if err := w.cosign(m); err != nil {
		return err
	}
	return w.release()
}

// onSigned compares a mark with our own root and with what its signer said
// elsewhere.
func (w *Witness) onSigned(m Mark) error {
	if other, lied := w.marks.add(m); lied {
		if err := w.report(twoMarks(w, m, other)); err != nil {
			return err
		}
	}
	if m.Size > w.cfg.Ledger.Size() {
		return nil
	}
	own, _, err := w.statement(m.Size)
	if err != nil {
		return w.unread(err)
	}
	if m.Root == own.Root {
		return nil
	}
	w.watch.disagrees(m.Signer)
	return w.report(markDiffers(w, m, own))
}

// onHeard takes what another node says.
func (w *Witness) onHeard(h heard) error {
	if h.greeting {
		if forgotten := w.signer.heard(h.region, h.own); forgotten != nil {
			return w.halt(HaltRolledBack, w.signer.state.Checkpoint, *forgotten)
		}
		if m := w.signer.waiting; m != nil {
			if err := w.cosign(*m); err != nil {
				return err
			}
		}
	}
	if len(h.mark) > 0 && !w.marks.known(h.mark) {
		m, err := w.cfg.ReadMark(h.mark)
		if err != nil {
			w.refused(h, err)
		} else if err := w.onSigned(m); err != nil {
			return err
		}
	}
	if h.checkpoint.Size == 0 {
		return nil
	}
	if h.checkpoint.Ledger != w.cfg.LedgerID {
		w.refused(h, errors.New("witness: a checkpoint of another ledger"))
		return nil
	}
	if h.checkpoint.Size > w.cfg.Ledger.Size() {
		w.hold(h)
		return nil
	}
	return w.examine(h)
}

// hold keeps what our ledger has not come to yet; of too much, the newest.
func (w *Witness) hold(h heard) {
	kept := append(w.held[h.node], h)
	if len(kept) > maxHeld {
		kept = kept[1:]
	}
	w.held[h.node] = kept
}

// release examines what our ledger has come to meanwhile.
func (w *Witness) release() error {
	size := w.cfg.Ledger.Size()
	for node, kept := range w.held {
		var still []heard
		for _, h := range kept {
			if h.checkpoint.Size > size {
				still = append(still, h)
			} else if err := w.examine(h); err != nil {
				return err
			}
		}
		if w.held[node] = still; len(still) == 0 {
			delete(w.held, node)
		}
	}
	return nil
}

// examine verifies the lines of a checkpoint that our ledger covers and draws
// the conclusions.
func (w *Witness) examine(h heard) error {
	c := h.checkpoint
	own, d, err := w.statement(c.Size)
	if err != nil {
		return w.unread(err)
	}
	set, before, changed := w.sets(c.Size, d)
	merged := w.tallies.of(c)
	defer w.tallies.bound()
	fresh := false
	for _, line := range c.Cosignatures {
		if w.tallies.has(c, line) {
			continue
		}
		err := c.Check(line, set)
		if errors.Is(err, peers.ErrStranger) && changed {
			err = c.Check(line, before)
		}
		if err != nil {
			w.refused(h, err)
			continue
		}
		var clash *peers.Checkpoint
		merged, clash = w.tallies.add(c, line)
		fresh = true
		w.noteLine(c, line)
		if clash != nil {
			if err := w.report(twoRoots(w, line, merged, *clash)); err != nil {
				return err
			}
		}
	}
	switch {
	case !fresh:
		return nil
	case !merged.Same(own):
		return w.contradicted(w.tallies.of(own), merged, set)
	case changed && enough(merged, before):
		if err := w.history.putHandover(merged); err != nil {
			return fmt.Errorf("witness: %w", err)
		}
	}
	if enough(merged, set) {
		w.witnessed(merged)
	}
	return nil
}

// contradicted is what follows when others state something else than we do. k
// of them are right, or more than a third lie, and either way this node must
// not go on. Fewer are a matter for people.
func (w *Witness) contradicted(own, other peers.Checkpoint, set peers.WitnessSet) error {
	for _, r := range by(other, set) {
		w.watch.disagrees(string(r))
	}
	if enough(other, set) {
		return w.halt(HaltForked, own, other)
	}
	return w.report(disagreement(w, own, other))
}

// witnessed publishes a checkpoint.
func (w *Witness) witnessed(c peers.Checkpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Size < w.latest.Size {
		return
	}
	grown := c.Size > w.latest.Size
	w.latest, w.unsaved = c, true
	close(w.changed)
	w.changed = make(chan struct{})
	if since, ok := w.watch.witnessed(c.Size, w.cfg.Clock()); ok && grown {
		w.cfg.Took(since)
	}
}

// noteLine remembers the newest line of each region, for whoever has to be
// reminded of his own.
func (w *Witness) noteLine(c peers.Checkpoint, line peers.Cosignature) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.lines[line.Region]
	if c.Size < last.Size || c.Size == last.Size && line.Time < last.Time() {
		return
	}
	c.Cosignatures = []peers.Cosignature{line}
	w.lines[line.Region] = c
}

// refused notes what another node said and nobody can use.
func (w *Witness) refused(h heard, err error) {
	if h.node == "" {
		return
	}
	w.mu.Lock()
	w.status.Refused++
	w.mu.Unlock()
	// Each is counted; a hostile peer must not fill disks with lines in the log.
	w.refusals.Do(func() {
		w.cfg.Logger.Warn("cosignature passed over", "node", h.node, "size", h.checkpoint.Size, "error", err)
	})
}

// unread says that our own ledger could not be read. Others notice that we sign
// nothing; reading again may help.
func (w *Witness) unread(err error) error {
	w.cfg.Logger.Error("the witness can't read its ledger", "alarm", true, "error", err)
	return nil
}

// maxMarks bounds the marks that are remembered.
const maxMarks = 256

// marks are the last ones that leaders signed, for a leader that says one thing
// here and another there signs both.
type marks struct{ last []Mark }

// add remembers a verified mark. It returns an earlier one by the same signer
// that gives the size another root.
func (s *marks) add(m Mark) (other Mark, lied bool) {
	for _, old := range s.last {
		if old.Signer == m.Signer && old.Size == m.Size && old.Root != m.Root {
			other, lied = old, true
		}
	}
	if s.last = append(s.last, m); len(s.last) > maxMarks {
		s.last = s.last[1:]
	}
	return other, lied
}

func (s *marks) known(raw []byte) bool {
	for i := len(s.last) - 1; i >= 0; i-- {
		if bytes.Equal(s.last[i].Raw, raw) {
			return true
		}
	}
	return false
}
