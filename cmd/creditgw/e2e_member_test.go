//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// slowestWrite is how long a write may take while members come and go, on a
// machine that does nothing else.
const slowestWrite = 5 * time.Second

// tooSlow allows a busy machine ten times what it took when nothing changed.
func (l *load) tooSlow() bool { return l.slowest > slowestWrite+10*l.usual }

// A region joins step by step, writes, votes and leaves, another one replaces
// all its keys without being started again, and all the while the others'
// agencies send files, to that one too: none is lost, none fails, none waits
// long, and each is opened where it goes to.
func TestServeMembersChangeUnderLoad(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	rotating := c.region("140000")
	var loads []*load
	for i, n := range c.nodes {
		if n != rotating {
			loads = append(loads, &load{gateway: n, home: c.nodes[(i+1)%len(c.nodes)]})
		}
	}
	for _, l := range loads {
		l.warm()
	}
	stop := sendAll(loads)
	defer stop()

	// 内蒙古 joins: at first it reads.
	joiner := newGateway(t, c.dir, "150000", freePort(t))
	t.Cleanup((&cluster{t: t, nodes: []*gateway{joiner}}).report)
	c.copyGenesis(joiner)
	creditgw(t, "member", "join", "--dir", joiner.dir, "--passphrase-file", joiner.file("passphrase"))
	c.decide(readChange(t, joiner, joinName))
	joiner.start()
	joiner.awaitReady()
	joiner.awaitSize(c.nodes[0].size())
	c.decide(peers.Change{Change: peers.ChangeStage, Region: "150000", Stage: "verified"})
	c.decide(peers.Change{Change: peers.ChangeStage, Region: "150000", Stage: "voter"})
	c.awaitMembership(joiner, "voter")

	// Shanxi replaces its keys.
	suspect, stolen := c.nodes[0].size(), rotating.key("batch")
	rotating.submit(exchange.WaitCommitted, rotating.notices(c.nodes[0].region, 3)...)
	for _, purpose := range []string{"batch", "node", "decryption", "witness"} {
		old := rotating.key(purpose)
		c.decide(rotating.addKey(purpose))
		c.decide(peers.Change{Change: peers.ChangeKeyRetire, Region: rotating.region, Purpose: purpose, KeyID: old[:]})
	}
	size := c.nodes[0].size()
	newPhone(c.nodes[0]).await(rotating.submit(exchange.WaitWitnessed, rotating.notice(c.nodes[0].region))...)
	c.nodes[0].signedBy(rotating.region, size)
	c.ticket(rotating)
	c.decide(peers.Change{
		Change: peers.ChangeKeyRevoke, Region: rotating.region, Purpose: "batch", KeyID: stolen[:], SuspectFrom: suspect,
	})

	c.decide(peers.Change{Change: peers.ChangeLeave, Region: "150000"})
	c.awaitMembership(joiner, "left")
	joiner.stop()
	stop()
	for _, l := range loads {
		if l.err != nil {
			t.Fatalf("%s, after %d records: %v", l.region, len(l.acked), l.err)
		}
		t.Logf("%s: %d records, the slowest file took %s", l.region, len(l.acked), l.slowest)
		if l.tooSlow() {
			t.Errorf("%s: a write took %s, %s before", l.region, l.slowest, l.usual)
		}
	}
	c.checkLoads(loads)
	c.checkDoubt(stolen, suspect)
	for _, l := range loads {
		if l.home == rotating {
			newPhone(rotating).await(l.acked...)
			rotating.opens(l.acked[0], l.acked[len(l.acked)-1])
		}
	}
}

