//go:build linux

package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/exchange/store"
)

// A firm has repaired its credit. The fining region orders the record to be
// erased; every region stops serving it, erases it and says so, the one that
// was down when it is back. Then no byte of it is in any file of any node: not
// its text, not its ciphertext, not a key. All else stands and can be proven.
func TestServeErasesARecordEverywhere(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	origin := c.follower()
	home := c.follower(origin)
	app := newPhone(home)
	notice := origin.notice(home.region)
	notice["CF_SY"] = "于国道一〇四线设卡处查获其车辆货物装载高度超出规定七十九厘米"
	notice["CF_FRDB"] = "欧阳拾柒"
	record := origin.submit(exchange.WaitCommitted, notice)[0]
	other := origin.submit(exchange.WaitCommitted, origin.notice(home.region))[0]
	app.await(record, other)
	origin.sendsAgain(notice)
	entry := c.entry(origin, record)
	secrets := c.secretsOf(origin, entry)
	for _, n := range c.nodes {
		// Else the search would find nothing in the end either.
		eventually(t, string(n.region)+" holds the ciphertext in its Raft log and in its ledger", func() bool {
			return len(n.holding(map[string][]byte{"ciphertext": secrets["ciphertext"]})) >= 2
		})
	}
	before := c.agree()
	down := c.nodes[slices.IndexFunc(c.nodes, func(n *gateway) bool { return n != origin && n != home && n != c.leader() })]
	down.stop()

	var order httpapi.Erasure
	ordered := time.Now()
	origin.creditctl(&order, exitDone, "erase", record.String(), "--reason", "repaired", "--now")
	if v := origin.recordView(record); v.Body != nil || v.Author != nil || order.Reason != exchange.ReasonRepaired {
		t.Errorf("at the origin it reads %+v after %+v", v, order)
	}
	app.await(record)
	eventually(t, "the app is told to take it down", func() bool {
		app.pull()
		last := app.items[len(app.items)-1]
		return last.Record == record && last.Op == exchange.OpCancel && last.SubjectName == ""
	})
	stopped := time.Since(ordered)
	origin.awaitErased(record, down)
	t.Logf("the app was told to take it down after %v, the three had stated its erasure after %v",
		stopped.Round(time.Millisecond), time.Since(ordered).Round(time.Millisecond))
	down.start()
	for _, n := range []*gateway{origin, home} {
		n.awaitErased(record)
		for _, said := range n.recordView(record).Erasure.Regions {
			if said.Node == "" || said.LogFirst == 0 || said.BackupsUntil == "" || said.Held != (said.Region == origin.region || said.Region == home.region) {
				t.Errorf("%s hears %+v", n.region, said)
			}
		}
	}
	nowhere := func() {
		t.Helper()
		for _, n := range c.nodes {
			for _, found := range n.holding(secrets) {
				t.Errorf("%s: %s", n.region, found)
			}
		}
	}
	nowhere()

	// The headers, and with them every proof, are what they were.
	if v := home.recordView(other); v.Body == nil || v.Erasure != nil {
		t.Errorf("the other record reads %+v", v)
	}
	size := c.agree()
	leaves := origin.ledger(size)
	for _, n := range c.nodes {
		for _, index := range []uint64{entry.Index, entry.Index + 1} {
			p, err := n.client(exchange.RoleAuditor).Inclusion(n.context(), index, before)
			if err != nil {
				t.Fatal(err)
			}
			if err := ledger.VerifyInclusion(index, before, ledger.LeafHash(leaves[index].Header), p.Path, p.Root); err != nil {
				t.Errorf("%s, leaf %d: %v", n.region, index, err)
			}
		}
	}
	// The same decision again is no new record, whatever it says now.
	notice["CF_NR_FK"], notice["CF_NR"] = "0.77", "罚款人民币7700元"
	v := origin.sends(notice)
	if v.Duplicate != 1 || v.Accepted != 0 || !slices.ContainsFunc(v.Records, func(r exchange.RowView) bool { return slices.Contains(r.Flags, "ERASED") }) {
		t.Errorf("sent again: %+v", v)
	}
	nowhere()

	// Nothing comes back with a restart, and the casebook can still be built.
	reminders, records := knowledge(home, size)
	for _, n := range c.nodes {
		n.kill()
	}
	if err := os.RemoveAll(filepath.Join(home.dir, "casebook")); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.nodes {
		n.start()
	}
	for _, n := range c.nodes {
		n.awaitReady()
	}
	again, recordsAgain := knowledge(home, size)
	if !reflect.DeepEqual(reminders, again) || !reflect.DeepEqual(records, recordsAgain) {
		t.Errorf("it knew\n%+v\n%+v\nand knows\n%+v\n%+v", reminders, records, again, recordsAgain)
	}
	origin.submit(exchange.WaitCommitted, origin.notice(home.region))
	nowhere()
	home.stop()
	creditgw(t, "check", "--dir", home.dir)
}

