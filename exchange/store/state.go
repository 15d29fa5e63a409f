package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sort"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// accepted is a batch on the ledger that may not be on disk yet.
type accepted struct {
	raw     []byte
	info    *exchange.BatchInfo
	items   []exchange.Item
	headers []exchange.Header
	row     row // its place in a segment is set when it is written
	since   time.Time
}

func (a *accepted) end() uint64 { return a.row.first + uint64(a.row.n) }

// state is one generation of the replicated state: what is on disk and, ahead
// of it, what is applied.
type state struct {
	dir    string
	ledger sm.Digest
	config *Config

	db       *bolt.DB
	segments *segments
	tiles    *tiles
	erasing  sync.Mutex // one eraser at a time

	mu        sync.RWMutex
	flushed   *sync.Cond // on mu: something became durable, or the state failed
	applied   position
	durable   position
	tree      *ledger.Tree
	directory *peers.Directory
	// directories are all that there have been, ascending; the last is directory.
	directories []*peers.Directory
	origins     map[peers.Region]last
	pending     []*accepted // in order of leaves, ahead of the disk
	backlog     int         // bytes of pending
	governed    []uint64    // governance entries of pending
	changed     chan struct{}
	foreseen    []*foreseen // ascending by index
	failed      error
	stats       Stats
	refusals    *refusals // used by apply alone

	wake, urgent chan struct{} // of the flusher
	stop, done   chan struct{}
}

// openState opens a generation and starts its flusher.
func openState(dir string, config *Config) (*state, error) {
	st, err := loadState(dir, config, false)
	if err != nil {
		return nil, err
	}
	if err := st.finishErasing(); err != nil {
		return nil, errors.Join(err, st.closeFiles())
	}
	go st.writeBehind()
	return st, nil
}

// loadState reads what a generation holds on disk.
func loadState(dir string, config *Config, readOnly bool) (st *state, err error) {
	directory, err := peers.NewDirectory(config.Genesis)
	if err != nil {
		return nil, fmt.Errorf("store: genesis: %w", err)
	}
	st = &state{
		dir: dir, ledger: directory.Ledger(), config: config, directory: directory,
		origins: map[peers.Region]last{}, changed: make(chan struct{}),
		refusals: newRefusals(config.Logger),
		wake:     make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	st.flushed = sync.NewCond(&st.mu)
	st.stats.Refused = map[exchange.Code]uint64{}
	if st.db, err = openDatabase(dir, readOnly); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.closeFiles())
			st = nil
		}
	}()
	defer damaged(&err)
	st.tiles = newTiles(st.db)
	if err := st.loadMeta(); err != nil {
		return st, err
	}
	p := &st.durable
	if st.segments, err = openSegments(dir, st.ledger, p.segment, p.end, readOnly); err != nil {
		return st, err
	}
	if st.tree, err = ledger.OpenTree(p.size, st.tiles.node); err != nil {
		return st, err
	}
	if st.tree.Root() != p.root {
		return st, fmt.Errorf("store: %s is damaged: the tree's border does not have the stored root", dir)
	}
	if err := st.tiles.resume(p.size); err != nil {
		return st, err
	}
	st.applied = *p
	return st, st.foldDirectory()
}

func (st *state) loadMeta() error {
	return st.db.View(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if tx.Bucket(name) == nil {
				return fmt.Errorf("store: %s is damaged: no bucket %s", st.dir, name)
			}
		}
		raw, err := get(tx.Bucket(bucketMeta), keyState)
		if err != nil {
			return fmt.Errorf("store: %s is damaged: %w", st.dir, err)
		}
		if raw == nil {
			if k, _ := tx.Bucket(bucketBatches).Cursor().First(); k != nil {
				return fmt.Errorf("store: %s is damaged: the state row is missing", st.dir)
			}
			st.durable.root = ledger.EmptyRoot()
			return nil
		}
		if st.durable, err = parsePosition(raw, st.ledger); err != nil {
			return err
		}
		return tx.Bucket(bucketOrigins).ForEach(func(k, v []byte) error {
			raw, err := unseal(k, v)
			if err == nil {
				st.origins[peers.Region(k)], err = parseLast(raw)
			}
			if err != nil {
				return fmt.Errorf("store: %s is damaged: origin: %w", st.dir, err)
			}
			return nil
		})
	})
}

// foldDirectory replays the governance entries over the genesis.
func (st *state) foldDirectory() error {
	var indexes []uint64
	err := st.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketGovernance).ForEach(func(k, v []byte) error {
			if _, err := unseal(k, v); err != nil || len(k) != 8 {
				return fmt.Errorf("store: %s is damaged: list of governance entries", st.dir)
			}
			indexes = append(indexes, binary.BigEndian.Uint64(k))
			return nil
		})
	})
	if err != nil {
		return err
	}
	st.directories = []*peers.Directory{st.directory}
	for _, i := range indexes {
		entries, err := st.entries(i, 1)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return &DamageError{i, "a governance entry is missing"}
		}
		e := &entries[0]
		st.directory, err = st.directory.With(i, e.Header.Origin, e.Header.Kind, e.Body)
		if err != nil {
			return &DamageError{i, "a governance entry does not apply: " + err.Error()}
		}
		st.directories = append(st.directories, st.directory)
	}
	if err := supported(st.directory); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// directoryAt is the last directory that no entry at or behind leaf size has
// made.
func (st *state) directoryAt(size uint64) (*peers.Directory, error) {
	if err := st.within(size); err != nil {
		return nil, err
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	later := sort.Search(len(st.directories), func(i int) bool { return st.directories[i].Next() > size })
	return st.directories[later-1], nil // the genesis's is as of 0
}

// close writes what is applied and releases the files.
func (st *state) close() error {
	close(st.stop)
	<-st.done
	st.mu.Lock()
	err := st.failed
	close(st.changed)
	st.changed = make(chan struct{})
	st.mu.Unlock()
	return errors.Join(err, st.closeFiles())
}

func (st *state) closeFiles() error {
	var errs []error
	if st.segments != nil {
		errs = append(errs, st.segments.close())
	}
	return errors.Join(append(errs, st.db.Close())...)
}

// find returns the pending batch that holds leaf index, if it is not on disk.
// The caller holds the lock.
func (st *state) find(index uint64) *accepted {
	i := sort.Search(len(st.pending), func(i int) bool { return st.pending[i].end() > index })
	if i == len(st.pending) || index < st.pending[i].row.first {
		return nil
	}
	return st.pending[i]
}

// fail ends the state: nothing is applied or answered any more.
func (st *state) fail(err error) {
	st.mu.Lock()
	first := st.failed == nil
	if first {
		st.failed = err
	}
	st.flushed.Broadcast()
	st.mu.Unlock()
	if first {
		st.config.Fatal(err)
	}
}

func (st *state) head() exchange.Head {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return exchange.Head{Size: st.applied.size, Root: st.applied.root, RaftIndex: st.applied.index}
}

func (st *state) snapshotStats() Stats {
	st.mu.RLock()
	defer st.mu.RUnlock()
	out := st.stats
	out.Refused = maps.Clone(st.stats.Refused)
	out.PendingBatches, out.PendingBytes = len(st.pending), st.backlog
	return out
}
