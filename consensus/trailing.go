package consensus

import (
	"sync"

	"github.com/hashicorp/raft"
)

// trailing remembers how large the last entries of the log are, so that what is
// kept behind a snapshot can be bounded in bytes. Raft counts entries, and one
// of 256 KiB counts like one of 200 bytes: 8,192 full ones would be a second
// copy of a ledger.
type trailing struct {
	most int // entries that are remembered

	mu    sync.Mutex
	first uint64  // index of sizes[0]
	sizes []int64 // bytes of data, in order of index, without a gap
}

// appended notes entries that have been stored. An index that was there before
// stands for a suffix that Raft has dropped.
func (t *trailing) appended(logs []*raft.Log) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range logs {
		next := t.first + uint64(len(t.sizes))
		switch {
		case l.Index < t.first || l.Index > next:
			t.first, t.sizes = l.Index, t.sizes[:0]
		case l.Index < next:
			t.sizes = t.sizes[:l.Index-t.first]
		}
		t.sizes = append(t.sizes, int64(len(l.Data)))
	}
	if drop := len(t.sizes) - t.most; drop > 0 {
		t.sizes = append(t.sizes[:0], t.sizes[drop:]...)
		t.first += uint64(drop)
	}
}

// within returns how many of the last entries fit into limit bytes, at least
// one. Entries from before the process started are taken for average ones.
func (t *trailing) within(limit int64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var bytes int64
	for n := 0; n < len(t.sizes); n++ {
		if bytes += t.sizes[len(t.sizes)-1-n]; bytes > limit {
			return uint64(max(n, 1))
		}
	}
	if bytes == 0 {
		return uint64(t.most)
	}
	average := max(bytes/int64(len(t.sizes)), 1)
	return uint64(max(min(int64(len(t.sizes))+(limit-bytes)/average, int64(t.most)), 1))
}

// boundTrailing has Raft keep no more behind the next snapshot than the
// settings allow, in entries and in bytes.
func (n *Node) boundTrailing() error {
	c := n.raft.ReloadableConfig()
	c.TrailingLogs = n.storage.log.trailing.within(n.cfg.Snapshots.TrailingBytes)
	return n.raft.ReloadConfig(c)
}
