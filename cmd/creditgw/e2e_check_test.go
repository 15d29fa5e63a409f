//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// checkNow has a running node check itself and waits for what it says.
func (n *gateway) checkNow() httpapi.Check {
	n.t.Helper()
	began, err := n.client(exchange.RoleOperator).StartCheck(n.context())
	if err != nil {
		n.t.Fatal(err)
	}
	var last httpapi.Check
	eventually(n.t, "the check has ended", func() bool {
		last, err = n.client(exchange.RoleAuditor).LatestCheck(n.context())
		return err == nil && last.State != httpapi.CheckRunning && !last.Started.Before(began.Started)
	})
	return last
}

// A running node reads again all that it holds, while it works, and names what
// has changed under it.
func TestServeChecksItself(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	home := c.follower()
	origin := c.follower(home)
	records := origin.submit(exchange.WaitCommitted, origin.notices(home.region, 40)...)
	newPhone(home).await(records...)

	if check := home.checkNow(); check.State != httpapi.CheckSound || len(check.Parts) != len(nodeParts) {
		t.Fatalf("%+v", check)
	}
	// Witnessed checkpoints come to disk a second after they were made.
	eventually(t, "there is something to read of each part", func() bool {
		return !slices.ContainsFunc(home.checkNow().Parts, func(p httpapi.CheckPart) bool { return p.Entries == 0 })
	})
	if _, err := os.Stat(filepath.Join(home.dir, checkDirName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the check leaves its copies: %v", err)
	}

	for part, pattern := range map[string]string{
		ledgerName: "ledger/*/segments/*.seg", journalName: "journal/*", vaultName: "vault", raftName: "raft/wal/*.wal",
	} {
		file := lastFile(t, filepath.Join(home.dir, pattern))
		mend := flip(t, file, heldAt(t, file))
		check := home.checkNow()
		if check.State != httpapi.CheckDamaged {
			t.Errorf("%s changed: %+v", file, check)
		}
		for _, found := range check.Parts {
			if (len(found.Damage) > 0) != (found.Part == part) {
				t.Errorf("%s changed, %s says %q", file, found.Part, found.Damage)
			}
		}
		mend()
	}
	status, err := home.client(exchange.RoleAuditor).Status(home.context())
	if err != nil || status.Check == nil || status.Check.State != httpapi.CheckDamaged {
		t.Errorf("status: %+v, %v", status.Check, err)
	}
	if check := home.checkNow(); check.State != httpapi.CheckSound {
		t.Errorf("mended: %+v", check)
	}
}

// heldAt is a place in the middle of what a file holds.
func heldAt(t *testing.T, path string) int64 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(strings.TrimRight(string(raw), "\x00")) / 2)
}

func lastFile(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no file, %v", pattern, err)
	}
	return files[len(files)-1]
}

func TestChecksAreMadeAtNight(t *testing.T) {
	for now, want := range map[string]time.Duration{
		"2026-05-06T01:59:00+08:00": time.Minute,
		"2026-05-06T02:00:00+08:00": 24 * time.Hour,
		"2026-05-05T18:30:00Z":      23*time.Hour + 30*time.Minute,
		"2026-12-31T23:00:00+08:00": 3 * time.Hour,
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := untilNight(at); got != want {
			t.Errorf("from %s: %s, want %s", now, got, want)
		}
	}
}
