package consensus_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

// holding counts a node's files that hold a text.
func (m *member) holding(text string) (files []string) {
	m.c.t.Helper()
	err := filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			files = append(files, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		m.c.t.Fatal(err)
	}
	return files
}

func (m *member) forget(text string) (uint64, error) {
	return m.node.Forget(m.c.t.(*testing.T).Context(), func(item []byte) bool { return bytes.Contains(item, []byte(text)) })
}

// Every node forgets an entry, though it is in the middle of what the log would
// have kept; all else stays, and all of them start again.
func TestALogForgets(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader().propose(numbered("before", 5)...)
	c.leader().propose("a person's name")
	c.leader().propose(numbered("after", 20)...)
	c.agree(26)
	for _, m := range c.members {
		if len(m.holding("a person's name")) == 0 {
			t.Fatal("nothing is there to be forgotten")
		}
		first, err := m.forget("a person's name")
		if err != nil || first < 7 {
			t.Fatalf("%s: from %d on, %v", m.id, first, err)
		}
		if files := m.holding("a person's name"); len(files) > 0 {
			t.Errorf("%s: still in %v", m.id, files)
		}
		if len(m.holding("after 0019")) == 0 {
			t.Errorf("%s has forgotten more", m.id)
		}
		if again, err := m.forget("a person's name"); err != nil || again != first {
			t.Errorf("%s, once more: from %d on, %v", m.id, again, err)
		}
	}
	for _, m := range c.members {
		m.crash()
	}
	for _, m := range c.members {
		m.start()
	}
	c.leader().propose("one more")
	c.agree(27)
}

// The last entry is what the log is known by after a crash. It is forgotten
// once another one follows.
func TestTheLastEntryIsForgottenLater(t *testing.T) {
	t.Parallel()
	c := newCluster(t, consensus.Snapshots{})
	c.marking.Busy = time.Hour // a mark would be an entry behind the last one
	for _, id := range regions {
		c.members[id].start()
	}
	c.leader().propose(numbered("before", 3)...)
	c.leader().propose("a person's name")
	c.agree(4)
	m := c.follower()
	if _, err := m.forget("a person's name"); !errors.Is(err, consensus.ErrNotYet) {
		t.Fatalf("the last entry: %v", err)
	}
	c.leader().propose("one more")
	c.agree(5)
	waiting.Until(t, "it is forgotten", func() bool {
		_, err := m.forget("a person's name")
		return err == nil
	})
	if files := m.holding("a person's name"); len(files) > 0 {
		t.Errorf("still in %v", files)
	}
}

// A node that was away when the others forgot comes back by their snapshot, or
// by a message that was on its way to it, and forgets what it got.
func TestForgettingWhileANodeIsAway(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	away := c.follower()
	away.crash()
	c.leader().propose("a person's name")
	c.leader().propose(numbered("after", 5)...)
	c.agree(6)
	for _, m := range c.members {
		if m == away {
			continue
		}
		if _, err := m.forget("a person's name"); err != nil {
			t.Fatalf("%s: %v", m.id, err)
		}
	}
	away.start()
	c.leader().propose("one more")
	c.agree(7)
	waiting.Until(t, "the one that was away has forgotten too", func() bool {
		_, err := away.forget("a person's name")
		return err == nil
	})
	for _, m := range c.members {
		if files := m.holding("a person's name"); len(files) > 0 {
			t.Errorf("%s: still in %v", m.id, files)
		}
	}
}

func TestForgetGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.leader().propose("one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.leader().node.Forget(ctx, func([]byte) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
