package consensus

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
	bolt "go.etcd.io/bbolt"
)

// LogReport is what a check of the Raft log has read.
type LogReport struct {
	First, Last uint64 // indexes in the log; 0: it is empty
	Entries     uint64 // read and checked
	Snapshot    uint64 // index where the snapshot ends, 0 if there is none
	Torn        int64  // bytes behind the last whole append, overwritten by the next
}

// Check reads all that a stopped node keeps in dir for Raft, without opening it
// as Raft would: every byte of the log's segments that means something is held
// against a checksum or against what it must be. The error joins one fault for
// each file. Progress is told segments. Run it in a process of its own: the
// database of the log's metadata may fault on rotten pages.
func Check(dir string, progress func(done, total uint64)) (LogReport, error) {
	var r LogReport
	var faults []error
	record, err := readSnapshotRecord(dir)
	if err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", filepath.Join(dir, snapshotFileName), err))
	} else if record != nil {
		r.Snapshot = record.Index
	}
	segments, err := readLogMeta(filepath.Join(dir, "wal"))
	if err != nil {
		faults = append(faults, err)
	}
	for i, info := range segments {
		path := filepath.Join(dir, "wal", segment.FileName(info))
		if i > 0 && info.MinIndex != r.Last+1 && r.Last > 0 {
			faults = append(faults, fmt.Errorf("%s: it begins at %d, the one before ends at %d", path, info.MinIndex, r.Last))
		}
		s := segmentScan{info: info, tail: info.SealTime.IsZero()}
		if err := s.file(path); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
		}
		r.Entries += s.entries
		r.Torn += s.torn
		if r.First == 0 && s.entries > 0 {
			r.First = info.MinIndex
		}
		if s.last >= info.MinIndex {
			r.Last = s.last
		}
		progress(uint64(i+1), uint64(len(segments)))
	}
	return r, errors.Join(faults...)
}

// readLogMeta checks the database beside the segments: Raft's term and vote by
// their checksums, the list of segments by being one.
func readLogMeta(dir string) (segments []types.SegmentInfo, err error) {
	path := filepath.Join(dir, metadb.FileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return segments, db.View(func(tx *bolt.Tx) error {
		stable, meta := tx.Bucket([]byte(metadb.StableBucket)), tx.Bucket([]byte(metadb.MetaBucket))
		if stable == nil || meta == nil {
			return fmt.Errorf("%s is damaged: buckets are missing", path)
		}
		err := stable.ForEach(func(key, sealed []byte) error {
			if _, err := unsealStable(key, sealed); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		raw := meta.Get([]byte(metadb.MetaKey))
		if raw == nil {
			return nil
		}
		var state types.PersistentState
		if err := json.Unmarshal(raw, &state); err != nil {
			return fmt.Errorf("%s is damaged: list of segments: %w", path, err)
		}
		segments = state.Segments
		if len(segments) > 0 && stable.Get([]byte("CurrentTerm")) == nil {
			return fmt.Errorf("%s is damaged: Raft's CurrentTerm is missing", path)
		}
		return nil
	})
}

// CheckLog reads and checks every entry of the log of a running node, beside
// its use. What is cut meanwhile is not missed.
func (n *Node) CheckLog() (LogReport, error) {
	first, last, err := n.storage.bounds()
	if err != nil {
		return LogReport{}, err
	}
	r := LogReport{First: first, Last: last, Snapshot: n.storage.snapshots.index()}
	var faults []error
	for index := max(first, 1); index <= last; index++ {
		var l raft.Log
		err := guard(func() error { return n.storage.wal.GetLog(index, &l) })
		if err == nil {
			err = unseal(index, &l)
		}
		switch {
		case err == nil:
			r.Entries++
		case errors.Is(err, raft.ErrLogNotFound):
		default:
			faults = append(faults, fmt.Errorf("entry %d of the Raft log: %w", index, err))
		}
	}
	return r, errors.Join(faults...)
}
