package main

import (
	"cmp"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// newEraser makes what carries out orders to erase on this node.
func (n *node) newEraser(sealer exchange.Sealer, slots *exchange.Slots) *exchange.Eraser {
	return &exchange.Eraser{
		Sealer: sealer, Node: n.cfg.Self.Node.ID, Clock: n.cfg.Clock, Backups: n.cfg.Backups,
		Interval: n.cfg.AckInterval, Round: cmp.Or(n.cfg.EraseRound, time.Hour),
		Casebook: n.casebook, Journal: n.journal, Vault: n.vault, Slots: slots, Ledger: n.store,
		Bodies: n.store, Log: n.consensus, Logger: n.cfg.Logger,
	}
}
