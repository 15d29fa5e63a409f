package consensus

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"

	"github.com/xinqiao/creditgw/consensus/durable"
)

// ErrRejoin is returned by Open when a node has lost what it may have promised:
// with part of its log gone it could vote against its own earlier word. It can
// come back only as somebody new.
var ErrRejoin = errors.New("rejoin as a new node id")

func rejoin(format string, args ...any) error {
	return fmt.Errorf("consensus: "+format+": %w", append(args, ErrRejoin)...)
}

// logCacheEntries is how many of the last entries stay in memory: the leader
// reads each once per follower, and a follower reads it again to apply it.
const logCacheEntries = 64

// storage is a node's files: the log, Raft's term and vote, the snapshot.
type storage struct {
	wal       *segmentedLog
	meta      *metadb.BoltMetaDB
	files     *segmentFiles
	log       *checkedLog
	cache     *raft.LogCache
	stable    *checkedStable
	snapshots *snapshots
}

// openStorage opens the files and refuses a state that must not vote. Faults
// are returned as errors while it runs and go to fatal from then on.
func openStorage(cfg *Config, fatal func(error)) (*storage, error) {
	dir := filepath.Join(cfg.Dir, "wal")
	if err := durable.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("consensus: %w", err)
	}
	meta := &metadb.BoltMetaDB{}
	w, err := openWAL(dir, meta, cfg.Logger)
	if err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	st := &storage{wal: w, meta: meta, files: &segmentFiles{dir: dir}}
	st.log = &checkedLog{
		LogStore: w, limit: cfg.Timers.Disk, fatal: func(error) {}, trailing: trailing{most: int(cfg.Snapshots.Trailing)},
	}
	st.stable = &checkedStable{StableStore: w, limit: cfg.Timers.Disk, fatal: func(error) {}}
	st.snapshots = &snapshots{dir: cfg.Dir, machine: cfg.StateMachine, witness: cfg.Witness, applied: st.log.applied.Load, fatal: fatal}
	st.log.appended = func() {
		if err := st.snapshots.clearReceived(); err != nil {
			fatal(err)
		}
	}
	if err := st.verify(cfg); err != nil {
		return nil, errors.Join(err, st.close())
	}
	if err := st.clearTail(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	if st.cache, err = raft.NewLogCache(logCacheEntries, st.log); err != nil {
		return nil, errors.Join(fmt.Errorf("consensus: log cache: %w", err), st.close())
	}
	st.log.fatal, st.stable.fatal = fatal, fatal
	return st, nil
}

// clearTail destroys what a crash has left of an unfinished append: it is no part
// of the log, and what is no part of the log must not outlive an erasure.
func (st *storage) clearTail() error {
	_, last, err := st.bounds()
	if err == nil {
		err = st.files.clearTail(last)
	}
	if err != nil {
		return fmt.Errorf("consensus: end of the Raft log: %w", err)
	}
	return nil
}

func (st *storage) close() error { return errors.Join(st.wal.Close(), st.meta.Close()) }

// A segmentedLog is raft-wal's log and where it gets its files from.
type segmentedLog struct {
	*wal.WAL
	files *zeroedFiles
}

// Close closes the log and waits until nothing is written any more.
func (l *segmentedLog) Close() error { return errors.Join(l.WAL.Close(), l.files.close()) }

// openWAL opens the log. raft-wal and the database of its metadata don't expect
// damage everywhere: what panics, or faults on a rotten page, is damage too.
func openWAL(dir string, meta *metadb.BoltMetaDB, logger *slog.Logger) (l *segmentedLog, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			l, err = nil, rejoin("the Raft log does not open: %v", p)
		}
	}()
	if err := finishRotation(dir, meta); err != nil {
		return nil, rejoin("the Raft log does not open: %v", err)
	}
	files, err := newZeroedFiles(dir)
	if err != nil {
		return nil, rejoin("the Raft log does not open: %v", err)
	}
	w, err := wal.Open(dir, wal.WithMetaStore(meta), wal.WithLogger(newRaftLogger(logger)),
		wal.WithSegmentFiler(segment.NewFiler(dir, files)), wal.WithSegmentSize(segmentSize))
	if err != nil {
		return nil, errors.Join(rejoin("the Raft log does not open: %v", err), files.close())
	}
	return &segmentedLog{w, files}, nil
}