// sends submits one record as JSON and returns what came of it.
func (n *gateway) sends(record map[string]string) httpapi.Submission {
	n.t.Helper()
	file, err := recordsFile([]any{record})
	if err != nil {
		n.t.Fatal(err)
	}
	v, err := n.client(exchange.RoleAgencyEntry).Submit(n.context(), httpapi.File{Body: bytes.NewReader(file), Media: httpapi.MediaJSON})
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

// sendsAgain leaves more copies behind: the record as a GB18030 file, which is a
// duplicate, and with another fine, which is a conflict.
func (n *gateway) sendsAgain(record map[string]string) {
	n.t.Helper()
	other := maps.Clone(record)
	other["CF_NR_FK"], other["CF_NR"] = "0.05", "罚款人民币500元"
	for _, r := range []map[string]string{record, other} {
		var file bytes.Buffer
		w := csv.NewWriter(simplifiedchinese.GB18030.NewEncoder().Writer(&file))
		columns := slices.Sorted(maps.Keys(r))
		var values []string
		for _, column := range columns {
			values = append(values, r[column])
		}
		if err := errors.Join(w.Write(columns), w.Write(values)); err != nil {
			n.t.Fatal(err)
		}
		w.Flush()
		v, err := n.client(exchange.RoleAgencyEntry).Submit(n.context(), httpapi.File{Body: &file})
		if err != nil || v.Duplicate+v.Quarantined != 1 {
			n.t.Fatalf("sent again: %+v, %v", v, err)
		}
	}
}

// entry reads an entry out of a copy of a node's ledger.
func (c *cluster) entry(n *gateway, id exchange.EntryID) (found exchange.Entry) {
	c.t.Helper()
	genesis, err := readGenesis(filepath.Join(n.dir, genesisName))
	if err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, "the entry is on the node's disk", func() bool {
		dir := filepath.Join(c.t.TempDir(), "ledger")
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(n.dir, "ledger"))); err != nil {
			return false
		}
		s, err := store.Open(store.Config{
			Dir: dir, Genesis: &genesis, Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { c.t.Error(err) },
		})
		if err != nil {
			return false // copied while it was written
		}
		defer s.Close()
		entries, err := s.Entries(0, 1000)
		at := slices.IndexFunc(entries, func(e exchange.Entry) bool { return e.Header.ID == id })
		if err != nil || at < 0 {
			return false
		}
		found = entries[at]
		return true
	})
	return found
}

