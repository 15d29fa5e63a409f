package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// A running node takes a key up that was put beside the others, once the ledger
// names it: not half a file, and no key directory is read for nothing.
func TestAnAddedKeyIsTakenUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tj")
	made, _, err := createKeys(dir, tianjin, seededRandom("tj"), testPass)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ring := newKeyring(nodeConfig{Dir: dir, Keys: made, Passphrase: testPass.Keys, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if got := ring.with([]sm.KeyID{made.Batch.Public().ID(), made.Witness.Public().ID()}); got != made || log.Len() > 0 {
		t.Errorf("it reads the directory for keys that it has: %s", &log)
	}

	next, err := sm.Generate[sm.Batch](seededRandom("next"))
	if err != nil {
		t.Fatal(err)
	}
	id := next.Public().ID()
	whole, err := next.MarshalPEM(testPass.Keys)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, spareName("batch", id))
	for _, written := range [][]byte{whole[:len(whole)/2], whole} {
		if err := os.WriteFile(file, written, 0o600); err != nil {
			t.Fatal(err)
		}
		held := ring.with([]sm.KeyID{id}).batches()
		taken := slices.ContainsFunc(held, func(k *sm.BatchKey) bool { return k.Public().ID() == id })
		if taken != (len(written) == len(whole)) || held[0] != made.Batch {
			t.Errorf("with %d of %d bytes the key is taken up: %v", len(written), len(whole), taken)
		}
	}
	if n := strings.Count(log.String(), "alarm=true"); n != 1 {
		t.Errorf("%d alarms for half a file:\n%s", n, &log)
	}
	before := ring.with([]sm.KeyID{id})
	if after := ring.with([]sm.KeyID{{1}}); after != before {
		t.Error("for a key that is another node's the directory was opened again")
	}
}

// Without a passphrase the keys stay what they were: nothing is tried.
func TestKeysStayWithoutAPassphrase(t *testing.T) {
	made, _, err := generateKeys(tianjin, seededRandom("tj"))
	if err != nil {
		t.Fatal(err)
	}
	ring := newKeyring(nodeConfig{Dir: t.TempDir(), Keys: made})
	if got := ring.with([]sm.KeyID{{1}}); got != made {
		t.Error("other keys")
	}
}
