//go:build linux

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"syscall"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// The way of one penalty between processes: from the agency of a region that
// does not lead to the firm in another, and word of it back.
func TestServeDoorToDoor(t *testing.T) {
	c := startCluster(t)
	origin := c.follower()
	home := c.follower(origin)
	app := newPhone(home)
	record := origin.submit(exchange.WaitCommitted, origin.notice(home.region))[0]
	app.await(record)
	reminder := app.reminder(record)
	if reminder.SubjectUSCC != firms[home.region].uscc || reminder.FineFen == nil {
		t.Errorf("the reminder is about %q, fine %v", reminder.SubjectUSCC, reminder.FineFen)
	}
	for range 2 { // said again when the answer was lost
		answer, err := app.client(exchange.RoleApp).Acknowledge(app.context(), []httpapi.Ack{{ID: reminder.ID, State: exchange.AckRead}})
		if err != nil || len(answer.Acks) != 1 || answer.Acks[0].Result == exchange.AckUnknown {
			t.Fatalf("acknowledgement: %+v, %v", answer.Acks, err)
		}
	}
	origin.awaitDelivery(t, record, exchange.AckRead)
	size := c.agree()
	for _, n := range c.nodes {
		if got := recordsOf(n.ledger(size), origin.region); !slices.Equal(got, []exchange.EntryID{record}) {
			t.Errorf("%s has the records %v of %s, want %v", n.region, got, origin.region, record)
		}
	}
}

// One region that hangs holds up nobody; one that hears nobody goes on taking
// files in and sends them, in order, when it hears the others again.
func TestServeGoesOnWithoutOneRegion(t *testing.T) {
	c := startCluster(t)
	away := c.follower()
	origin := c.follower(away)
	app := newPhone(away)
	first := origin.submit(exchange.WaitCommitted, origin.notices(away.region, 3)...)
	app.await(first...)

	away.signal(syscall.SIGSTOP)
	meanwhile := origin.submit(exchange.WaitCommitted, origin.notices(away.region, 20)...)
	away.signal(syscall.SIGCONT)
	app.await(meanwhile...)

	alone, others := away, slices.DeleteFunc(slices.Clone(c.nodes), func(n *gateway) bool { return n == away })
	for _, n := range others {
		n.signal(syscall.SIGSTOP)
	}
	before := recordsOf(alone.ledger(alone.size()), alone.region)
	var kept []exchange.EntryID
	for range 4 {
		kept = append(kept, alone.submit(exchange.WaitNone, alone.notices(origin.region, 3)...)...)
	}
	if v, err := alone.client(exchange.RoleAgencyEntry).Record(alone.context(), kept[0]); err != nil || v.State != exchange.StateAccepted {
		t.Errorf("alone, a record is %q: %v", v.State, err)
	}
	for _, n := range others {
		n.signal(syscall.SIGCONT)
	}
	phone := newPhone(origin)
	phone.await(kept...)
	for _, n := range c.nodes {
		if got := recordsOf(n.ledger(c.agree()), alone.region); !slices.Equal(got, append(before, kept...)) {
			t.Errorf("%s has %v of %s, accepted were %v", n.region, got, alone.region, kept)
		}
	}
}

// size is the ledger's as the node has it.
func (n *gateway) size() uint64 {
	n.t.Helper()
	head, err := n.client(exchange.RoleAuditor).Checkpoint(n.context())
	if err != nil {
		n.t.Fatal(err)
	}
	return head.Size
}

// What a region knows is a fold of its journal and the ledger: without the
// folded form it comes to the same.
func TestServeRebuildsTheCasebook(t *testing.T) {
	c := startCluster(t)
	home := c.follower()
	origin := c.follower(home)
	app := newPhone(home)
	app.await(origin.submit(exchange.WaitCommitted, origin.notices(home.region, 30)...)...)
	own := home.submit(exchange.WaitCommitted, home.notices(origin.region, 5)...)
	acked := app.items[7]
	if _, err := app.client(exchange.RoleApp).Acknowledge(app.context(), []httpapi.Ack{{ID: acked.ID, State: exchange.AckRead}}); err != nil {
		t.Fatal(err)
	}
	origin.awaitDelivery(t, acked.Record, exchange.AckRead)
	size := c.agree()
	reminders, records := knowledge(home, size)

	home.stop()
	if err := os.RemoveAll(filepath.Join(home.dir, "casebook")); err != nil {
		t.Fatal(err)
	}
	home.start()
	home.awaitReady()
	again, recordsAgain := knowledge(home, size)
	if !reflect.DeepEqual(reminders, again) {
		t.Errorf("reminders were\n%+v\nand are\n%+v", reminders, again)
	}
	if !reflect.DeepEqual(records, recordsAgain) || len(records) != 30+len(own) {
		t.Errorf("%d records were\n%+v\nand are\n%+v", len(records), records, recordsAgain)
	}
	// The app's old cursor still says where it was.
	more := origin.submit(exchange.WaitCommitted, origin.notices(home.region, 2)...)
	app.await(more...)
	if len(app.items) != 32 {
		t.Errorf("the app got %d items, want 32", len(app.items))
	}
}

// knowledge is the feed from its beginning and all records, once the node has
// read that much of the ledger.
func knowledge(n *gateway, size uint64) ([]exchange.Reminder, []exchange.RecordView) {
	n.t.Helper()
	eventually(n.t, "the casebook has read the ledger, and it is witnessed", func() bool {
		status, err := n.client(exchange.RoleAuditor).Status(n.context())
		return err == nil && status.Followed >= size && status.Witness.Size >= size
	})
	page, err := n.client(exchange.RoleApp).Reminders(n.context(), "", 500, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	records, err := n.client(exchange.RoleAuditor).Records(n.context(), exchange.RecordFilter{}, "", 500)
	if err != nil {
		n.t.Fatal(err)
	}
	return page.Items, records.Items
}