// All others replace their node and witness keys while one region is away. When
// it is back it knows none of them; it learns in the handshake who they are by
// now, and has handed over to it how the witnesses changed: from it, too, a
// receipt of today can be checked by whoever has the genesis only.
func TestServeComesBackAfterRotations(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	away := c.nodes[2]
	c.agree()
	away.stop()
	rest := &cluster{t: t, dir: c.dir, nodes: append(c.nodes[:2:2], c.nodes[3])}
	for _, n := range rest.nodes {
		ended := map[string]sm.KeyID{}
		for _, purpose := range []string{"node", "witness"} {
			ended[purpose] = n.key(purpose)
			rest.decide(n.addKey(purpose))
		}
		for purpose, old := range ended {
			rest.decide(peers.Change{Change: peers.ChangeKeyRetire, Region: n.region, Purpose: purpose, KeyID: old[:]})
		}
	}
	restarted := rest.nodes[1] // with keys beside those of its member.json only
	restarted.stop()
	restarted.start()
	restarted.awaitReady()
	size := rest.nodes[0].size()
	away.start()
	away.awaitReady()
	away.awaitSize(size)
	sent := rest.nodes[0].submit(exchange.WaitWitnessed, rest.nodes[0].notice(away.region))
	newPhone(away).await(sent...)
	c.agree()
	file := filepath.Join(c.dir, "proof.json")
	eventually(t, string(away.region)+" has a receipt of it", func() bool {
		raw, err := away.client(exchange.RoleOperator).Receipt(away.context(), sent[0], false)
		return err == nil && os.WriteFile(file, raw, 0o600) == nil && c.verify(file).State == "witnessed"
	})
	c.checkMembers(away, rest)
}

// checkMembers follows the members file of a node from the genesis: evidence by
// the others' present keys can be judged by it, and by their first ones of then.
func (c *cluster) checkMembers(from *gateway, rotated *cluster) {
	c.t.Helper()
	raw, err := from.client(exchange.RoleAuditor).MembersProof(from.context())
	if err != nil {
		c.t.Fatal(err)
	}
	g, err := readGenesis(filepath.Join(c.dir, genesisName))
	if err != nil {
		c.t.Fatal(err)
	}
	known, err := peers.JudgeChain(&g, raw)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range rotated.nodes {
		node := n.status().Node
		first, present := known.NodeKeysAt(node, 0), known.NodeKeysAt(node, known.Size)
		if len(first) != 1 || len(present) != 1 || first[0].Equal(present[0]) || present[0].ID() != n.key("node") {
			c.t.Errorf("%s is known by %d node keys and then by %d", node, len(first), len(present))
		}
		if at := known.WitnessesAt(known.Size + 1); at.Equal(known.WitnessesAt(1)) {
			c.t.Error("the witnesses are the founders'")
		}
	}
}

// A region gets another node while the old one still runs, and leads. The
// promotion fences the old one: another one has to lead, the old one takes
// nothing in any more, and if it did, that would never reach the ledger. The
// others' agencies notice nothing.
func TestServePromotesAnotherNode(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	old := c.region("140000")
	before := old.submit(exchange.WaitCommitted, old.notices("110000", 3)...)
	c.agree()
	file := filepath.Join(c.dir, "backup")
	creditgw(t, "backup", "--dir", old.dir, file)
	fresh := old.restore(file)
	c.lead(old)

	rest := &cluster{t: t, dir: c.dir, nodes: c.nodes[:3]}
	loads := []*load{{gateway: c.nodes[0], home: c.nodes[1]}, {gateway: c.nodes[1], home: c.nodes[2]}}
	for _, l := range loads {
		l.warm()
	}
	stop := sendAll(loads)
	defer stop()

	rest.decide(readChange(t, fresh, nodeAddName))
	fresh.start()
	fresh.awaitReady()
	fresh.awaitSize(c.nodes[0].size())
	knows := c.leader() == old // else nobody may have told it
	rest.decide(readChange(t, fresh, promoteName))
	if knows {
		eventually(t, "the old node says that it is none any more", func() bool { return old.refuses("NODE_RETIRED") })
	} else {
		old.submit(exchange.WaitNone, old.notice("110000"))
	}
	after := fresh.submit(exchange.WaitCommitted, fresh.notices("120000", 3)...)
	stop()
	for _, l := range loads {
		if l.err != nil || l.tooSlow() {
			t.Errorf("%s, after %d records: %v, the slowest file took %s", l.region, len(l.acked), l.err, l.slowest)
		}
		t.Logf("%s: %d records, the slowest file took %s", l.region, len(l.acked), l.slowest)
	}
	rest.checkLoads(loads)
	if got := recordsOf(c.nodes[0].ledger(rest.agree()), old.region); !slices.Equal(got, append(before, after...)) {
		t.Errorf("%d records of the region are on the ledger, not %d", len(got), len(before)+len(after))
	}
}

