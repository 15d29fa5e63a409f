package peers

import "github.com/xinqiao/creditgw/crypto/sm"

// Known is who takes part and who did, and by which keys, as far as it is shown
// to somebody who has the genesis and no ledger.
type Known struct {
	*Roster
	Size    uint64 // of the ledger as of which the roster is; 0: by the genesis alone
	history History
}

// Founders is what a genesis shows by itself.
func Founders(g *Genesis) (Known, error) {
	d, err := NewDirectory(g)
	if err != nil {
		return Known{}, err
	}
	history, err := FollowHandovers(d.Ledger(), d.Witnesses(), nil)
	return Known{Roster: d.Roster, history: history}, err
}

// Ledger is the ledger that they take part in.
func (k Known) Ledger() sm.Digest { return k.history.ledger }

// WitnessesAt is the set that judges a checkpoint of this size. Beyond Size it is
// the one that is known last.
func (k Known) WitnessesAt(size uint64) WitnessSet {
	if size > k.Size {
		return k.Witnesses()
	}
	return k.history.At(size)
}
