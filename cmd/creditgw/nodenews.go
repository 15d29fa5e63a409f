package main

import (
	"sync/atomic"

	"github.com/xinqiao/creditgw/consensus/quicnet"
	"github.com/xinqiao/creditgw/exchange/receipt"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
)

// news tells nodes that were away who takes part by now, and learns it from
// others when this node was: a roster under a witnessed checkpoint, by which
// peers are known until the entries that made it are applied here.
type news struct {
	genesis *peers.Genesis
	store   *store.Store
	logger  func(msg string, args ...any)

	receipts atomic.Pointer[receipt.Builder] // knows the handovers; nil at first
	learnt   atomic.Pointer[peers.Known]
}

var _ quicnet.News = (*news)(nil)

// roster is the newest that this node knows.
func (n *news) roster() *peers.Roster {
	if l := n.learnt.Load(); l != nil && l.Size > n.store.Head().Size {
		return l.Roster
	}
	return n.store.Directory().Roster
}

// Size is that of the ledger as of which roster is.
func (n *news) Size() uint64 {
	size := n.store.Head().Size
	if l := n.learnt.Load(); l != nil {
		size = max(size, l.Size)
	}
	return size
}

// Since is nil, too, as long as nothing newer has been witnessed: the node that
// asks will ask again.
func (n *news) Since(size uint64) []byte {
	b := n.receipts.Load()
	if b == nil || size >= n.store.Directory().Next() {
		return nil
	}
	latest, ok := b.Checkpoints.Latest()
	if !ok || latest.Size <= size {
		return nil
	}
	var raw []byte
	chain, err := b.Chain(latest)
	if err == nil {
		raw, err = chain.Marshal()
	}
	if err != nil {
		n.logger("no news for a node that was away", "error", err)
		return nil
	}
	return raw
}

// Learn follows a chain from the founders' witnesses; whoever sent it need not
// be believed.
func (n *news) Learn(raw []byte) error {
	shown, err := peers.JudgeChain(n.genesis, raw)
	if err != nil {
		return err
	}
	for {
		known := n.learnt.Load()
		if shown.Size <= n.store.Head().Size || known != nil && shown.Size <= known.Size {
			return nil
		}
		if n.learnt.CompareAndSwap(known, &shown) {
			n.logger("learnt who takes part", "size", shown.Size)
			return nil
		}
	}
}
