//go:build linux

package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// A node of another ledger that has the members' names and addresses, but not
// their keys, is refused by every member, counted, and changes nothing.
func TestServeRefusesStrangers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	away := c.follower()
	origin := c.follower(away)
	origin.submit(exchange.WaitCommitted, origin.notice(away.region))
	size := c.agree()
	root := c.rootAt(size)
	leader := c.leader()
	away.stop()

	// Somebody founds a ledger of their own with the members' regions and
	// addresses, and serves in the place of the one that is away.
	other := &cluster{t: t, dir: t.TempDir()}
	for _, n := range c.nodes {
		other.nodes = append(other.nodes, newGateway(t, other.dir, n.region, n.addr))
	}
	other.found()
	stranger := other.region(away.region)
	stranger.start()
	for _, n := range c.nodes {
		if n == away {
			continue
		}
		eventually(t, string(n.region)+" counts refusals", func() bool {
			status, err := n.client(exchange.RoleAuditor).Status(n.context())
			return err == nil && slices.ContainsFunc(slices.Collect(maps.Values(status.Refused)), func(v uint64) bool { return v > 0 })
		})
	}
	stranger.kill()

	away.start()
	away.awaitReady()
	origin.submit(exchange.WaitCommitted, origin.notice(away.region))
	if c.rootAt(size) != root {
		t.Errorf("the root at %d changed", size)
	}
	if now := c.leader(); now != leader {
		t.Errorf("%s led, %s does", leader.region, now.region)
	}
	c.agree()

	// The members' own directory with the stranger's genesis is no node at all.
	away.stop()
	copyFile(t, filepath.Join(stranger.dir, genesisName), filepath.Join(away.dir, genesisName))
	if code, said := away.refusal(t); code != exitInvalid {
		t.Errorf("exit %d with another ledger's genesis: %s", code, said)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
