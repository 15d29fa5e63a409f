package casebook

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// groupLimit bounds what is folded in one go, in rows and entries: readers wait
// that long.
const groupLimit = 512

// Run folds until ctx ends or a part fails; a failure is told to Fatal first.
// What is folded is on disk when it returns, unless a part has failed.
func (c *Casebook) Run(ctx context.Context) error {
	err := c.run(ctx)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), c.file.settle())
	}
	c.cfg.Fatal(err)
	return err
}

func (c *Casebook) run(ctx context.Context) error {
	if err := c.resume(ctx); err != nil {
		return err
	}
	if err := c.lookAhead(); err != nil {
		return err
	}
	for {
		next := c.Position() + 1
		if err := c.await(ctx, next); err != nil {
			return err
		}
		if err := c.step(ctx, next); err != nil {
			return err
		}
	}
}

// await returns when the journal has the next event, and brings what is folded
// to disk if that takes a while.
func (c *Casebook) await(ctx context.Context, next exchange.Position) error {
	due := c.file.dueAt()
	if due.IsZero() || c.cfg.Journal.Last() >= next {
		return c.cfg.Journal.Wait(ctx, next)
	}
	patience, cancel := context.WithDeadline(ctx, due)
	defer cancel()
	err := c.cfg.Journal.Wait(patience, next)
	if err == nil || ctx.Err() != nil || patience.Err() == nil {
		return err
	}
	if err := c.file.settle(); err != nil {
		return err
	}
	return c.cfg.Journal.Wait(ctx, next)
}

// resume checks that journal and ledger still are those that were folded.
func (c *Casebook) resume(ctx context.Context) error {
	m, _ := c.state()
	if last := c.cfg.Journal.Last(); m.Position > last {
		return fmt.Errorf("casebook: folded up to event %d but the journal ends at %d: the journal has lost its end", m.Position, last)
	}
	if m.Followed == 0 {
		return nil
	}
	if err := c.cfg.Ledger.WaitSize(ctx, m.Followed); err != nil {
		return err
	}
	return c.sameRoot(m.Followed, m.Root[:])
}

func (c *Casebook) sameRoot(size uint64, want []byte) error {
	root, err := exchange.RootAt(c.cfg.Ledger, size)
	if err != nil {
		return fmt.Errorf("casebook: root at %d: %w", size, err)
	}
	if string(root[:]) != string(want) {
		return fmt.Errorf("casebook: the ledger's root at size %d is %s, the journal followed %x: this is not the ledger that was read before", size, root, want)
	}
	return nil
}

var errGroupFull = errors.New("group full")

// event is one of the journal on its way into the fold.
type event struct {
	at exchange.Position
	*exchange.Event
	leaves *leaves // that a note names
}

// step folds the events that are there, up to a whole group. What needs no look
// at the casebook is done before anyone has to wait.
func (c *Casebook) step(ctx context.Context, next exchange.Position) error {
	var group []event
	work := 0
	err := c.cfg.Journal.Read(next, func(at exchange.Position, e exchange.Event) error {
		group = append(group, event{at: at, Event: &e})
		if work += size(&e); work >= groupLimit {
			return errGroupFull
		}
		return nil
	})
	if err != nil && !errors.Is(err, errGroupFull) {
		return err
	}
	for i := range group {
		if note := group[i].Followed; note != nil && !c.ahead.takenBack(group[i].at, note) {
			if group[i].leaves, err = c.read(ctx, note); err != nil {
				return fmt.Errorf("casebook: event %d: %w", group[i].at, err)
			}
		}
	}
	m, _ := c.state()
	err = c.file.change(func(b buckets) (int, error) {
		f := &fold{Casebook: c, b: b, meta: m, deltas: map[string]int64{}, orders: map[uint64]*exchange.Order{}}
		for i := range group {
			e := &group[i]
			if e.at != f.meta.Position+1 {
				return 0, fmt.Errorf("casebook: event %d follows event %d in the journal", e.at, f.meta.Position)
			}
			if err := f.fold(e); err != nil {
				return 0, fmt.Errorf("casebook: event %d: %w", e.at, err)
			}
		}
		f.finish()
		m = f.meta
		return f.work, f.err
	})
	if err != nil {
		return err
	}
	c.publish(m)
	return nil
}

