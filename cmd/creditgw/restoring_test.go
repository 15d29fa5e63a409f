package main

import (
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/backup"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
)

// The manifest says where the journal ends: one that ends elsewhere is not what
// was backed up, whole as it may look.
func TestARestoredJournalEndsWhereTheManifestSays(t *testing.T) {
	fatal := func(err error) { t.Error(err) }
	for events, ok := range map[uint64]bool{1: false, 2: true, 3: false} {
		r := restoring{dir: t.TempDir()}
		r.manifest.Events = events
		j, err := journal.Open(journal.Config{Dir: filepath.Join(r.dir, journalName), Logger: slog.New(slog.DiscardHandler), Fatal: fatal})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := j.Append(t.Context(), exchange.Event{Unbound: &exchange.FirmUnbound{Subject: []byte("a firm")}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		saveVault(t, filepath.Join(r.dir, savedVaultName))
		err = r.private(time.Now())
		if ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "the manifest says") {
			t.Errorf("two events, %d in the manifest: %v", events, err)
		}
	}
}

// A region that has been restored once is backed up by a node that the genesis
// does not have: the operator has to say whose signature is to count.
func TestASignerThatTheGenesisDoesNotHave(t *testing.T) {
	beijing := founderInfo{Region: "110000", Name: "北京", Addr: "gw.bj.example:8700"}
	var founders []peers.Member
	for _, who := range []founderInfo{beijing, tianjin} {
		_, m, err := generateKeys(who, seededRandom(who.Name))
		if err != nil {
			t.Fatal(err)
		}
		founders = append(founders, m)
	}
	genesis, err := peers.Join(founders)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := generateKeys(tianjin, seededRandom("the second node"))
	if err != nil {
		t.Fatal(err)
	}
	second.Node.ID = peers.NodeID(second.Region, 2)
	for _, c := range []struct {
		lost   peers.Member
		signer string
		known  bool
	}{
		{founders[1], "", true},
		{second, "", false},
		{second, founders[1].Node.Key.ID().String(), false},
		{second, second.Node.Key.ID().String(), true},
	} {
		r := restoring{genesis: &genesis, recovered: recovered{region: second.Region}, lost: c.lost, signer: c.signer}
		if key := r.nodeKey(c.lost.Node.ID); (key != nil) != c.known {
			t.Errorf("node %s, signer %q: known %v", c.lost.Node.ID, c.signer, key != nil)
		}
	}
	p := &program{Program: command.Program{Lang: command.English}}
	if told := p.Explain(unusableBackup(backup.ErrSigner)); !strings.Contains(told, "--signer") {
		t.Errorf("told %q", told)
	}
}

func saveVault(t *testing.T, path string) {
	t.Helper()
	v, err := vault.Open(vault.Config{Path: filepath.Join(t.TempDir(), "vault"), Rand: rand.Reader, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := v.Save(f); err != nil {
		t.Fatal(err)
	}
}
