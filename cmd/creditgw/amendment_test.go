package main

import (
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// What a journal has read of a fork is taken back to the last note of the common
// ledger, also after an earlier fork; unless something was done with it that
// can't be taken back.
func TestAJournalIsTakenBackToTheCommonLedger(t *testing.T) {
	note := func(from, to uint64) exchange.Event {
		return exchange.Event{Followed: &exchange.LedgerFollowed{From: from, To: to}}
	}
	reread := func(from uint64) exchange.Event { return exchange.Event{Reread: &exchange.LedgerReread{From: from}} }
	acks, erasing := exchange.Event{Acks: &exchange.AcksReceived{}}, exchange.Event{Erasing: &exchange.RecordsErased{}}
	for name, c := range map[string]struct {
		journal []exchange.Event
		want    int // leaf to read again from, -1: nothing is to be
		refused bool
	}{
		"nothing of a fork":           {[]exchange.Event{note(0, 5), note(5, 10)}, -1, false},
		"a fork":                      {[]exchange.Event{note(0, 5), acks, note(5, 11), note(11, 12)}, 5, false},
		"nothing in common":           {[]exchange.Event{note(0, 11)}, 0, false},
		"a second fork":               {[]exchange.Event{note(0, 5), note(5, 30), reread(5), note(5, 9), note(9, 12)}, 9, false},
		"erased before the fork":      {[]exchange.Event{note(0, 5), erasing, note(5, 11)}, 5, false},
		"erased on the forked ledger": {[]exchange.Event{note(0, 5), note(5, 11), erasing}, 0, true},
	} {
		common := uint64(10)
		a := amendment{common: &common}
		var err error
		for i := range c.journal {
			if err == nil {
				err = a.look(exchange.Position(i+1), &c.journal[i])
			}
		}
		if c.refused != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if c.refused {
			continue
		}
		got := -1
		for _, e := range a.events(time.Now()) {
			got = int(e.Reread.From)
		}
		if got != c.want {
			t.Errorf("%s: it is read again from %d, want %d", name, got, c.want)
		}
	}
}

// The key that signed them ends: batches that were cut are void, whatever has
// become of them, and with none there is nothing to say.
func TestWhatTheLostNodeHasCutIsVoid(t *testing.T) {
	a := amendment{}
	if events := a.events(time.Now()); len(events) != 0 {
		t.Errorf("of nothing: %+v", events)
	}
	if err := a.look(1, &exchange.Event{Cut: &exchange.BatchCut{}}); err != nil {
		t.Fatal(err)
	}
	events := a.events(time.Now())
	if len(events) != 1 || events[0].Refused == nil || events[0].Refused.Seq != 1 || !events[0].Refused.Item.IsZero() {
		t.Errorf("%+v", events)
	}
}
