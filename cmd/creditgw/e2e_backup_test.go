//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
)

// restored is what creditgw restore says.
type restored struct {
	Node     string   `json:"node"`
	Lost     string   `json:"lost_node"`
	Events   int      `json:"events"`
	Slots    uint64   `json:"slots"`
	Size     uint64   `json:"ledger_size"`
	Root     string   `json:"root"`
	Proposed []string `json:"to_propose"`
}

// A region loses its host. From a backup, its recovery file and the genesis it
// gets a node with everything that only it had, and with an identity that nobody
// has let in yet.
func TestALostNodeIsRestoredAsAnotherOne(t *testing.T) {
	c := startCluster(t)
	lost := c.follower()
	home := c.follower(lost)
	records := lost.submit(exchange.WaitCommitted, lost.notices(home.region, 20)...)
	newPhone(home).await(records...)
	size := c.agree()
	lost.stop()

	safe := t.TempDir()
	file := filepath.Join(safe, "backup")
	creditgw(t, "backup", "--dir", lost.dir, "--passphrase-file", lost.file("passphrase"), file, "--json")
	events := eventsOf(t, filepath.Join(lost.dir, journalName))
	for _, name := range []string{genesisName, recoveryName} {
		if err := os.Rename(filepath.Join(lost.dir, name), filepath.Join(safe, name)); err != nil {
			t.Fatal(err)
		}
	}
	secret, err := os.ReadFile(filepath.Join(lost.dir, vaultName))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, secret[32:64]) {
		t.Error("a key of the vault lies in the backup in clear")
	}
	if err := os.RemoveAll(lost.dir); err != nil {
		t.Fatal(err)
	}

	args := []string{
		"restore", "--dir", lost.dir, "--genesis", filepath.Join(safe, genesisName), "--recovery", filepath.Join(safe, recoveryName),
		"--addr", freePort(t), "--passphrase-file", lost.file("passphrase"), "--recovery-passphrase-file", lost.file("recovery"), file, "--json",
	}
	// A backup that has been touched leaves nothing behind.
	mend := flip(t, file, int64(len(sealed)/2))
	p, _, errOut := testProgram(nil)
	if code := p.run(t.Context(), args); code != exitInvalid || !strings.Contains(errOut.String(), "backup") {
		t.Errorf("a damaged backup: exit %d: %s", code, errOut)
	}
	for _, left := range []string{lost.dir, lost.dir + ".restoring"} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("it leaves %s", left)
		}
	}
	mend()

	var r restored
	if err := json.Unmarshal([]byte(creditgw(t, args...)), &r); err != nil {
		t.Fatal(err)
	}
	if r.Node != peers.NodeID(lost.region, 2) || r.Lost != peers.NodeID(lost.region, 1) || r.Size < size || r.Events != len(events) {
		t.Errorf("%+v, %d events at size %d", r, len(events), size)
	}
	if got := eventsOf(t, filepath.Join(lost.dir, journalName)); !reflect.DeepEqual(got, events) {
		t.Errorf("%d events came back of %d", len(got), len(events))
	}
	if v, err := vault.Check(filepath.Join(lost.dir, vaultName)); err != nil || v.Slots != r.Slots {
		t.Errorf("vault: %+v, %v; %d slots are named", v, err, r.Slots)
	}
	for _, never := range []string{raftName, ledgerName, filepath.Join(casebookName, casebook.FileName)} {
		if _, err := os.Stat(filepath.Join(lost.dir, never)); err == nil {
			t.Errorf("%s was restored", never)
		}
	}
	c.letIn(t, &r, lost)
}

// letIn has the regions' own fold judge what the restored node wants.
func (c *cluster) letIn(t *testing.T, r *restored, n *gateway) {
	t.Helper()
	genesis, err := readGenesis(filepath.Join(n.dir, genesisName))
	if err != nil {
		t.Fatal(err)
	}
	d, err := peers.NewDirectory(&genesis)
	if err != nil {
		t.Fatal(err)
	}
	index := uint64(0)
	for _, path := range r.Proposed {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var change peers.Change
		if err := json.Unmarshal(raw, &change); err != nil {
			t.Fatal(err)
		}
		body, err := peers.EncodeProposal(change)
		if err != nil {
			t.Fatal(err)
		}
		regions := d.Voters()
		if d, err = d.With(index, regions[0], peers.KindPropose, body); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		proposal := d.Proposals()[0]
		for _, region := range regions[1:d.Approvals()] {
			index++
			approval, err := peers.EncodeApproval(proposal.Index, proposal.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if d, err = d.With(index, region, peers.KindApprove, approval); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		index++
	}
	member, ok := d.Member(n.region)
	if !ok || member.Node.ID != r.Node {
		t.Errorf("the region's node is %q", member.Node.ID)
	}
	if keys := d.NodeKeys(r.Lost); len(keys) != 0 {
		t.Errorf("the lost node still has %d keys in force", len(keys))
	}
}

func eventsOf(t *testing.T, dir string) (out []exchange.Event) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "journal")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Config{Dir: copied, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Read(1, func(_ exchange.Position, e exchange.Event) error { out = append(out, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}
