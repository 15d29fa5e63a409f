package witness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/peers"
)

const historyName = "checkpoints.db"

var (
	bucketWitnessed = []byte("witnessed") // size to checkpoint
	bucketHandovers = []byte("handovers") // size to checkpoint
)

// keepEvery is how far apart the witnessed checkpoints are that stay, in
// seconds of their own time: whoever holds a receipt learns between which of
// them an entry came.
const keepEvery = 60

// history is the witnessed checkpoints on disk. It survives no loss of the
// disk and needs none: the others have them too.
type history struct{ db *bolt.DB }

func openHistory(dir string) (*history, error) {
	db, err := bolt.Open(filepath.Join(dir, historyName), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("witness: checkpoints: %w", err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketWitnessed, bucketHandovers} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("witness: checkpoints: %w", err), db.Close())
	}
	return &history{db: db}, nil
}

func (h *history) close() error { return h.db.Close() }

// put keeps a newer checkpoint, and lets go of the one before it if no gap of
// more than keepEvery comes of it.
func (h *history) put(c peers.Checkpoint) error {
	return h.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketWitnessed)
		cursor := b.Cursor()
		last, _ := cursor.Last()
		if last != nil && binary.BigEndian.Uint64(last) < c.Size {
			_, before := cursor.Prev()
			if earlier, err := read(before); before != nil && err == nil && c.Time()-earlier.Time() < keepEvery {
				if err := b.Delete(last); err != nil {
					return err
				}
			}
		}
		return b.Put(key(c.Size), seal(c.Marshal()))
	})
}

func (h *history) putHandover(c peers.Checkpoint) error {
	return h.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketHandovers).Put(key(c.Size), seal(c.Marshal()))
	})
}

// last is the newest one; size 0 if there is none.
func (h *history) last() (c peers.Checkpoint, err error) {
	err = h.db.View(func(tx *bolt.Tx) error {
		_, v := tx.Bucket(bucketWitnessed).Cursor().Last()
		c, err = read(v)
		return err
	})
	return c, err
}

// around returns the earliest that covers a leaf and the newest that does not.
func (h *history) around(index uint64) (before, covering peers.Checkpoint, err error) {
	err = h.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketWitnessed).Cursor()
		k, v := cursor.Seek(key(index + 1))
		if covering, err = read(v); err != nil {
			return err
		}
		if k == nil {
			_, v = cursor.Last()
		} else {
			_, v = cursor.Prev()
		}
		before, err = read(v)
		return err
	})
	return before, covering, err
}

// handovers lists those of a size and larger ones, ascending, limit at most.
func (h *history) handovers(from uint64, limit int) (all []peers.Checkpoint, err error) {
	err = h.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketHandovers).Cursor()
		for _, v := cursor.Seek(key(from)); v != nil && len(all) < limit; _, v = cursor.Next() {
			c, err := read(v)
			if err != nil {
				return err
			}
			all = append(all, c)
		}
		return nil
	})
	return all, err
}

// recallDepth is how many of the kept checkpoints are searched for a region's
// line: as many as half a day's.
const recallDepth = 720

// newestBy is the newest one with a line of a region.
func (h *history) newestBy(r peers.Region) (found peers.Checkpoint, err error) {
	err = h.db.View(func(tx *bolt.Tx) error {
		cursor := tx.Bucket(bucketWitnessed).Cursor()
		_, v := cursor.Last()
		for n := 0; v != nil && n < recallDepth; n++ {
			c, err := read(v)
			if err != nil {
				return err
			}
			if own := linesOf(c, r); len(own.Cosignatures) > 0 {
				found = own
				return nil
			}
			_, v = cursor.Prev()
		}
		return nil
	})
	return found, err
}

func key(size uint64) []byte { return binary.BigEndian.AppendUint64(nil, size) }

// read returns the zero checkpoint for nil.
func read(v []byte) (peers.Checkpoint, error) {
	if v == nil {
		return peers.Checkpoint{}, nil
	}
	text, ok := unseal(v)
	if !ok {
		return peers.Checkpoint{}, errors.New("witness: a kept checkpoint is damaged")
	}
	return peers.ParseCheckpoint(text)
}

// linesOf leaves only a region's lines in a checkpoint.
func linesOf(c peers.Checkpoint, r peers.Region) peers.Checkpoint {
	lines := c.Cosignatures
	c.Cosignatures = nil
	for _, l := range lines {
		if l.Region == r {
			c.Cosignatures = append(c.Cosignatures, l)
		}
	}
	return c
}
