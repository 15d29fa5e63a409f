package consensus

import (
	"testing"

	"github.com/hashicorp/raft"
)

func run(first uint64, sizes ...int) []*raft.Log {
	var logs []*raft.Log
	for i, n := range sizes {
		logs = append(logs, &raft.Log{Index: first + uint64(i), Data: make([]byte, n)})
	}
	return logs
}

// What is kept behind a snapshot is bounded by entries and by bytes, whichever
// is less, and never nothing.
func TestTrailingIsBoundedInBytes(t *testing.T) {
	tail := &trailing{most: 6}
	if got := tail.within(100); got != 6 {
		t.Errorf("nothing known: %d entries", got)
	}
	tail.appended(run(1, 10, 10, 50))
	for _, c := range []struct {
		limit int64
		want  uint64
	}{
		{1, 1}, {50, 1}, {59, 1}, {60, 2}, {69, 2},
		{70, 3},  // all that are known
		{100, 4}, // and one that may be there from before, of 23 bytes
		{1 << 40, 6},
	} {
		if got := tail.within(c.limit); got != c.want {
			t.Errorf("%d bytes: %d entries, want %d", c.limit, got, c.want)
		}
	}
}

func TestTrailingFollowsTheLog(t *testing.T) {
	tail := &trailing{most: 3}
	tail.appended(run(5, 1, 1, 1, 1, 100))
	if tail.first != 7 || tail.within(101) != 2 {
		t.Errorf("begins at %d, %d entries in 101 bytes", tail.first, tail.within(101))
	}
	// A new leader's entries stand in the place of those that were dropped.
	tail.appended(run(8, 2, 2))
	if got := tail.within(4); got != 2 {
		t.Errorf("after a dropped suffix %d entries in 4 bytes", got)
	}
	// Behind a received snapshot the log begins again.
	tail.appended(run(100, 7))
	if tail.first != 100 || tail.within(7) != 1 {
		t.Errorf("begins at %d after a gap", tail.first)
	}
}