// size is roughly the work of an event, in rows and entries.
func size(e *exchange.Event) int {
	switch {
	case e.Rows != nil:
		return 1 + len(e.Rows.Rows)
	case e.Followed != nil:
		return 1 + int(e.Followed.To-e.Followed.From)
	}
	return 1
}

// fold is one group of events. Its first storage error sticks in err; callers
// look at it once per event.
type fold struct {
	*Casebook
	b      buckets
	meta   meta
	deltas map[string]int64           // of counts
	orders map[uint64]*exchange.Order // by leaf, those opened in the leaves at hand
	work   int
	at     int64 // the event's time, Unix milliseconds
	err    error
}

func (f *fold) fold(e *event) error {
	f.meta.Position, f.at = e.at, e.At.UnixMilli()
	f.meta.NextSlot = max(f.meta.NextSlot, e.NextSlot())
	f.work++
	var err error
	switch {
	case e.Opened != nil:
		f.opened(e.Opened)
	case e.Rows != nil:
		f.recent.keep(e.at, e.Event)
		err = f.rowsTaken(e.Rows)
	case e.Closed != nil:
		f.closed(e.Closed)
	case e.Register != nil:
		f.register(e.Register)
	case e.Bound != nil:
		f.bound(e.Bound)
	case e.Unbound != nil:
		f.unbound(e.Unbound)
	case e.Acks != nil:
		f.acksReceived(e.Acks)
	case e.Authored != nil:
		f.recent.keep(e.at, e.Event)
		err = f.authored(e.Authored)
	case e.Cut != nil:
		err = f.cut(e.Cut)
	case e.Refused != nil:
		f.refused(e.Refused)
	case e.Followed != nil:
		if e.leaves != nil { // nil: it is taken back
			err = f.followed(e.Followed, e.leaves)
		}
	case e.Ordered != nil:
		f.orderedLocal(e.Ordered)
	case e.Erasing != nil:
		f.erasing(e.Erasing)
	case e.LocalErased != nil:
		f.erasedLocal(e.LocalErased)
	case e.Asked != nil:
		f.asked(e.Asked)
	case e.Reread != nil:
		err = f.reread(e.Reread)
	default:
		err = errors.New("of a kind that this binary does not know")
	}
	return errors.Join(err, f.err)
}

func (f *fold) finish() {
	for name := range f.deltas {
		n := f.total(name)
		if n == 0 {
			f.delete(f.b.counts, []byte(name)) // so that the order of grouping leaves no trace
			continue
		}
		f.putRaw(f.b.counts, []byte(name), u64(uint64(n)))
	}
	f.put(f.b.meta, metaKey, f.meta)
}

func (f *fold) count(name string, delta int64) { f.deltas[name] += delta }

// total is a count with what the group at hand adds to it.
func (f *fold) total(name string) int64 {
	return int64(number(f.b.counts.Get([]byte(name)))) + f.deltas[name]
}

func (f *fold) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fold) put(b *bolt.Bucket, key []byte, v any) {
	raw, err := detcbor.Marshal(v)
	if err != nil {
		f.fail(err)
		return
	}
	f.putRaw(b, key, raw)
}

// putRaw and delete are the only ways to change a bucket: they keep its sum.
func (f *fold) putRaw(b *bolt.Bucket, key, value []byte) {
	s := f.file.changed(b)
	if old, ok := stored(b, key); ok {
		s.remove(key, old)
	}
	s.add(key, value)
	if err := b.Put(key, value); err != nil {
		f.fail(err)
	}
}

func (f *fold) delete(b *bolt.Bucket, key []byte) {
	old, ok := stored(b, key)
	if !ok {
		return
	}
	f.file.changed(b).remove(key, old)
	if err := b.Delete(key); err != nil {
		f.fail(err)
	}
}

// keysWith lists the keys that begin with prefix, so that their values can be
// changed on the way.
func keysWith(b *bolt.Bucket, prefix []byte) [][]byte {
	var keys [][]byte
	cursor := b.Cursor()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}

// load reads a value in the transaction; a miss and a fault both give ok
// false, a fault also sticks.
func load[T any](f *fold, b *bolt.Bucket, key []byte) (T, bool) {
	v, ok, err := get[T](b, key)
	if err != nil {
		f.fail(err)
	}
	return v, ok
}
