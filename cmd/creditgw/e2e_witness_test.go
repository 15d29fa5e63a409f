//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// witnesses is who may cosign, as the genesis in everybody's hands says.
func (c *cluster) witnesses() (ledger *peers.Directory) {
	c.t.Helper()
	g, err := readGenesis(filepath.Join(c.dir, genesisName))
	if err != nil {
		c.t.Fatal(err)
	}
	d, err := peers.NewDirectory(&g)
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// witnessed reads a region's newest witnessed checkpoint and verifies it as
// anyone can who has the genesis.
func (c *cluster) witnessed(n *gateway) peers.Checkpoint {
	c.t.Helper()
	answer, err := n.client(exchange.RoleAuditor).Checkpoint(n.context())
	if err != nil || answer.Witnessed == nil {
		c.t.Fatalf("%s has no witnessed checkpoint: %v", n.region, err)
	}
	checkpoint, err := peers.ParseCheckpoint([]byte(answer.Witnessed.Text))
	if err != nil {
		c.t.Fatal(err)
	}
	d := c.witnesses()
	if by, err := checkpoint.Verify(d.Witnesses()); err != nil || checkpoint.Ledger != d.Ledger() {
		c.t.Fatalf("%s: a checkpoint by %v: %v", n.region, by, err)
	}
	return checkpoint
}

// signedBy waits until a region holds a node's own cosignature of a size.
func (n *gateway) signedBy(region peers.Region, size uint64) {
	n.t.Helper()
	eventually(n.t, string(region)+" has cosigned and "+string(n.region)+" knows", func() bool {
		s, err := n.client(exchange.RoleAuditor).Status(n.context())
		if err != nil {
			return false
		}
		for _, r := range s.Witness.Regions {
			if r.Region == region {
				return r.Size >= size
			}
		}
		return false
	})
}

// Four processes witness what they have in common, with one of them killed too;
// a node whose directory was put back to an older copy does not come back, with
// or without its witness state.
func TestServeWitnesses(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	n := c.follower()
	origin := c.follower(n)
	id := origin.submit(exchange.WaitWitnessed, origin.notice(n.region))[0]
	record, err := origin.client(exchange.RoleAgencyEntry).Record(origin.context(), id)
	if err != nil || record.State != exchange.StateWitnessed {
		t.Fatalf("the record is %q: %v", record.State, err)
	}
	size := *record.Index + 1
	for _, other := range c.nodes {
		n.signedBy(other.region, size)
	}
	if at := c.witnessed(origin); at.Size < size {
		t.Errorf("witnessed to %d, the record is at %d", at.Size, size)
	}

	n.stop()
	old := filepath.Join(c.dir, "old")
	copyTree(t, n.dir, old)
	n.start()
	n.awaitReady()
	origin.submit(exchange.WaitWitnessed, origin.notices(n.region, 30)...)
	size = c.witnessed(origin).Size
	for _, other := range c.nodes {
		if other != n {
			other.signedBy(n.region, size)
		}
	}
	n.signal(syscall.SIGKILL)
	<-n.exited
	// Three are enough, and none of them waits for the fourth.
	origin.submit(exchange.WaitWitnessed, origin.notice(n.region))

	state := filepath.Join(c.dir, "state")
	copyTree(t, filepath.Join(n.dir, witnessName), state)
	putBack := func(from, name string) {
		t.Helper()
		remove(t, n, name)
		copyTree(t, from, filepath.Join(n.dir, name))
	}
	putBack(filepath.Join(old, "raft"), "raft")
	putBack(filepath.Join(old, "ledger"), "ledger")
	if code, said := n.refusal(t); code != exitInvalid || !strings.Contains(said, "has been cosigned") {
		t.Errorf("Raft and ledger of old: exit %d: %s", code, said)
	}
	putBack(filepath.Join(old, witnessName), witnessName)
	if code, said := n.refusal(t); code != exitInvalid || !strings.Contains(said, "old copy") {
		t.Errorf("everything of old: exit %d: %s", code, said)
	}
	found, err := filepath.Glob(filepath.Join(n.dir, evidenceName, "*-rolled-back-*.txt"))
	if err != nil || len(found) != 1 {
		t.Fatalf("evidence %v: %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil || !strings.Contains(string(text), "数据目录被回退") || !strings.Contains(string(text), "rolled back") {
		t.Errorf("%v: %s", err, text)
	}
	// Nor does trying again help.
	if code, said := n.refusal(t); code != exitInvalid || !strings.Contains(said, "rejoin as a new node id") {
		t.Errorf("again: exit %d: %s", code, said)
	}
	putBack(state, witnessName)
	overwrite(t, filepath.Join(n.dir, stateName), 0, make([]byte, 8192))
	if code, said := n.refusal(t); code != exitInvalid || !strings.Contains(said, "the state is damaged") {
		t.Errorf("a rotten state: exit %d: %s", code, said)
	}
	origin.submit(exchange.WaitWitnessed, origin.notice(n.region))
}
