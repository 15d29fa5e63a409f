//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
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
	t.Parallel()
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
		"--addr", freePort(t), "--http", strings.TrimPrefix(lost.url, "http://"), "--passphrase-file", lost.file("passphrase"), "--recovery-passphrase-file", lost.file("recovery"), file, "--json",
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
	// All events came back, and one that voids what the lost node has cut.
	got := eventsOf(t, filepath.Join(lost.dir, journalName))
	if n := len(events); len(got) != n+1 || !reflect.DeepEqual(got[:n], events) || got[n].Refused == nil || !got[n].Refused.Item.IsZero() {
		t.Errorf("%d events came back of %d", len(got), n)
	}
	if v, err := vault.Check(filepath.Join(lost.dir, vaultName)); err != nil || v.Slots != r.Slots {
		t.Errorf("vault: %+v, %v; %d slots are named", v, err, r.Slots)
	}
	for _, never := range []string{raftName, ledgerName, filepath.Join(casebookName, casebook.FileName)} {
		if _, err := os.Stat(filepath.Join(lost.dir, never)); err == nil {
			t.Errorf("%s was restored", never)
		}
	}

	// The other three let it in; the second change ends the lost node's keys.
	rest := c.without(lost)
	rest.admit(lost)
	lost.stop()
	lost.start()
	lost.awaitReady()
	// It has the ledger of before, knows its own records and sends new ones.
	if got := rest.nodes[0].ledger(size); len(got) != len(lost.ledger(size)) {
		t.Errorf("%d entries before, %d on the restored node", len(got), len(lost.ledger(size)))
	}
	for _, id := range records {
		if v := lost.recordView(id); !v.State.OnLedger() {
			t.Errorf("record %s is %q", id, v.State)
		}
	}
	newPhone(home).await(lost.submit(exchange.WaitCommitted, lost.notices(home.region, 3)...)...)
	c.agree()
}

// admit lets a node in that was made in the place of another one, and has it take
// the region over.
func (c *cluster) admit(n *gateway) {
	c.t.Helper()
	c.decide(readChange(c.t, n, nodeAddName))
	n.start()
	n.awaitReady()
	n.awaitSize(c.nodes[0].size())
	c.decide(readChange(c.t, n, promoteName))
}

// A node was stopped because its ledger is not the others'. Its region comes back
// beside it, as another node; the old directory is evidence and stays as it is.
func TestAStoppedRegionRejoinsByResync(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	n := c.follower()
	home := c.follower(n)
	records := n.submit(exchange.WaitCommitted, n.notices(home.region, 5)...)
	newPhone(home).await(records...)
	c.agree()
	n.stop()
	// The last that it has read is not what the others have.
	events := eventsOf(t, filepath.Join(n.dir, journalName))
	forkJournal(t, filepath.Join(n.dir, journalName), n.region, events)
	halted := filepath.Join(n.dir, witnessName, "halted")
	if err := os.WriteFile(halted, []byte(`{"reason":"FORKED","size":9,"evidence":"e","at":"2026-04-01T12:00:00Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	before := fileDigests(t, n.dir)

	to := n.dir + "-again"
	creditgw(t, "resync", "--dir", n.dir, "--to", to, "--addr", freePort(t), "--http", strings.TrimPrefix(n.url, "http://"),
		"--passphrase-file", n.file("passphrase"), "--recovery-passphrase-file", n.file("recovery"))
	if after := fileDigests(t, n.dir); !reflect.DeepEqual(before, after) {
		t.Errorf("the old directory has changed: %d files, %d before", len(after), len(before))
	}
	for _, fresh := range []string{raftName, ledgerName, filepath.Join(witnessName, "halted")} {
		if _, err := os.Stat(filepath.Join(to, fresh)); err == nil {
			t.Errorf("the new node has the old one's %s", fresh)
		}
	}

	rest := c.without(n)
	n.dir = to
	rest.admit(n)
	n.stop()
	n.start()
	n.awaitReady()
	for _, id := range records {
		if v := n.recordView(id); !v.State.OnLedger() {
			t.Errorf("record %s is %q", id, v.State)
		}
	}
	newPhone(home).await(n.submit(exchange.WaitCommitted, n.notices(home.region, 2)...)...)
	c.agree()
}

// forkJournal adds a note of a ledger that nobody else has.
func forkJournal(t *testing.T, dir string, region peers.Region, events []exchange.Event) {
	t.Helper()
	note := exchange.LedgerFollowed{Region: region, Root: sm.Sum([]byte("another ledger"))}
	for _, e := range events {
		if e.Followed != nil {
			note.From = e.Followed.To
		}
	}
	note.To = note.From + 3
	j, err := journal.Open(journal.Config{Dir: dir, Fatal: func(err error) { t.Error(err) }})
	if err == nil {
		_, err = j.Append(t.Context(), exchange.Event{At: time.Now(), Followed: &note})
		err = errors.Join(err, j.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fileDigests are the node's files that mean something, with their SM3.
func fileDigests(t *testing.T, dir string) map[string]sm.Digest {
	t.Helper()
	out := map[string]sm.Digest{}
	for _, path := range nodeFiles(t, dir) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[path] = sm.Sum(raw)
	}
	return out
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
