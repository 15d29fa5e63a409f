package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// A tileKey names a tile: the nodes of tree level 8·level with index
// 256·index and the following.
type tileKey struct {
	level uint8
	index uint64
}

func (k tileKey) bytes() []byte {
	return binary.BigEndian.AppendUint64([]byte{k.level}, k.index)
}

// tiles are the stored nodes of the tree: those not yet on disk, with the
// growing tile of each level, in memory; the others in bbolt. Hashes are only
// ever appended, so a slice of them is a snapshot.
type tiles struct {
	db *bolt.DB

	mu     sync.RWMutex
	memory map[tileKey]*tile
}

type tile struct {
	hashes []sm.Digest
	onDisk int
}

func newTiles(db *bolt.DB) *tiles { return &tiles{db: db, memory: map[tileKey]*tile{}} }

// add keeps a completed node if its level is one that is stored. Called with
// the nodes in the order of Tree.Append. The caller holds the lock.
func (t *tiles) add(n ledger.Node) {
	if n.Level%tileHeight != 0 {
		return
	}
	key := tileKey{uint8(n.Level / tileHeight), n.Index / tileWidth}
	at, ok := t.memory[key]
	if !ok {
		at = &tile{hashes: make([]sm.Digest, 0, tileWidth)}
		t.memory[key] = at
	}
	at.hashes = append(at.hashes, n.Hash)
}

// resume loads the growing tile of each level, so that it can go on growing.
func (t *tiles) resume(size uint64) error {
	for level, n := uint8(0), size; n > 0; level, n = level+1, n>>tileHeight {
		if n%tileWidth == 0 {
			continue
		}
		key := tileKey{level, n / tileWidth}
		hashes, err := t.load(key)
		if err != nil {
			return err
		}
		if uint64(len(hashes)) != n%tileWidth {
			return fmt.Errorf("store: tile %d/%d of state.db is damaged: %d hashes", key.level, key.index, len(hashes))
		}
		t.memory[key] = &tile{hashes: append(make([]sm.Digest, 0, tileWidth), hashes...), onDisk: len(hashes)}
	}
	return nil
}

// unwritten returns the tiles of which bbolt lacks something.
func (t *tiles) unwritten() map[tileKey][]sm.Digest {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make(map[tileKey][]sm.Digest)
	for key, at := range t.memory {
		if len(at.hashes) > at.onDisk {
			out[key] = at.hashes
		}
	}
	return out
}

// written notes that these are durable and forgets tiles that are full.
func (t *tiles) written(out map[tileKey][]sm.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, hashes := range out {
		t.memory[key].onDisk = len(hashes)
		if len(hashes) == tileWidth {
			delete(t.memory, key)
		}
	}
}

func writeTile(b *bolt.Bucket, key tileKey, hashes []sm.Digest) error {
	value := make([]byte, 0, len(hashes)*sm.DigestSize+4)
	for i := range hashes {
		value = append(value, hashes[i][:]...)
	}
	return put(b, key.bytes(), value)
}

var errNoTile = errors.New("not there")

// hashes returns a tile as far as it has grown.
func (t *tiles) hashes(key tileKey) ([]sm.Digest, error) {
	t.mu.RLock()
	at, ok := t.memory[key]
	var out []sm.Digest
	if ok {
		out = at.hashes
	}
	t.mu.RUnlock()
	if ok {
		return out, nil
	}
	return t.load(key)
}

func (t *tiles) load(key tileKey) ([]sm.Digest, error) {
	var out []sm.Digest
	err := t.db.View(func(tx *bolt.Tx) error {
		raw, err := get(tx.Bucket(bucketTiles), key.bytes())
		switch {
		case err != nil:
			return err
		case raw == nil:
			return errNoTile
		case len(raw)%sm.DigestSize != 0 || len(raw) > tileWidth*sm.DigestSize:
			return errors.New("malformed")
		}
		out = make([]sm.Digest, len(raw)/sm.DigestSize)
		for i := range out {
			out[i] = sm.Digest(raw[i*sm.DigestSize:])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: tile %d/%d of state.db is damaged: %w", key.level, key.index, err)
	}
	return out, nil
}

// node is a ledger.NodeReader: levels between the stored ones are computed.
func (t *tiles) node(level uint, index uint64) (sm.Digest, error) {
	within := level % tileHeight
	begin := index << within // at the stored level below
	key := tileKey{uint8(level / tileHeight), begin / tileWidth}
	hashes, err := t.hashes(key)
	if err != nil {
		return sm.Digest{}, err
	}
	from := begin % tileWidth
	to := from + 1<<within
	if to > uint64(len(hashes)) {
		return sm.Digest{}, fmt.Errorf("store: tile %d/%d of state.db is damaged: %d hashes", key.level, key.index, len(hashes))
	}
	return ledger.RootOf(hashes[from:to]), nil
}

// leaves returns the leaf hashes from first to before end.
func (t *tiles) leaves(first, end uint64) ([]sm.Digest, error) {
	out := make([]sm.Digest, 0, end-first)
	for at := first; at < end; {
		key := tileKey{0, at / tileWidth}
		hashes, err := t.hashes(key)
		if err != nil {
			return nil, err
		}
		from := at % tileWidth
		to := min(tileWidth, from+end-at)
		if to > uint64(len(hashes)) {
			return nil, fmt.Errorf("store: tile %d/%d of state.db is damaged: %d hashes", key.level, key.index, len(hashes))
		}
		out = append(out, hashes[from:to]...)
		at += to - from
	}
	return out, nil
}
