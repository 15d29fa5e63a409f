package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A checkedLog is the Raft log as Raft sees it. It lets no damaged entry in or
// out, and it knows no fault that one could go on after: a node that can't
// write its log, or can't trust what it reads there, has no business voting.
type checkedLog struct {
	raft.LogStore // raft-wal
	limit         time.Duration
	fatal         func(error)

	// applied is the last index that the state machine has taken in; a suffix
	// that reaches down to it is never given up, whoever asks.
	applied atomic.Uint64
	// ahead is told of each command entry's items before they are written.
	ahead func(index uint64, items [][]byte)
	// appended is called after each append.
	appended func()
	trailing trailing

	configurations configurations
}

var _ raft.MonotonicLogStore = (*checkedLog)(nil)

// IsMonotonic says that the log has no gaps; Raft empties such a log after it
// has installed a snapshot.
func (c *checkedLog) IsMonotonic() bool { return true }

func (c *checkedLog) GetLog(index uint64, l *raft.Log) error {
	*l = raft.Log{}
	// raft-wal still finds what it has truncated while the segment is there.
	first, err := c.FirstIndex()
	if err == nil && index < first {
		return raft.ErrLogNotFound
	}
	if err == nil {
		err = guard(func() error { return c.LogStore.GetLog(index, l) })
	}
	if err == nil {
		err = unseal(index, l)
	}
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		c.fatal(fmt.Errorf("reading entry %d of the Raft log: %w", index, err))
	}
	return err
}

func (c *checkedLog) StoreLog(l *raft.Log) error { return c.StoreLogs([]*raft.Log{l}) }

func (c *checkedLog) StoreLogs(logs []*raft.Log) error {
	sealed := make([]*raft.Log, len(logs))
	for i, l := range logs {
		err := error(nil)
		if l.Type == raft.LogCommand {
			err = CheckPayload(l.Data)
		}
		if err == nil {
			sealed[i], err = seal(l)
		}
		if err != nil {
			err = fmt.Errorf("storing entry %d: %w", l.Index, err)
			c.fatal(err)
			return err
		}
	}
	c.tellAhead(logs)
	if err := c.timed("appending to the Raft log", func() error { return c.LogStore.StoreLogs(sealed) }); err != nil {
		return err
	}
	c.trailing.appended(logs)
	for _, l := range logs {
		c.configurations.note(l)
	}
	c.appended()
	return nil
}

// tellAhead has the state machine work while the disk and the other nodes do.
func (c *checkedLog) tellAhead(logs []*raft.Log) {
	if c.ahead == nil {
		return // before the node runs
	}
	for _, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		if _, _, items, err := parsePayload(l.Data); err == nil && len(items) > 0 {
			c.ahead(l.Index, items)
		}
	}
}

func (c *checkedLog) DeleteRange(first, last uint64) error {
	lowest, err := c.FirstIndex()
	if err != nil {
		return err
	}
	if applied := c.applied.Load(); first > lowest && first <= applied {
		return fmt.Errorf("consensus: refused to drop entries %d to %d, %d has been applied", first, last, applied)
	}
	if first > lowest {
		c.configurations.cut(first)
	}
	return c.timed("truncating the Raft log", func() error { return c.LogStore.DeleteRange(first, last) })
}

// timed runs a write. The leader syncs its own log before it replicates, so a
// disk that hangs would freeze the cluster without an election.
func (c *checkedLog) timed(what string, write func() error) error {
	return timed(c.limit, c.fatal, what, write)
}

func timed(limit time.Duration, fatal func(error), what string, write func() error) error {
	watch := time.AfterFunc(limit, func() {
		fatal(fmt.Errorf("%s: the disk has not answered for %s", what, limit))
	})
	defer watch.Stop()
	if err := write(); err != nil {
		err = fmt.Errorf("%s: %w", what, err)
		fatal(err)
		return err
	}
	return nil
}

// A checkedStable keeps Raft's term and vote with a checksum over name and
// value, for the database below would hand out a flipped bit as it is. Each
// write is synced before it returns.
type checkedStable struct {
	raft.StableStore // raft-wal's metadata database
	limit            time.Duration
	fatal            func(error)
}

func (c *checkedStable) Set(key, value []byte) error {
	sealed := binary.BigEndian.AppendUint32(append([]byte(nil), value...), stableChecksum(key, value))
	return timed(c.limit, c.fatal, "storing Raft's term or vote", func() error { return c.StableStore.Set(key, sealed) })
}

func (c *checkedStable) Get(key []byte) ([]byte, error) {
	sealed, err := c.StableStore.Get(key)
	if err != nil || len(sealed) == 0 {
		return nil, err
	}
	value, err := unsealStable(key, sealed)
	if err != nil {
		c.fatal(err)
	}
	return value, err
}

func unsealStable(key, sealed []byte) ([]byte, error) {
	n := len(sealed) - checksumSize
	if n < 0 || stableChecksum(key, sealed[:n]) != binary.BigEndian.Uint32(sealed[n:]) {
		return nil, fmt.Errorf("%w: Raft's %s", errRecord, key)
	}
	return sealed[:n], nil
}

func (c *checkedStable) SetUint64(key []byte, value uint64) error {
	return c.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

func (c *checkedStable) GetUint64(key []byte) (uint64, error) {
	value, err := c.Get(key)
	if err != nil || value == nil {
		return 0, err
	}
	if len(value) != 8 {
		err := fmt.Errorf("%w: Raft's %s has %d bytes", errRecord, key, len(value))
		c.fatal(err)
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func stableChecksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