// secretsOf is all that must not outlive a record that is alone in its batch.
func (c *cluster) secretsOf(n *gateway, e exchange.Entry) map[string][]byte {
	c.t.Helper()
	pass, err := os.ReadFile(n.file("passphrase"))
	if err != nil {
		c.t.Fatal(err)
	}
	keys, _, err := loadKeys(n.dir, bytes.TrimSpace(pass))
	if err != nil {
		c.t.Fatal(err)
	}
	p := e.Batch.Preamble
	wraps, err := envelope.ParseWraps(e.Batch.Wraps)
	if err != nil || wraps.Len() != 1 {
		c.t.Fatalf("wraps of %d items, %v", wraps.Len(), err)
	}
	unlocked, err := wraps.Unlock(keys.Decryption, p.Ledger, string(p.Origin), p.Seq, string(n.region))
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := unlocked.Key(0, e.Header.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	opened, err := envelope.Open(key, p.Ledger, e.Body, *e.Header.Commitment)
	if err != nil {
		c.t.Fatal(err)
	}
	out := map[string][]byte{
		"ciphertext": e.Body[1:33], "end of the ciphertext": e.Body[len(e.Body)-32:], "middle of the ciphertext": e.Body[len(e.Body)/2:][:32],
		"key": key[:], "salt": opened.Salt[:], "record": opened.Record[len(opened.Record)/2:][:40],
	}
	w := e.Batch.Wraps // the wrapped keys of the one item are its end
	for i := range 2 {
		out[fmt.Sprint("wrapped key ", i)] = w[len(w)-32*(i+1):][:32]
	}
	for _, text := range []string{"超出规定七十九厘米", "欧阳拾柒"} {
		out[text] = []byte(text)
		gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
		if err != nil {
			c.t.Fatal(err)
		}
		out[text+" in GB18030"] = []byte(gb)
		escaped, err := json.Marshal(text)
		if err != nil {
			c.t.Fatal(err)
		}
		out[text+" in JSON"] = escaped
	}
	return out
}

// holding reads every file of the node, whatever it is, and its log, and says
// where which secret is.
func (n *gateway) holding(secrets map[string][]byte) (found []string) {
	n.t.Helper()
	visit := func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !d.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a running node removes files
		}
		for what, secret := range secrets {
			if at := bytes.Index(content, secret); at >= 0 {
				found = append(found, fmt.Sprintf("%s holds %s at %d", path, what, at))
			}
		}
		return err
	}
	if err := errors.Join(filepath.WalkDir(n.dir, visit), filepath.WalkDir(n.log, visit)); err != nil {
		n.t.Fatal(err)
	}
	return found
}

func (n *gateway) recordView(id exchange.EntryID) httpapi.Record {
	n.t.Helper()
	v, err := n.client(exchange.RoleOperator).Record(n.context(), id)
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

// awaitErased waits until every region but those that are down has stated that
// it has erased the record.
func (n *gateway) awaitErased(id exchange.EntryID, down ...*gateway) {
	n.t.Helper()
	var last *exchange.ErasureView
	defer func() {
		if n.t.Failed() && last != nil {
			n.t.Logf("%s hears %+v", n.region, *last)
		}
	}()
	eventually(n.t, string(n.region)+" hears that it is erased", func() bool {
		if last = n.recordView(id).Erasure; last == nil {
			return false
		}
		for _, said := range last.Regions {
			away := slices.ContainsFunc(down, func(n *gateway) bool { return n.region == said.Region })
			if away != (said.State == exchange.ErasurePending) || !away && said.State != exchange.ErasureDone {
				return false
			}
		}
		return true
	})
}

// creditctl runs a command as the region's operator and reads what it prints,
// if that is asked for.
func (n *gateway) creditctl(out any, exit int, args ...string) {
	n.t.Helper()
	token := n.file("operator-token")
	if err := os.WriteFile(token, []byte(n.tokens[exchange.RoleOperator]), 0o600); err != nil {
		n.t.Fatal(err)
	}
	args = append([]string{"--json", "--url", n.url, "--token-file", token}, args...)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(n.t.Context(), built(n.t, "creditctl"), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exit {
		n.t.Fatalf("creditctl %v: exit %d, %v\n%s", args, code, err, &stderr)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		n.t.Fatalf("creditctl %v prints %s: %v", args, &stdout, err)
	}
}
