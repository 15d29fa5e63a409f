package casebook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Config joins a casebook to its node. Everything is required.
type Config struct {
	Dir      string // private to the casebook; created; may be deleted
	Region   peers.Region
	LedgerID sm.Digest
	Ledger   exchange.Ledger
	// Checkpoints tell a committed record from a witnessed one.
	Checkpoints exchange.Checkpoints
	Journal     exchange.Journal
	Vault       exchange.Vault
	// Decryptions are the region's keys, the newest first: what was sealed
	// before a rotation opens with an older one.
	Decryptions func() []*sm.DecryptionKey
	IDSecret    exchange.IDSecret
	Catalogue   *schemas.Catalogue // the kinds that this node opens
	Logger      *slog.Logger
	Fatal       func(error) // ends the process: nothing more is folded
}

// Casebook implements exchange.Casebook.
type Casebook struct {
	cfg    Config
	file   *file
	recent *recentEvents
	ahead  kept // set before the first event is folded
	bound  atomic.Pointer[boundMap]

	mu      sync.Mutex
	done    meta          // as far as is folded
	changed chan struct{} // closed and replaced when done moves
}

// mapSize is reserved address space, not memory: as long as the file is
// smaller, no writer waits for readers to map it again.
const mapSize = 1 << 30

// Open opens the casebook file in cfg.Dir or starts an empty one. Nothing is
// folded until Run.
func Open(cfg Config) (*Casebook, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("casebook: %w", err)
	}
	db, err := bolt.Open(filepath.Join(cfg.Dir, FileName), 0o600, &bolt.Options{
		Timeout: time.Second, FreelistType: bolt.FreelistMapType, InitialMmapSize: mapSize,
	})
	if err != nil {
		return nil, fmt.Errorf("casebook: open %s: %w", cfg.Dir, err)
	}
	c := &Casebook{cfg: cfg, file: &file{db: db}, recent: newRecentEvents(), changed: make(chan struct{})}
	err = c.load()
	if err == nil {
		err = c.file.begin()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return c, nil
}

func (c *Casebook) load() error {
	return c.file.db.Update(func(tx *bolt.Tx) error {
		if err := createBuckets(tx); err != nil {
			return err
		}
		b := bucketsOf(tx)
		m, found, err := get[meta](b.meta, metaKey)
		if err != nil {
			return err
		}
		if !found {
			m = meta{Version: version, Ledger: c.cfg.LedgerID, Region: c.cfg.Region, NextSlot: 1}
		}
		switch {
		case m.Version != version:
			return fmt.Errorf("casebook: %s has layout %d, this binary writes %d; delete it, it is rebuilt", c.cfg.Dir, m.Version, version)
		case m.Ledger != c.cfg.LedgerID || m.Region != c.cfg.Region:
			return fmt.Errorf("casebook: %s belongs to region %s of ledger %s", c.cfg.Dir, m.Region, m.Ledger)
		}
		c.done = m // written with the first event
		return nil
	})
}

// Close closes the file. Run must have returned.
func (c *Casebook) Close() error { return c.file.Close() }

func (c *Casebook) state() (meta, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done, c.changed
}

func (c *Casebook) publish(m meta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = m
	close(c.changed)
	c.changed = make(chan struct{})
}

// WaitFor returns when the fold has passed at, or ctx's error.
func (c *Casebook) WaitFor(ctx context.Context, at exchange.Position) error {
	for {
		m, changed := c.state()
		if m.Position >= at {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Position is the last event folded.
func (c *Casebook) Position() exchange.Position { m, _ := c.state(); return m.Position }

// Followed is the ledger size that has been read.
func (c *Casebook) Followed() uint64 { m, _ := c.state(); return m.Followed }

// NextSlot is the first vault slot that no folded event names.
func (c *Casebook) NextSlot() uint64 { m, _ := c.state(); return m.NextSlot }

func (c *Casebook) view(read func(b buckets) error) error { return c.file.view(read) }

// Copy puts a copy of the file as it is into dir, which must not exist.
func (c *Casebook) Copy(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = c.file.snapshot(func(tx *bolt.Tx) error { return tx.CopyFile(filepath.Join(dir, FileName), 0o600) })
	}
	if err != nil {
		return fmt.Errorf("casebook: copy: %w", err)
	}
	return nil
}
