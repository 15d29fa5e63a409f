//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// sender sends files of an agency, one after the other, and keeps them.
type sender struct {
	*gateway
	home     peers.Region
	answered atomic.Int64 // files
	files    [][]byte
	acked    []exchange.EntryID // of all files, in order
	err      error
}

func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil && s.err == nil {
		body, err := recordsFile(s.notices(s.home, rowsPerFile))
		if err != nil {
			s.err = err
			return
		}
		s.files = append(s.files, body)
		v := s.send(s.gateway, body)
		for _, row := range v.Records {
			s.acked = append(s.acked, *row.ID)
		}
		s.answered.Add(1)
	}
}

func (s *sender) send(to *gateway, body []byte) httpapi.Submission {
	v, err := to.client(exchange.RoleAgencyEntry).Submit(context.Background(), httpapi.File{
		Body: bytes.NewReader(body), Media: httpapi.MediaJSON, Wait: exchange.WaitNone,
	})
	if s.err == nil {
		s.err = err
	}
	return v
}

// sendOne sends a file of one record.
func (s *sender) sendOne(to *gateway, record map[string]string) httpapi.Submission {
	s.t.Helper()
	body, err := recordsFile([]any{record})
	if err != nil {
		s.t.Fatal(err)
	}
	v := s.send(to, body)
	if s.err != nil || len(v.Records) != 1 {
		s.t.Fatalf("a file of one record: %+v, %v", v, s.err)
	}
	return v
}

func (s *sender) await(files int64) {
	s.t.Helper()
	eventually(s.t, "files are answered", func() bool { return s.answered.Load() >= files })
}

// A node is backed up while files come in, goes on, and is lost. What it had
// answered when the backup began is on the ledger once, whether it came there
// before, by the lost node's hand, or by that of the node in its place; and so is
// all else once the agency has sent its files again. A decision that only the ledger
// has is compared with what stands there. What was sealed to the region before it
// rotated its key opens there, and so does what was sealed after. The app's server
// misses nothing either.
func TestABackupUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	lost, origin := c.region("140000"), c.nodes[0]
	received := origin.submit(exchange.WaitCommitted, origin.notices(lost.region, 3)...)
	old := lost.key("decryption")
	outdated := filepath.Join(c.dir, "outdated-recovery.json")
	if err := os.Rename(filepath.Join(lost.dir, recoveryName), outdated); err != nil {
		t.Fatal(err)
	}
	creditgw(t, "member", "key-add", "--purpose", "decryption", "--dir", lost.dir,
		"--passphrase-file", lost.file("passphrase"), "--recovery-passphrase-file", lost.file("recovery"))
	c.decide(readChange(t, lost, "key-add-decryption.json"))
	c.decide(peers.Change{Change: peers.ChangeKeyRetire, Region: lost.region, Purpose: "decryption", KeyID: old[:]})
	received = append(received, origin.submit(exchange.WaitCommitted, origin.notices(lost.region, 3)...)...)
	app := newPhone(lost)
	app.await(received...)
	kept := app.cursor

	load := &sender{gateway: lost, home: c.nodes[1].region}
	ctx, end := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	sending.Go(func() { load.run(ctx) })
	stop := func() { end(); sending.Wait() }
	defer stop()
	load.await(5)
	before := load.answered.Load() * rowsPerFile
	file := filepath.Join(c.dir, "backup")
	var made backupReport
	if err := json.Unmarshal([]byte(creditgw(t, "backup", "--dir", lost.dir, file, "--json")), &made); err != nil {
		t.Fatal(err)
	}
	load.await(load.answered.Load() + 5)
	stop()
	if load.err != nil {
		t.Fatal(load.err)
	}
	late := origin.submit(exchange.WaitCommitted, origin.notices(lost.region, 3)...)
	app.await(late...)
	last := lost.notice(load.home)
	lastID := lost.submit(exchange.WaitCommitted, last)[0]
	lost.kill()
	t.Logf("%d records answered before the backup of %d events, %d in all", before, made.Events, len(load.acked))

	// Backups are sealed to the new key: the recovery file of before is of no use.
	p, _, errOut := testProgram(nil)
	if code := p.run(t.Context(), []string{
		"restore", "--dir", lost.dir + "-no", "--genesis", filepath.Join(lost.dir, genesisName), "--recovery", outdated, "--addr", lost.addr,
		"--passphrase-file", lost.file("passphrase"), "--recovery-passphrase-file", lost.file("recovery"), file,
	}); code != exitInvalid {
		t.Errorf("with the recovery file of before the rotation: exit %d: %s", code, errOut)
	}

	fresh := lost.restore(file)
	fresh.tokens[exchange.RoleApp] = lost.tokens[exchange.RoleApp] // the tokens came back with the rest
	rest := &cluster{t: t, dir: c.dir, nodes: c.nodes[:3]}
	rest.admit(fresh)

	all := &cluster{t: t, dir: c.dir, nodes: append(rest.nodes[:3:3], fresh)}
	got := all.settledRecords(fresh)
	if !slices.Equal(got[:min(len(got), int(before))], load.acked[:before]) {
		t.Errorf("of %d records that were answered before the backup, %d are on the ledger, or in another order", before, len(got))
	}
	newPhone(fresh).await(received...)
	// The app goes on from where it was at the backup. What it was told since has
	// other places now, and its cursor does not pass over what stands there.
	(&phone{gateway: fresh, cursor: kept}).await(late...)
	var gone *httpapi.Problem
	if _, err := fresh.client(exchange.RoleApp).Reminders(fresh.context(), app.cursor, 1, 0); !errors.As(err, &gone) || gone.Code != "CURSOR_EXPIRED" {
		t.Errorf("a cursor from after the backup: %v", err)
	}
	newPhone(c.nodes[1]).await(load.acked[:before]...)

	again := load.sendOne(fresh, last)
	if again.Duplicate != 1 || *again.Records[0].ID != lastID {
		t.Errorf("a decision that only the ledger has, sent again: %+v", again)
	}
	last["CF_FRDB"] = "另一人"
	altered := load.sendOne(fresh, last)
	if altered.Quarantined != 1 || altered.ByRule[string(schemas.Conflict)] != 1 || altered.Findings[0].Field != "CF_FRDB" {
		t.Errorf("sent again with other content: %+v", altered)
	}

	accepted := 0
	for _, body := range load.files {
		v := load.send(fresh, body)
		if v.Accepted+v.Duplicate != rowsPerFile {
			t.Fatalf("sent again: %+v, %v", v, load.err)
		}
		accepted += v.Accepted
	}
	got = all.settledRecords(fresh)
	slices.SortFunc(got, compareIDs)
	want := slices.SortedFunc(slices.Values(append(load.acked, lastID)), compareIDs)
	if !slices.Equal(got, want) {
		t.Errorf("sent again, %d records are on the ledger and %d were ever sent", len(got), len(want))
	}
	t.Logf("%d records had been lost with the node", accepted)
}

func compareIDs(a, b exchange.EntryID) int { return bytes.Compare(a[:], b[:]) }

// settledRecords are the region's records once it has nothing left to send.
func (c *cluster) settledRecords(n *gateway) []exchange.EntryID {
	c.t.Helper()
	eventually(c.t, string(n.region)+" has nothing left to send", func() bool {
		status, err := n.client(exchange.RoleAuditor).Status(n.context())
		return err == nil && status.Counts.Outbox == 0 && status.Followed >= status.LedgerSize
	})
	return recordsOf(c.nodes[0].ledger(c.agree()), n.region)
}
