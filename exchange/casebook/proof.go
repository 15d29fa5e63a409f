package casebook

import (
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
)

// Evidence is what a receipt of an entry is made from.
type Evidence struct {
	Header []byte  // exact bytes
	Index  *uint64 // leaf; nil while the entry is not on the ledger
	Own    bool    // authored here
}

// Evidence finds an entry of this region or sealed to it.
func (c *Casebook) Evidence(id exchange.EntryID) (Evidence, error) {
	_, e, err := c.find(id)
	if err != nil {
		return Evidence{}, err
	}
	out := Evidence{Own: e.own()}
	if e.State == exchange.StateCommitted {
		out.Index = &e.Index
	}
	if e.own() {
		out.Header, err = c.authoredHeader(&e)
		return out, err
	}
	le, err := c.leaf(e.Index)
	out.Header = le.RawHeader
	return out, err
}

// Opened is the content of an entry's body; the error is exchange.ErrErased
// when this region can't open it any more.
func (c *Casebook) Opened(id exchange.EntryID) (envelope.Opened, error) {
	_, e, err := c.find(id)
	if err != nil {
		return envelope.Opened{}, err
	}
	body, err := c.open(&e)
	return body.Opened, err
}