// lead has a node lead: for as long as another one does, that one hangs until
// the others have elected again.
func (c *cluster) lead(n *gateway) {
	c.t.Helper()
	for leader := c.leader(); leader != n; leader = c.leader() {
		others := slices.DeleteFunc(slices.Clone(c.nodes), func(o *gateway) bool { return o == leader })
		leader.hang(func() { (&cluster{t: c.t, nodes: others}).leader() })
	}
}

// Two of four regions are down, and a tie-breaker in a fifth place keeps the
// ledger going. It votes and does nothing else: it takes nothing in, writes
// nothing and cosigns nothing.
func TestServeWithATieBreaker(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	breaker := newGateway(t, c.dir, "150000", freePort(t))
	t.Cleanup((&cluster{t: t, nodes: []*gateway{breaker}}).report)
	c.copyGenesis(breaker)
	creditgw(t, "member", "tie-breaker", "--dir", breaker.dir, "--passphrase-file", breaker.file("passphrase"))
	c.decide(readChange(t, breaker, tieBreakerName))
	breaker.start()
	breaker.awaitReady()
	c.nodes[0].submit(exchange.WaitWitnessed, c.nodes[0].notice(c.nodes[1].region))
	all := &cluster{t: t, dir: c.dir, nodes: append(slices.Clone(c.nodes), breaker)}
	eventually(t, "it votes", func() bool { return all.leader().status().MembershipWaits == "" })

	for _, n := range c.nodes[2:] {
		n.kill()
	}
	up := &cluster{t: t, dir: c.dir, nodes: append(slices.Clone(c.nodes[:2]), breaker)}
	newPhone(c.nodes[1]).await(c.nodes[0].submit(exchange.WaitCommitted, c.nodes[0].notices(c.nodes[1].region, 3)...)...)
	up.agree()

	if !breaker.refuses("ORIGIN_UNKNOWN") {
		t.Error("the tie-breaker takes files in")
	}
	for _, n := range up.nodes {
		for _, r := range n.status().Witness.Regions {
			if r.Region == breaker.region {
				t.Errorf("%s has a cosignature by the tie-breaker of size %d", n.region, r.Size)
			}
		}
	}
	if s := breaker.status(); s.Counts.Outbox != 0 || s.Witness.Refused != 0 {
		t.Errorf("the tie-breaker has %d entries to send, refused %d", s.Counts.Outbox, s.Witness.Refused)
	}
}

// refuses says whether the node takes no file in, for the reason with a code.
func (n *gateway) refuses(code string) bool {
	n.t.Helper()
	body, err := recordsFile(n.notices("110000", 1))
	if err != nil {
		n.t.Fatal(err)
	}
	_, err = n.client(exchange.RoleAgencyEntry).Submit(n.context(), httpapi.File{Body: bytes.NewReader(body), Media: httpapi.MediaJSON})
	var problem *httpapi.Problem
	return errors.As(err, &problem) && problem.Code == code
}