// verify holds the files against each other: the log must reach as far as what
// has been applied, and that as far as the newest snapshot.
func (st *storage) verify(cfg *Config) error {
	for _, key := range []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"} {
		if _, err := st.stable.Get([]byte(key)); err != nil {
			return rejoin("%v", err)
		}
	}
	record, err := readSnapshotRecord(cfg.Dir)
	if err != nil {
		return rejoin("%v", err)
	}
	st.snapshots.current = record
	if record != nil && record.received {
		if err := st.resumeInstall(record); err != nil {
			return err
		}
	}
	st.beginConfigurations()
	first, last, err := st.bounds()
	if err != nil {
		return err
	}
	applied := cfg.StateMachine.Applied()
	st.log.applied.Store(applied)
	start := uint64(1)
	if record != nil {
		start = record.Index + 1
	}
	reach := last
	if record != nil {
		reach = max(last, record.Index)
	}
	switch {
	case reach < cfg.Floor:
		return rejoin("the Raft log ends at %d, a checkpoint has been cosigned at %d", reach, cfg.Floor)
	case record != nil && applied < record.Index:
		return rejoin("%d entries have been applied, the snapshot is at %d", applied, record.Index)
	case last == 0 && record != nil && record.received && applied == record.Index:
		return nil // emptied by Raft after a verified snapshot
	case last == 0 && record == nil && applied == 0:
		return st.bootstrap(cfg)
	case last < applied:
		return rejoin("the Raft log ends at %d, %d has been applied", last, applied)
	case first > start:
		return rejoin("the Raft log begins at %d, the snapshot ends at %d", first, start-1)
	}
	// Raft panics on an entry that it can't read; find it first.
	for index := max(start, first); index <= last; index++ {
		var l raft.Log
		if err := st.log.GetLog(index, &l); err != nil {
			return rejoin("entry %d of the Raft log: %v", index, err)
		}
		st.log.configurations.note(&l)
	}
	return nil
}

// beginConfigurations forgets the memberships before the snapshot's.
func (st *storage) beginConfigurations() {
	if index, configuration, ok := st.snapshots.configuration(); ok {
		st.log.configurations.begin(index, configuration)
	}
}

// resumeInstall finishes what a crash has cut short after a snapshot had been
// verified: the installation, the emptying of the log, the clearing of the mark.
func (st *storage) resumeInstall(record *snapshotRecord) error {
	if st.snapshots.machine.Applied() < record.Index {
		st.snapshots.staged = true
		if _, err := st.snapshots.install(); err != nil {
			return rejoin("%v", err)
		}
	}
	first, last, err := st.bounds()
	if err != nil {
		return err
	}
	switch {
	case last == 0:
		return nil
	case first == record.Index+1:
		return st.snapshots.clearReceived()
	}
	// Entries from before: the snapshot stands for them, and an append behind
	// it would leave a gap.
	if err := st.wal.DeleteRange(first, last); err != nil {
		return fmt.Errorf("consensus: emptying the Raft log: %w", err)
	}
	return nil
}

func (st *storage) bounds() (first, last uint64, err error) {
	if first, err = st.wal.FirstIndex(); err == nil {
		last, err = st.wal.LastIndex()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("consensus: Raft log: %w", err)
	}
	return first, last, nil
}

func founder(cfg *Config) bool {
	return slices.ContainsFunc(cfg.Servers.Servers, func(s raft.Server) bool { return string(s.ID) == cfg.ID })
}

// bootstrap writes the membership of the genesis as entry 1, the same on every
// node of it. A term without a log is a log that was lost, unless it is the first one:
// that is a first start that was interrupted.
func (st *storage) bootstrap(cfg *Config) error {
	term, err := st.stable.GetUint64([]byte("CurrentTerm"))
	if err != nil {
		return rejoin("%v", err)
	}
	if !founder(cfg) {
		return nil // its log begins with what the leader sends
	}
	if term > 1 {
		return rejoin("the Raft log is empty, but a term of %d has been seen", term)
	}
	if term == 1 {
		if err := st.stable.SetUint64([]byte("CurrentTerm"), 0); err != nil {
			return fmt.Errorf("consensus: %w", err)
		}
	}
	err = raft.BootstrapCluster(cfg.raftConfig(nil), st.log, st.stable, st.snapshots, cfg.Network, cfg.Servers)
	if err != nil {
		return fmt.Errorf("consensus: first start: %w", err)
	}
	return nil
}
