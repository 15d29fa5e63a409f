//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// load sends files of a region's agency, one after the other, as a careful
// client does: what was not answered is sent again under the same
// Idempotency-Key, until it is.
type load struct {
	*gateway
	home  *gateway
	acked []exchange.EntryID // of every record sent, in order; each was answered
	err   error

	slowest time.Duration // from the first attempt of a file to its answer
	usual   time.Duration // the same before the story begins
}

const rowsPerFile = 7

// sendAll has loads send side by side until stop is called, which waits for what
// is under way.
func sendAll(loads []*load) (stop func()) {
	ctx, end := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	for _, l := range loads {
		sending.Go(func() { l.run(ctx) })
	}
	return func() { end(); sending.Wait() }
}

// run sends files until ctx ends and finishes the one under way.
func (l *load) run(ctx context.Context) {
	for ctx.Err() == nil && l.err == nil {
		l.file()
	}
}

// warm sends some files before the story begins, to see how fast this machine is.
func (l *load) warm() {
	for range 5 {
		l.file()
	}
	l.usual, l.slowest = l.slowest, 0
}

func (l *load) file() {
	body, err := recordsFile(l.notices(l.home.region, rowsPerFile))
	if err != nil {
		l.err = err
		return
	}
	key := fmt.Sprintf("%s-%d", l.region, len(l.acked))
	wait := exchange.WaitNone
	if len(l.acked)/rowsPerFile%2 == 1 {
		wait = exchange.WaitCommitted
	}
	giveUp, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	defer func() { l.slowest = max(l.slowest, time.Since(began)) }()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		v, err := l.client(exchange.RoleAgencyEntry).Submit(giveUp, httpapi.File{
			Body: bytes.NewReader(body), Media: httpapi.MediaJSON, Wait: wait, Idempotency: key,
		})
		if err == nil {
			l.take(v)
			return
		}
		var problem *httpapi.Problem
		if giveUp.Err() != nil || !errors.Is(err, httpapi.ErrUnreachable) && !(errors.As(err, &problem) && problem.Status/100 == 5) {
			l.err = err
			return
		}
		<-again.C
	}
}

// take notes what the answer promises.
func (l *load) take(v httpapi.Submission) {
	if !v.Complete || v.Received != rowsPerFile || len(v.Records) != rowsPerFile || v.Accepted+v.Duplicate != rowsPerFile {
		l.err = fmt.Errorf("answer: complete %v, received %d, accepted %d, duplicate %d, %d records",
			v.Complete, v.Received, v.Accepted, v.Duplicate, len(v.Records))
		return
	}
	for _, row := range v.Records {
		if row.ID == nil {
			l.err = fmt.Errorf("row %d of %s is %s without an id", row.Row, v.ID, row.Outcome)
			return
		}
		l.acked = append(l.acked, *row.ID)
	}
}

// kills is how often the leader dies under load.
const kills = 4

// A leader that dies in the middle of its work takes nothing with it that was
// acknowledged, and nothing is done twice because a client or a node asked
// again. In the end all four die at once.
func TestServeSurvivesKills(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	loads := make([]*load, len(c.nodes))
	apps := make([]*phone, len(c.nodes))
	for i, n := range c.nodes {
		loads[i] = &load{gateway: n, home: c.nodes[(i+1)%len(c.nodes)]}
		apps[i] = newPhone(n)
	}
	stop := sendAll(loads)
	defer stop()
	for range kills {
		leader := c.leader()
		// So that there is something under way for it to lose.
		c.awaitGrowth(leader, 50)
		leader.kill()
		c.awaitGrowth(c.nodes[(slices.Index(c.nodes, leader)+1)%len(c.nodes)], 50)
		leader.start()
		leader.awaitReady()
	}
	stop()
	for _, l := range loads {
		if l.err != nil {
			t.Fatalf("%s, after %d records: %v", l.region, len(l.acked), l.err)
		}
	}
	c.checkLoads(loads)
	// The app pulls what there is; it goes on from there after all have died.
	for i, app := range apps {
		app.await(loads[(i+3)%len(loads)].acked...)
	}
	size := c.agree()
	root := c.rootAt(size)
	for _, n := range c.nodes {
		n.kill()
	}
	for _, n := range c.nodes {
		n.start()
	}
	for _, n := range c.nodes {
		n.awaitReady()
	}
	if again := c.rootAt(size); again != root {
		t.Fatalf("the root at %d was %s and is %s", size, root, again)
	}
	for i, app := range apps {
		had := len(app.items)
		origin := loads[(i+3)%len(loads)]
		more := origin.submit(exchange.WaitCommitted, origin.notices(app.region, 2)...)
		origin.acked = append(origin.acked, more...)
		app.await(more...)
		if got := len(app.items) - had; got != len(more) || len(app.items) != len(origin.acked) {
			t.Errorf("%s: %d items came after the restart for %d records, %d in all for %d",
				app.region, got, len(more), len(app.items), len(origin.acked))
		}
	}
	c.checkLoads(loads)
}

// awaitGrowth waits until a node's ledger has grown by that many entries.
func (c *cluster) awaitGrowth(n *gateway, entries uint64) {
	c.t.Helper()
	from := n.size()
	eventually(c.t, "the ledger grows", func() bool { return n.size() >= from+entries })
}

func (c *cluster) rootAt(size uint64) string {
	c.t.Helper()
	n := c.nodes[0]
	head, err := n.client(exchange.RoleAuditor).CheckpointAt(n.context(), size)
	if err != nil {
		c.t.Fatal(err)
	}
	return head.Root.String()
}

// checkLoads waits until all that was acknowledged is on the ledger and checks
// that it is there once, in order, with nothing else.
func (c *cluster) checkLoads(loads []*load) {
	c.t.Helper()
	for _, l := range loads {
		eventually(c.t, string(l.region)+" has nothing left to send", func() bool {
			status, err := l.client(exchange.RoleAuditor).Status(l.context())
			return err == nil && status.Counts.Outbox == 0
		})
	}
	entries := c.nodes[0].ledger(c.agree())
	for _, l := range loads {
		if got := recordsOf(entries, l.region); !slices.Equal(got, l.acked) {
			c.t.Fatalf("%s: %d records were acknowledged, %d are on the ledger, or their order differs", l.region, len(l.acked), len(got))
		}
	}
}
