package audit

import (
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Start is what it takes to begin at a later entry. None of it is believed: the
// first checkpoint after it is of another root or directory if any is false.
type Start struct {
	Size       uint64      // entries before the first batch to come; not 0
	LastHeader []byte      // of entry Size-1
	Inclusion  []sm.Digest // of entry Size-1 in the tree of Size
	Governance []Batch     // the batches before Size with governance entries, in order
}

// Resume starts at a later entry. Sequences are checked from each origin's
// first batch behind it on.
func Resume(g *peers.Genesis, s Start) (*Auditor, error) {
	a, err := New(g)
	if err != nil {
		return nil, err
	}
	a.whole = false
	if a.tree, err = ledger.TreeFrom(s.Size, ledger.LeafHash(s.LastHeader), s.Inclusion); err != nil {
		return nil, &Difference{s.Size, CodeRoot, err}
	}
	for i := range s.Governance {
		if err := a.govern(&s.Governance[i], s.Size); err != nil {
			return nil, err
		}
	}
	a.before, a.counts = a.directory.Witnesses(), Counts{}
	return a, nil
}

// govern folds the governance entries of one batch before the start.
func (a *Auditor) govern(b *Batch, before uint64) error {
	p, err := exchange.ParsePreamble(b.Preamble)
	if err != nil || b.First >= before {
		return &Difference{b.First, CodeGovernance, errors.Join(errors.New("no batch before the start"), err)}
	}
	for i := range b.Headers {
		if a.directory, err = a.header(b, i, p.Origin, a.directory); err != nil {
			return fmt.Errorf("directory at the start: %w", err)
		}
	}
	return nil
}
