package main

import (
	"fmt"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// An amendment is what a journal says in the end to the node that goes on with
// it in another's place.
type amendment struct {
	common *uint64 // see restoring

	cut    bool
	kept   uint64            // leaves that the journal has followed on the common ledger
	forked exchange.Position // of the first note behind common, 0: there is none
}

// look takes the journal's events in order.
func (a *amendment) look(at exchange.Position, e *exchange.Event) error {
	a.cut = a.cut || e.Cut != nil
	if a.common == nil {
		return nil
	}
	switch {
	case e.Reread != nil: // of a fork before this one: those notes are taken back
		a.kept, a.forked = min(a.kept, e.Reread.From), 0
	case a.forked == 0 && e.Followed != nil && e.Followed.To > *a.common:
		a.forked = at
	case a.forked == 0 && e.Followed != nil:
		a.kept = e.Followed.To
	case a.forked > 0 && namesLeaves(e):
		return fmt.Errorf("event %d is about entries of the forked ledger, which is read from event %d on: go on from a backup of before", at, a.forked)
	}
	return nil
}

// namesLeaves says whether an event speaks of records by their place on the
// ledger, which is another on another ledger.
func namesLeaves(e *exchange.Event) bool {
	return e.Erasing != nil || e.Authored != nil && (e.Authored.Order != nil || e.Authored.Report != nil)
}

func (a *amendment) events(now time.Time) (events []exchange.Event) {
	if a.cut {
		// The lost node's key signs no more, and it may have cut otherwise since:
		// what was under way and is not on the ledger is cut anew.
		events = append(events, exchange.Event{At: now, Refused: &exchange.BatchRefused{Seq: 1, Code: exchange.CodeUnknownKey}})
	}
	if a.forked > 0 {
		events = append(events, exchange.Event{At: now, Reread: &exchange.LedgerReread{From: a.kept}})
	}
	return events
}
