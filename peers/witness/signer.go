package witness

import (
	"errors"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// A signer holds the witness keys and what must be known before they are used.
type signer struct {
	file   stateFile
	region peers.Region
	keys   func() []*sm.WitnessKey

	state State
	// sure says that the state is the last that the keys have signed. Without
	// it, the others have to be asked.
	sure bool
	// floor is the largest size that others showed to have been signed by a
	// key of ours: a witness that is not sure signs nothing at or below it.
	floor    uint64
	answered map[peers.Region]bool // regions that said what they hold of ours
	waiting  *Mark                 // to be signed once enough have answered
	checked  bool                  // our ledger has what the state says
}

func openSigner(cfg Config) (*signer, error) {
	s := &signer{file: stateFile{dir: cfg.Dir}, region: cfg.Region, keys: cfg.Keys, answered: map[peers.Region]bool{}}
	var err error
	if s.state, s.sure, err = s.file.read(); err != nil {
		return nil, err
	}
	if c := s.state.Checkpoint; c.Size > 0 && c.Ledger != cfg.LedgerID {
		return nil, errors.New("witness: the state is that of another ledger")
	}
	return s, nil
}

// ours says whether the line is by a key of this process, and holds.
func (s *signer) ours(c peers.Checkpoint, line peers.Cosignature) bool {
	return slices.ContainsFunc(s.keys(), func(k *sm.WitnessKey) bool {
		set := peers.WitnessSet{K: 1, Keys: []peers.WitnessKey{{Region: s.region, Public: k.Public()}}}
		return c.Check(line, set) == nil
	})
}

// heard notes what another region holds of ours. It returns a statement that
// this witness has signed and does not remember: its state has been put back.
func (s *signer) heard(from peers.Region, own peers.Checkpoint) (forgotten *peers.Checkpoint) {
	if from == s.region {
		return nil
	}
	for _, line := range own.Cosignatures {
		if !s.ours(own, line) {
			continue
		}
		last := s.state.Checkpoint
		switch {
		case !s.sure:
			s.floor = max(s.floor, own.Size)
		case own.Size > last.Size || own.Size == last.Size && !own.Same(last):
			return &own
		}
	}
	s.answered[from] = true
	return nil
}

// ready says whether enough regions have answered. With a state, k - 1 others
// are asked to find out if it was put back: with fewer nothing could be
// witnessed anyway. Without one, or with a torn one, all others are: any of
// them may hold the last.
func (s *signer) ready(set peers.WitnessSet) bool {
	others, answered := 0, 0
	for _, r := range set.Regions() {
		if r == s.region {
			continue
		}
		others++
		if s.answered[r] {
			answered++
		}
	}
	if !s.sure {
		return answered == others
	}
	return answered >= min(set.K-1, others)
}

// remember makes a state durable, if it follows on the present one.
func (s *signer) remember(next State) error {
	if err := s.state.next(next.Checkpoint); err != nil {
		return err
	}
	if next.Checkpoint.Size <= s.floor {
		return ErrBackwards
	}
	if err := s.file.write(next); err != nil {
		return err
	}
	s.state, s.sure, s.checked = next, true, true
	return nil
}

// cosign signs our own root at a mark's size, whatever the mark says that it is,
// and gives the signature out once it is on disk. It is the only way to one.
func (w *Witness) cosign(m Mark) error {
	s := w.signer
	if len(s.keys()) == 0 || w.halted() {
		return nil
	}
	_, d, err := w.statement(m.Size)
	if err != nil {
		return w.unread(err)
	}
	if !s.ready(d.Witnesses()) {
		s.waiting = &m
		return nil
	}
	s.waiting = nil
	if err := w.checkOwn(); err != nil || !s.checked {
		return err
	}
	sizes, err := w.changes(max(s.state.Checkpoint.Size, s.floor), m.Size)
	if err != nil {
		return w.unread(err)
	}
	if len(sizes) == 0 || sizes[len(sizes)-1] != m.Size {
		sizes = append(sizes, m.Size)
	}
	for _, size := range sizes {
		if err := w.cosignAt(size, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *Witness) cosignAt(size uint64, m Mark) error {
	s := w.signer
	own, d, err := w.statement(size)
	if err != nil {
		return w.unread(err)
	}
	set := d.Witnesses()
	for _, k := range s.keys() {
		if !slices.ContainsFunc(set.Keys, func(in peers.WitnessKey) bool {
			return in.Region == s.region && in.Public.Equal(k.Public())
		}) {
			continue
		}
		line, err := own.Cosign(s.region, k, w.cfg.Clock())
		if err != nil {
			return w.unread(err)
		}
		own = own.With(line)
	}
	if len(own.Cosignatures) == 0 {
		return nil
	}
	err = s.remember(State{Index: m.Index, Term: m.Term, Checkpoint: own})
	switch {
	case errors.Is(err, ErrBackwards):
		return nil // a mark of a size that we have left behind
	case err != nil:
		return err
	}
	w.push(heard{checkpoint: own, mark: m.Raw})
	return w.examine(heard{checkpoint: own})
}

// checkOwn holds our ledger against what this witness has signed last, once it
// has come that far. A ledger that says something else now was rewritten.
func (w *Witness) checkOwn() error {
	s := w.signer
	last := s.state.Checkpoint
	if s.checked || w.halted() || w.cfg.Ledger.Size() < last.Size {
		return nil
	}
	if last.Size > 0 {
		own, _, err := w.statement(last.Size)
		if err != nil {
			return w.unread(err)
		}
		if !own.Same(last) {
			return w.halt(HaltRewritten, own, last)
		}
	}
	s.checked = true
	return nil
}
