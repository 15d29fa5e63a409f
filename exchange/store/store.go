package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Config is what a store is made of.
type Config struct {
	Dir     string         // the store's own; created if need be
	Genesis *peers.Genesis // verified by Open
	Logger  *slog.Logger
	// Fatal is called once, when a storage fault or damage makes it impossible
	// to go on: the process has to end. Nothing is applied or answered after.
	Fatal func(error)
	// Verified, if set, is told of each batch signature that was checked, so
	// that a share of them can be verified again by other code. It may be
	// called from several goroutines and must not change its arguments. The
	// signature is under sm.LabelBatch and this ledger's id.
	Verified func(ok bool, key *sm.BatchPublic, preamble, signature []byte)
}

// Stats are counted since Open.
type Stats struct {
	Batches, Entries uint64 // accepted
	Replayed         uint64
	Refused          map[exchange.Code]uint64
	Flushes          uint64
	PendingBatches   int // applied and not yet durable
	PendingBytes     int
}

// Store is the replicated state of this node. It is an exchange.Ledger and the
// state machine of consensus.
type Store struct {
	config Config

	// mu is held for reading by whatever uses the live state, and for writing
	// only to replace it.
	mu   sync.RWMutex
	live *state

	staging    sync.Mutex // Stage and Install exclude each other
	generation uint64     // of live
	staged     []*peers.Directory
}

var (
	_ exchange.Ledger        = (*Store)(nil)
	_ consensus.StateMachine = (*Store)(nil)
)

const fileCurrent = "CURRENT"

// Open opens the store, or makes an empty one of the genesis.
func Open(config Config) (*Store, error) {
	if err := durable.MakeDir(config.Dir); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{config: config}
	var err error
	if s.generation, err = readCurrent(config.Dir); err != nil {
		return nil, err
	}
	if s.generation == 0 {
		s.generation = 1
		if err := durable.MakeDir(s.dir(1)); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if err := s.writeCurrent(1); err != nil {
			return nil, err
		}
	}
	if s.live, err = openState(s.dir(s.generation), &s.config); err != nil {
		return nil, err
	}
	// A snapshot that was staged is kept: consensus may still install it.
	if err := s.removeGenerations(s.generation, s.generation+1); err != nil {
		return nil, errors.Join(err, s.live.close())
	}
	p := s.live.applied
	config.Logger.Info("store open", "size", p.size, "root", p.root.String(), "raft_index", p.index)
	return s, nil
}

// Close makes everything applied durable.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live.close()
}

func (s *Store) dir(generation uint64) string { return generationDir(s.config.Dir, generation) }

func generationDir(dir string, generation uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%06d", generation))
}

// readCurrent returns the live generation; 0 when there is none yet.
func readCurrent(dir string) (uint64, error) {
	raw, err := os.ReadFile(filepath.Join(dir, fileCurrent))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(string(raw), "\n"), 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("store: %s is damaged", filepath.Join(dir, fileCurrent))
	}
	return n, nil
}

func (s *Store) writeCurrent(generation uint64) error {
	name := filepath.Join(s.config.Dir, fileCurrent)
	if err := durable.Replace(name, fmt.Appendf(nil, "%06d\n", generation), 0o600); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// removeGenerations removes all but those to keep.
func (s *Store) removeGenerations(keep ...uint64) error {
	dirs, err := os.ReadDir(s.config.Dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, d := range dirs {
		n, err := strconv.ParseUint(d.Name(), 10, 64)
		if err != nil || !d.IsDir() {
			continue
		}
		kept := false
		for _, k := range keep {
			kept = kept || n == k
		}
		if !kept {
			if err := os.RemoveAll(filepath.Join(s.config.Dir, d.Name())); err != nil {
				return fmt.Errorf("store: %w", err)
			}
		}
	}
	return nil
}

// Prepare works out, beside what runs, what can be said of an entry's items
// before it is committed. It keeps the items' memory, which must not change.
func (s *Store) Prepare(index uint64, items [][]byte) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.live.foresee(index, items)
}

// Apply judges the items of one committed Raft entry, each a batch, and answers
// each with an exchange.BatchResult; after a storage fault with an error. It
// keeps the items' memory, which must not change.
func (s *Store) Apply(index, term uint64, items [][]byte) []any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.apply(index, term, items, false)
}

// Applied is the last Raft index whose effect would survive a crash now;
// Head's may be ahead of it.
func (s *Store) Applied() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.live.mu.RLock()
	defer s.live.mu.RUnlock()
	return s.live.durable.index
}

// Point is the size and root as of the last Apply.
func (s *Store) Point() (uint64, sm.Digest) {
	h := s.Head()
	return h.Size, h.Root
}

// Sync returns when everything applied up to a Raft index is durable.
func (s *Store) Sync(index uint64) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.sync(index)
}

// Head is the ledger as applied.
func (s *Store) Head() exchange.Head {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.head()
}

// Entries returns up to limit entries from leaf from on, fewer at the end.
func (s *Store) Entries(from uint64, limit int) ([]exchange.Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.entries(from, limit)
}

// LastBatch is the last accepted seq of an origin and the SM3 of its preamble.
func (s *Store) LastBatch(origin peers.Region) (uint64, sm.Digest) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.live.mu.RLock()
	defer s.live.mu.RUnlock()
	l := s.live.origins[origin]
	return l.seq, l.preamble
}

// Directory is the replicated directory as of Head.
func (s *Store) Directory() *peers.Directory {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.live.mu.RLock()
	defer s.live.mu.RUnlock()
	return s.live.directory
}

// DirectoryAt is the directory as of any size up to Head's: what the entries
// before leaf size have made of the genesis.
func (s *Store) DirectoryAt(size uint64) (*peers.Directory, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.directoryAt(size)
}

// WaitSize returns when the ledger has at least size leaves, or ctx's error.
func (s *Store) WaitSize(ctx context.Context, size uint64) error {
	for {
		s.mu.RLock()
		s.live.mu.RLock()
		reached, changed := s.live.applied.size >= size, s.live.changed
		s.live.mu.RUnlock()
		s.mu.RUnlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// RootAt is the root at any size up to Head's.
func (s *Store) RootAt(size uint64) (sm.Digest, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.rootAt(size)
}

// Inclusion proves that leaf index is in the tree of the given size.
func (s *Store) Inclusion(index, size uint64) ([]sm.Digest, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.live.within(size); err != nil {
		return nil, err
	}
	return ledger.Inclusion(index, size, s.live.tiles.node)
}

// Consistency proves that the tree of size to extends that of size from.
func (s *Store) Consistency(from, to uint64) ([]sm.Digest, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.live.within(to); err != nil {
		return nil, err
	}
	return ledger.Consistency(from, to, s.live.tiles.node)
}

// Erase destroys the bodies of entries and their wrapped keys on this node's
// disk, also in a snapshot that is staged, and returns when they are gone. The
// indexes ascend; erasing again is no error. It is an act of this node alone and
// never changes what Apply answers.
func (s *Store) Erase(indexes ...uint64) error {
	s.mu.RLock()
	err := s.live.erase(indexes)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	return s.eraseStaged()
}

// Stats are for metrics.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.live.snapshotStats()
}

func (st *state) within(size uint64) error {
	if have := st.head().Size; size > have {
		return fmt.Errorf("%w: size %d, %d are applied", ledger.ErrSize, size, have)
	}
	return nil
}

func (st *state) rootAt(size uint64) (sm.Digest, error) {
	if err := st.within(size); err != nil {
		return sm.Digest{}, err
	}
	return ledger.RootAt(size, st.tiles.node)
}