// restore makes the region another node from a backup.
func (n *gateway) restore(backup string) *gateway {
	n.t.Helper()
	other := &gateway{
		t: n.t, region: n.region, dir: n.dir + "-2", addr: freePort(n.t), log: n.log + "-2", tokens: map[exchange.Role]string{},
	}
	http := freePort(n.t)
	other.url = "http://" + http
	n.t.Cleanup((&cluster{t: n.t, nodes: []*gateway{other}}).report)
	creditgw(n.t, "restore", "--dir", other.dir, "--genesis", filepath.Join(n.dir, genesisName), "--recovery", filepath.Join(n.dir, recoveryName),
		"--addr", other.addr, "--http", http, "--passphrase-file", n.file("passphrase"), "--recovery-passphrase-file", n.file("recovery"), backup)
	for _, role := range []exchange.Role{exchange.RoleAgencyEntry, exchange.RoleOperator, exchange.RoleAuditor} {
		args := []string{"token", "add", "--role", string(role), "--dir", other.dir}
		if role == exchange.RoleAgencyEntry {
			args = append(args, "--scope", "unit="+agencies[n.region]+",source="+agencies[n.region])
		}
		other.tokens[role] = strings.TrimSpace(creditgw(n.t, args...))
	}
	return other
}

// copyGenesis hands the genesis to a region that is not in it.
func (c *cluster) copyGenesis(n *gateway) {
	c.t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.dir, genesisName))
	if err == nil {
		err = os.WriteFile(filepath.Join(n.dir, genesisName), raw, 0o644)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func readChange(t *testing.T, n *gateway, name string) (change peers.Change) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.dir, name))
	if err == nil {
		err = json.Unmarshal(raw, &change)
	}
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// decide has the regions that vote propose and approve a change, each through
// its own node, and waits until all founders have it in force.
func (c *cluster) decide(change peers.Change) {
	c.t.Helper()
	first := c.nodes[0]
	before := first.directory()
	if _, err := first.client(exchange.RoleOperator).Propose(first.context(), change); err != nil {
		c.t.Fatalf("%s: %v", change.Change, err)
	}
	for _, n := range c.nodes[1:] {
		var open *httpapi.ProposalView
		eventually(c.t, string(n.region)+" sees the proposal or its effect", func() bool {
			open = c.openProposal(n, change)
			return open != nil || n.directory() != before
		})
		if open == nil {
			break
		}
		_, err := n.client(exchange.RoleOperator).Approve(n.context(), open.Index, open.Digest)
		if problem := (*httpapi.Problem)(nil); errors.As(err, &problem) && problem.Code == "PROPOSAL_UNKNOWN" {
			break // this node has just heard of the approval that was the last it took
		}
		if err != nil {
			c.t.Fatalf("%s approves %s: %v", n.region, change.Change, err)
		}
		// One after the other: the last approval that counts closes it.
		eventually(c.t, string(n.region)+"'s approval is on the ledger", func() bool {
			p := c.openProposal(n, change)
			return p == nil || len(p.Approved) > len(open.Approved)
		})
	}
	for _, n := range c.nodes {
		eventually(c.t, string(change.Change)+" is in force at "+string(n.region), func() bool { return n.directory() != before })
	}
}

// directory is the root of the directory as a node has it.
func (n *gateway) directory() (root string) {
	n.t.Helper()
	eventually(n.t, string(n.region)+" shows its members", func() bool {
		m, err := n.client(exchange.RoleOperator).Members(n.context())
		root = m.Root.String()
		return err == nil
	})
	return root
}

func (c *cluster) openProposal(n *gateway, change peers.Change) *httpapi.ProposalView {
	page, err := n.client(exchange.RoleOperator).Proposals(n.context())
	if err != nil {
		return nil
	}
	for _, p := range page.Items {
		if p.Change.Change == change.Change && p.Change.Region == change.Region {
			return &p
		}
	}
	return nil
}

// awaitMembership waits until every founder has a region in a stage.
func (c *cluster) awaitMembership(of *gateway, stage string) {
	c.t.Helper()
	for _, n := range c.nodes {
		eventually(c.t, string(n.region)+" has "+string(of.region)+" as "+stage, func() bool {
			m, err := n.client(exchange.RoleOperator).Members(n.context())
			if err != nil {
				return false
			}
			for _, r := range m.Regions {
				if r.Region == of.region && r.Stage == stage {
					return true
				}
			}
			return false
		})
	}
}

func (n *gateway) awaitSize(size uint64) {
	n.t.Helper()
	eventually(n.t, string(n.region)+" has caught up", func() bool { return n.size() >= size })
}
