package receipt

import "github.com/xinqiao/creditgw/peers"

// Chain shows the roster as of a witnessed checkpoint to a node that was away:
// like a receipt it holds just what whoever has the genesis needs.
func (b *Builder) Chain(c peers.Checkpoint) (peers.Chain, error) {
	d, err := b.Ledger.DirectoryAt(c.Size)
	if err != nil {
		return peers.Chain{}, err
	}
	var out peers.Chain
	if out.Roster, err = d.MarshalBinary(); err != nil {
		return out, err
	}
	if out.Handovers, err = b.Handovers(c.Size); err != nil {
		return out, err
	}
	out.Checkpoint, err = b.trimmed(c)
	return out, err
}
