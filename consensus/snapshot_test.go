package consensus_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

// eager cuts the log as soon as there is a snapshot.
var eager = consensus.Snapshots{Trailing: 1, Threshold: 1 << 40}

// behind returns a cluster whose other nodes have cut from their logs what one
// node, stopped, has not seen. before, if given, runs just before they do.
func behind(t *testing.T, before func(*cluster)) (c *cluster, away *member, size int) {
	c = newCluster(t, eager)
	c.heartbeat = calm
	for _, id := range regions {
		c.members[id].start()
	}
	c.leader().propose(numbered("early", 10)...)
	c.agree(10)
	away = c.follower()
	away.crash()
	c.leader().propose(numbered("late", 40)...)
	c.agree(50)
	if before != nil {
		before(c)
	}
	for _, m := range c.members {
		if m != away {
			if err := m.node.Snapshot(); err != nil {
				t.Fatalf("%s: %v", m.id, err)
			}
		}
	}
	return c, away, 50
}

func TestANodeFarBehindInstallsASnapshot(t *testing.T) {
	t.Parallel()
	c, away, size := behind(t, nil)
	away.start()
	c.agree(size)
	if away.machine.installs == 0 {
		t.Error("no snapshot was installed")
	}
	// The log begins anew behind it, also after a crash.
	c.leader().propose(numbered("after", 5)...)
	c.agree(size + 5)
	want := c.leader().machine.items()
	away.crash()
	away.start()
	c.agree(size + 5)
	if !slices.Equal(away.machine.items(), want) {
		t.Error("another ledger after snapshot and crash")
	}
	// And it can send that snapshot on: it leads, another one is behind.
	away.propose("one more")
	c.agree(size + 6)
}

// Right after a snapshot has been installed the log is empty; the mark in the
// snapshot file tells that from a log that was lost.
func TestRestartRightAfterASnapshot(t *testing.T) {
	t.Parallel()
	c, away, size := behind(t, nil)
	away.start()
	c.agree(size)
	away.crash()
	if size, _, _ := away.machine.state(); size < 50 {
		t.Fatalf("an installed snapshot was not durable: %d entries left", size)
	}
	away.start()
	c.agree(size)
}

func TestAForgedSnapshotIsNotInstalled(t *testing.T) {
	t.Parallel()
	// Whoever leads streams a ledger that the others don't have, and states
	// its root: the stream agrees with itself.
	var liar *member
	_, away, size := behind(t, func(c *cluster) {
		liar = c.leader()
		liar.machine.alter(3, []byte("forged"))
	})
	away.start()
	for range 3 {
		waiting.Until(t, "the snapshot was staged", away.machine.dropStaged)
	}
	if slices.Contains(away.machine.items(), "forged") || away.machine.installs != 0 {
		t.Errorf("%d snapshots installed: %v", away.machine.installs, away.machine.items())
	}
	// The same node takes the honest one: the liar is told apart by its root.
	liar.stop()
	waiting.Until(t, "the node has caught up", func() bool {
		n, _, _ := away.machine.state()
		return n == size && !slices.Contains(away.machine.items(), "forged")
	})
}

// dropStaged reports whether a stream is staged, and forgets it.
func (m *machine) dropStaged() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	had := m.staged != nil
	m.staged = nil
	return had
}

func (m *machine) alter(at int, entry []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := m.entries
	m.entries, m.leaves, m.places = nil, nil, map[string]int{}
	for i, e := range entries {
		if i == at {
			e = entry
		}
		m.add(e)
	}
}

func TestAStartWithoutMemoryIsRefused(t *testing.T) {
	t.Parallel()
	for _, damage := range []struct {
		name string
		do   func(t *testing.T, m *member)
	}{
		{"log removed", func(t *testing.T, m *member) {
			must(t, os.RemoveAll(filepath.Join(m.dir, "wal")))
		}},
		{"log cut below what is applied", func(t *testing.T, m *member) {
			wipeAfter(t, segment(t, m), "late 0025")
		}},
		{"bit flipped in the log", func(t *testing.T, m *member) {
			flip(t, segment(t, m), "behind the snapshot")
		}},
		{"bit flipped in the database of term and vote", func(t *testing.T, m *member) {
			rewrite(t, filepath.Join(m.dir, "wal", "wal-meta.db"), func(b []byte) []byte {
				// Every copy of the key's value: the database keeps old pages.
				for at := 0; ; {
					i := bytes.Index(b[at:], []byte("CurrentTerm"))
					if i < 0 {
						return b
					}
					at += i + len("CurrentTerm")
					b[at+7] ^= 1
				}
			})
		}},
		{"snapshot file damaged", func(t *testing.T, m *member) {
			rewrite(t, filepath.Join(m.dir, "snapshot"), func(b []byte) []byte { b[20] ^= 1; return b })
		}},
		{"state older than the snapshot", func(t *testing.T, m *member) {
			m.machine.synced, m.machine.syncedSize = 0, 0
			m.machine.crash()
		}},
	} {
		t.Run(damage.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, consensus.Snapshots{})
			for _, id := range regions {
				c.members[id].start()
			}
			c.leader().propose(numbered("late", 30)...)
			c.agree(30)
			m := c.follower()
			_, _, applied := m.machine.state()
			must(t, m.machine.Sync(applied))
			must(t, m.node.Snapshot())
			m.propose("behind the snapshot", "and one more")
			m.stop()
			damage.do(t, m)
			if err := m.open(); !errors.Is(err, consensus.ErrRejoin) {
				t.Errorf("it starts: %v", err)
			} else {
				t.Log(err)
			}
			c.leader().propose("the others go on")
		})
	}
}

// segment returns the only segment file of a log.
func segment(t *testing.T, m *member) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "wal", "*.wal"))
	if err != nil || len(files) != 1 {
		t.Fatalf("segments %v, %v", files, err)
	}
	return files[0]
}

func rewrite(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, change(b), 0o600))
}

// flip changes one bit of the last place where text stands in a file.
func flip(t *testing.T, file, text string) {
	rewrite(t, file, func(b []byte) []byte {
		at := bytes.LastIndex(b, []byte(text))
		if at < 0 {
			t.Fatalf("%q is not in the file", text)
		}
		b[at] ^= 1
		return b
	})
}

// wipeAfter zeroes a file from the first place where text stands: what a disk
// may lose of a file that was not synced.
func wipeAfter(t *testing.T, file, text string) {
	rewrite(t, file, func(b []byte) []byte {
		at := bytes.Index(b, []byte(text))
		if at < 0 {
			t.Fatalf("%q is not in the file", text)
		}
		clear(b[at:])
		return b
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
