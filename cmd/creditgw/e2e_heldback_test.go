//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A region that leads leaves one other region's batches out and goes on for
// everybody else. The one left out says so where its operators look; the others,
// to whom its batches are handed on, see them left out too and choose another
// leader, and not that one again. What was accepted comes onto the ledger, once
// and in order, and so does what the others' agencies send all the while.
func TestServeWhileTheLeaderHoldsOneRegionBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, n := range c.nodes {
		// A busy machine must not depose the leader by itself.
		n.env = append(n.env, "CREDITGW_NETWORK=wan")
	}
	hostile := c.region("140000")
	rest := c.without(hostile)
	x := newCensor(t, hostile)
	rest.serve()
	x.lead(t, rest)
	liar := x.node.Status()

	victim := rest.nodes[0]
	held := &load{gateway: victim, home: rest.nodes[1]}
	loads := []*load{held}
	for _, n := range rest.nodes[1:] {
		loads = append(loads, &load{gateway: n, home: victim})
	}
	x.holds.Store(&victim.region)
	stop := sendAll(loads[1:])
	defer stop()
	began := time.Now()
	held.file() // accepted
	eventually(t, "the region says that it is held back", func() bool {
		return slices.Contains(victim.status().Reasons, "OUTBOX_HELD_BACK") && strings.Contains(victim.metrics(), "creditgw_ready 0\n")
	})
	t.Logf("the alarm is up after %s", time.Since(began).Round(time.Millisecond))
	held.file() // answered when it is on the ledger
	t.Logf("it is in after %s", time.Since(began).Round(time.Millisecond))
	stop()
	for _, l := range loads {
		if l.err != nil {
			t.Fatalf("%s, after %d records: %v", l.region, len(l.acked), l.err)
		}
	}

	rest.leader() // one of them
	var deposed uint64
	for _, n := range rest.nodes {
		if a := n.accusation(t); a.Leader != liar.ID || a.Term != liar.Term || a.HandedOn == (n == victim) {
			t.Errorf("%s accuses %+v, and it was %s in term %d", n.region, a, liar.ID, liar.Term)
		}
		deposed += n.status().Deposed
	}
	if deposed == 0 {
		t.Error("nobody has stood for election")
	}
	eventually(t, "the alarm is over", func() bool { return victim.status().Ready })

	// The region comes to its senses, and has what all others have.
	x.leave()
	hostile.start()
	hostile.awaitReady()
	newPhone(rest.nodes[1]).await(held.acked...)
	c.checkLoads(loads)
}

// An accusation is the line of a node's log that names a leader which holds
// something back.
type accusation struct {
	Msg      string
	Alarm    bool
	Leader   string
	Term     uint64
	HandedOn bool `json:"handed_on"` // and it was another member's
}

// accusation is the first one in the node's log.
func (n *gateway) accusation(t *testing.T) (found accusation) {
	t.Helper()
	log, err := os.ReadFile(n.log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		var a accusation
		if json.Unmarshal(line, &a) == nil && a.Alarm && a.Msg == "the leader takes others' items and holds back what this node has given it" {
			return a
		}
	}
	return found
}
