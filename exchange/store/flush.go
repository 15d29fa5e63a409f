package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// When the state is written behind: docs/formats/store.md.
const (
	flushEntries = 8192
	flushAfter   = 250 * time.Millisecond
	backlogBytes = 64 << 20
	backlogAge   = 2 * time.Second
)

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// writeBehind is the state's only writer. It writes once more when it is told
// to stop.
func (st *state) writeBehind() {
	defer close(st.done)
	timer := time.NewTimer(flushAfter)
	defer timer.Stop()
	for stopping := false; !stopping; {
		select {
		case <-st.wake:
			timer.Reset(flushAfter)
			select {
			case <-timer.C:
			case <-st.urgent:
			case <-st.stop:
				stopping = true
			}
		case <-st.urgent:
		case <-st.stop:
			stopping = true
		}
		if err := st.flush(); err != nil {
			st.fail(fmt.Errorf("store: write behind: %w", err))
			return
		}
	}
}

// An increment is what one transaction adds.
type increment struct {
	batches  []*accepted
	tiles    map[tileKey][]sm.Digest
	origins  map[peers.Region]last
	governed []uint64
	position position
}

// flush makes durable what is applied.
func (st *state) flush() (err error) {
	defer damaged(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	in := st.unwritten()
	if in == nil {
		return nil
	}
	if err := st.segments.append(in.batches); err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	in.position.segment, in.position.end = st.segments.current, st.segments.end
	if err := st.db.Update(func(tx *bolt.Tx) error { return in.write(tx, st.ledger) }); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	st.tiles.written(in.tiles)

	st.mu.Lock()
	defer st.mu.Unlock()
	st.durable = in.position
	// Copies, so that the arrays behind don't keep what was written alive.
	st.pending = append([]*accepted(nil), st.pending[len(in.batches):]...)
	st.governed = append([]uint64(nil), st.governed[len(in.governed):]...)
	st.backlog -= totalLength(in.batches)
	st.stats.Flushes++
	st.flushed.Broadcast()
	return nil
}

// unwritten returns what bbolt lacks, consistent as of one Raft index; nil
// when that is nothing.
func (st *state) unwritten() *increment {
	st.mu.RLock()
	defer st.mu.RUnlock()
	if st.failed != nil || st.applied.index == st.durable.index && len(st.pending) == 0 {
		return nil
	}
	in := &increment{
		batches: st.pending, tiles: st.tiles.unwritten(), governed: st.governed, position: st.applied,
		origins: make(map[peers.Region]last),
	}
	for _, b := range in.batches {
		in.origins[b.row.origin] = st.origins[b.row.origin]
	}
	return in
}

func (in *increment) write(tx *bolt.Tx, id sm.Digest) error {
	rows := tx.Bucket(bucketBatches)
	rows.FillPercent = 1 // keys ascend: a page is never filled in the middle
	sequences := tx.Bucket(bucketSequences)
	var errs []error
	for _, b := range in.batches {
		first := key64(b.row.first)
		errs = append(errs,
			put(rows, first, b.row.marshal()),
			put(sequences, sequenceKey(b.row.origin, b.row.seq), first))
		for i := range b.row.n {
			if b.row.erased.has(i) {
				errs = append(errs, putErased(tx, b.row.first+uint64(i), 0, true))
			}
		}
	}
	origins := tx.Bucket(bucketOrigins)
	for origin, l := range in.origins {
		errs = append(errs, put(origins, []byte(origin), l.marshal()))
	}
	governance := tx.Bucket(bucketGovernance)
	for _, index := range in.governed {
		errs = append(errs, put(governance, key64(index), nil))
	}
	tiles := tx.Bucket(bucketTiles)
	for key, hashes := range in.tiles {
		errs = append(errs, writeTile(tiles, key, hashes))
	}
	errs = append(errs, put(tx.Bucket(bucketMeta), keyState, in.position.marshal(id)))
	return errors.Join(errs...)
}

// awaitBacklog holds Apply back while too much, or something too old, waits to
// be written.
func (st *state) awaitBacklog() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.failed == nil && len(st.pending) > 0 &&
		(st.backlog > backlogBytes || time.Since(st.pending[0].since) > backlogAge) {
		signal(st.urgent)
		st.flushed.Wait()
	}
}

// sync returns when everything applied up to a Raft index is durable.
func (st *state) sync(index uint64) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	index = min(index, st.applied.index)
	for st.failed == nil && st.durable.index < index {
		signal(st.urgent)
		st.flushed.Wait()
	}
	return st.failed
}
