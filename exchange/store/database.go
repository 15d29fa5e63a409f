package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	bucketMeta       = []byte("meta")
	bucketBatches    = []byte("batches")
	bucketSequences  = []byte("sequences")
	bucketOrigins    = []byte("origins")
	bucketTiles      = []byte("tiles")
	bucketGovernance = []byte("governance")
	bucketErased     = []byte("erased")

	buckets = [][]byte{
		bucketMeta, bucketBatches, bucketSequences, bucketOrigins,
		bucketTiles, bucketGovernance, bucketErased,
	}
	keyState = []byte("state")
)

// mapSize is virtual memory only. A map that never has to grow never makes a
// write transaction wait for readers.
const mapSize = 16 << 30

// ErrInUse is returned for a directory that another process has open.
var ErrInUse = errors.New("store: the directory is in use by another process")

func openDatabase(dir string, readOnly bool) (db *bolt.DB, err error) {
	defer damaged(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err = bolt.Open(filepath.Join(dir, "state.db"), 0o600, &bolt.Options{
		Timeout:         time.Second,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: mapSize,
		ReadOnly:        readOnly,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrInUse
	case err != nil:
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	case readOnly:
		return db, nil
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: prepare %s: %w", dir, err), db.Close())
	}
	return db, nil
}

// damaged turns a panic of bbolt, which trusts its pages, into an error. To be
// deferred.
func damaged(err *error) {
	if r := recover(); r != nil {
		*err = errors.Join(*err, fmt.Errorf("store: the index state.db is damaged: %v", r))
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// put stores value with its checksum behind it. bbolt has none of its own: it
// returns a flipped bit as a value.
func put(b *bolt.Bucket, key, value []byte) error { return b.Put(key, sealed(key, value)) }

func sealed(key, value []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	return binary.BigEndian.AppendUint32(value[:len(value):len(value)], sum)
}

// get returns the value under key, which lives as long as the transaction; nil
// when there is none.
func get(b *bolt.Bucket, key []byte) ([]byte, error) {
	sealed := b.Get(key)
	if sealed == nil {
		return nil, nil
	}
	return unseal(key, sealed)
}

func unseal(key, sealed []byte) ([]byte, error) {
	n := len(sealed) - 4
	if n < 0 {
		return nil, errChecksum
	}
	value := sealed[:n]
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	if sum != binary.BigEndian.Uint32(sealed[n:]) {
		return nil, errChecksum
	}
	return value, nil
}

var errChecksum = errors.New("a checksum in state.db differs")

func key64(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }
