//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// A node that has lost part of its memory does not come back and vote as if
// nothing had happened, and one whose files are damaged says so.
func TestServeRefusesWhatItCannotTrust(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	n := c.follower()
	origin := c.follower(n)
	for range 3 {
		origin.submit(exchange.WaitCommitted, origin.notices(n.region, 20)...)
	}
	c.agree()
	n.stop()
	sound := filepath.Join(c.dir, "sound")
	copyTree(t, n.dir, sound)
	for _, story := range []struct {
		name, says string
		damage     func(t *testing.T)
	}{
		{"the Raft log is gone", "rejoin as a new node id", func(t *testing.T) { remove(t, n, "raft") }},
		{"the Raft log is emptied", "rejoin as a new node id", func(t *testing.T) { remove(t, n, "raft/wal") }},
		{"a bit of the Raft log is flipped", "rejoin as a new node id", func(t *testing.T) { flipBit(t, n, "raft/wal/*.wal") }},
		{"the Raft log is cut", "rejoin as a new node id", func(t *testing.T) { cutHalf(t, n, "raft/wal/*.wal") }},
		{"a bit of the journal is flipped", "journal", func(t *testing.T) { flipBit(t, n, "journal/*") }},
		{"the genesis is gone", "genesis.json", func(t *testing.T) { remove(t, n, genesisName) }},
	} {
		t.Run(story.name, func(t *testing.T) {
			story.damage(t)
			code, said := n.refusal(t)
			if code != exitInvalid || !strings.Contains(said, story.says) || strings.Contains(said, "goroutine ") {
				t.Errorf("exit %d: %s", code, said)
			}
			if err := os.RemoveAll(n.dir); err != nil {
				t.Fatal(err)
			}
			copyTree(t, sound, n.dir)
		})
	}
	// What was refused was the damage: the sound directory serves.
	n.start()
	n.awaitReady()
	origin.submit(exchange.WaitCommitted, origin.notice(n.region))
	c.agree()
}

// refusal runs serve until it ends by itself.
func (n *gateway) refusal(t *testing.T) (code int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, built(t, "creditgw"), "serve", "--config", filepath.Join(n.dir, configName), "--lang", "en")
	cmd.Stderr = &stderr
	_ = cmd.Run() // the exit code is the answer
	if ctx.Err() != nil {
		t.Fatalf("it serves: %s", &stderr)
	}
	// The log is JSON, one object a line; the rest is said to people.
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "{") })
	return cmd.ProcessState.ExitCode(), strings.Join(lines, "\n")
}

// copyTree copies with permissions, on which keys insist.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
}

func remove(t *testing.T, n *gateway, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(n.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// written is the first file of a pattern that has something in it, without
// the zeros that were allocated ahead.
func written(t *testing.T, n *gateway, pattern string) (string, []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(n.dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if b = bytes.TrimRight(b, "\x00"); len(b) > 1000 {
			return name, b
		}
	}
	t.Fatalf("nothing is written in %s: %v", pattern, names)
	return "", nil
}

func flipBit(t *testing.T, n *gateway, pattern string) {
	t.Helper()
	name, b := written(t, n, pattern)
	overwrite(t, name, int64(len(b)/2), []byte{b[len(b)/2] ^ 1})
}

// cutHalf takes the second half away, as a file system that lost it would.
func cutHalf(t *testing.T, n *gateway, pattern string) {
	t.Helper()
	name, b := written(t, n, pattern)
	overwrite(t, name, int64(len(b)/2), make([]byte, len(b)-len(b)/2))
}

func overwrite(t *testing.T, name string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(with, at); err != nil {
		t.Fatal(err)
	}
}
