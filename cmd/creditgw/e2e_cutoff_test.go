//go:build linux

package main

import (
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// A region that the network cuts off knows that it is alone and goes on taking
// files in. The other three go on without it, with another leader if it led.
// When it hears the others again it has what it missed, and sends what it
// accepted, once and in order.
func TestServeWhileTheNetworkCutsOneRegionOff(t *testing.T) {
	t.Parallel()
	c, network := newMeshedCluster(t)
	c.serve()
	apps := map[*gateway]*phone{}
	for _, n := range c.nodes {
		apps[n] = newPhone(n)
	}
	for _, story := range []struct {
		name string
		who  func() *gateway
		cut  func(*gateway)
	}{
		{"a follower", func() *gateway { return c.follower() }, func(n *gateway) { network.isolate(n.region) }},
		{"the leader", c.leader, func(n *gateway) { network.isolate(n.region) }},
		// It is heard, so its heartbeats would keep the others from choosing
		// another one, if it did not resign for want of answers.
		{"a leader that hears nobody", c.leader, func(n *gateway) { network.deafen(n.region) }},
	} {
		t.Log("cut off: " + story.name)
		alone := story.who()
		others := slices.DeleteFunc(slices.Clone(c.nodes), func(n *gateway) bool { return n == alone })
		before := recordsOf(alone.ledger(c.agree()), alone.region)

		story.cut(alone)
		eventually(t, "it knows that it is alone", func() bool {
			ready, err := alone.client("").Ready(alone.context())
			return err == nil && !ready.Ready && slices.Contains(ready.Reasons, "NO_LEADER")
		})
		size := alone.size()
		var kept []exchange.EntryID
		for range 3 {
			kept = append(kept, alone.submit(exchange.WaitNone, alone.notices(others[0].region, 3)...)...)
		}
		missed := others[1].submit(exchange.WaitCommitted, others[1].notices(alone.region, 20)...)
		elsewhere := others[2].submit(exchange.WaitCommitted, others[2].notices(others[0].region, 5)...)
		apps[others[0]].await(elsewhere...)
		if got := alone.size(); got != size {
			t.Errorf("cut off, it has %d entries, and had %d", got, size)
		}
		if v, err := alone.client(exchange.RoleAgencyEntry).Record(alone.context(), kept[0]); err != nil || v.State != exchange.StateAccepted {
			t.Errorf("cut off, a record of its own is %q: %v", v.State, err)
		}

		network.heal()
		apps[alone].await(missed...)
		apps[others[0]].await(kept...)
		for _, n := range c.nodes {
			n.awaitReady()
		}
		size = c.agree()
		for _, n := range c.nodes {
			if got := recordsOf(n.ledger(size), alone.region); !slices.Equal(got, append(before, kept...)) {
				t.Errorf("%s has %v of %s, accepted were %v", n.region, got, alone.region, kept)
			}
		}
	}
}
