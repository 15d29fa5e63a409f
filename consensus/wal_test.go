package consensus

import (
	"log/slog"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/metadb"
)

// A follower of a leader that died in mid-batch drops what was never committed
// and goes on. It must be able to start again: raft-wal 0.4.0 could not.
func TestALogWithADroppedSuffixOpensAgain(t *testing.T) {
	dir := t.TempDir()
	open := func() (log raft.LogStore, done func()) {
		meta := &metadb.BoltMetaDB{}
		w, err := openWAL(dir, meta, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return w, func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if err := meta.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	log, done := open()
	for i := uint64(1); i <= 5; i++ {
		if err := log.StoreLog(command(t, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.DeleteRange(4, 5); err != nil {
		t.Fatal(err)
	}
	done()
	log, done = open()
	for i := uint64(1); i <= 3; i++ {
		if err := log.GetLog(i, new(raft.Log)); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if last, err := log.LastIndex(); err != nil || last != 3 {
		t.Errorf("the log ends at %d, %v", last, err)
	}
	if err := log.StoreLog(command(t, 4)); err != nil {
		t.Error(err)
	}
	done()
}
