package main

import (
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/vault"
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
