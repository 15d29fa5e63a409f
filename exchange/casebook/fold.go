package casebook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/exchange"
)

// groupLimit bounds one transaction, in rows and entries: enough to share the
// two fsyncs of a commit among thousands, small enough to stay under a second.
const groupLimit = 8192

// A commit costs two fsyncs and some pages whatever it holds. After a small
// group the loop rests, so that under load the next one is larger: four nodes
// on two cores would otherwise spend half a core on commits alone. It is a real
// timer; an event that comes alone on an idle node is folded at once.
const (
	smallGroup = 512
	rest       = 2 * time.Millisecond
)

// Run folds until ctx ends or a part fails; a failure is told to Fatal first.
func (c *Casebook) Run(ctx context.Context) error {
	err := c.run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
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
		if err := c.cfg.Journal.Wait(ctx, next); err != nil {
			return err
		}
		work, err := c.step(ctx, next)
		if err != nil {
			return err
		}
		if work < smallGroup {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(rest):
			}
		}
	}
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
	root, err := c.cfg.Ledger.RootAt(size)
	if err != nil {
		return fmt.Errorf("casebook: root at %d: %w", size, err)
	}
	if string(root[:]) != string(want) {
		return fmt.Errorf("casebook: the ledger's root at size %d is %s, the journal followed %x: this is not the ledger that was read before", size, root, want)
	}
	return nil
}

var errGroupFull = errors.New("group full")

// step folds all events that are there, in one synced transaction, and returns
// how many rows and entries that were.
func (c *Casebook) step(ctx context.Context, next exchange.Position) (work int, err error) {
	m, _ := c.state()
	err = c.db.Update(func(tx *bolt.Tx) error {
		f := &fold{Casebook: c, ctx: ctx, b: bucketsOf(tx), meta: m, deltas: map[string]int64{},
			sums: map[*bolt.Bucket]*sum{}, orders: map[uint64]*exchange.Order{}}
		err := c.cfg.Journal.Read(next, func(at exchange.Position, e exchange.Event) error {
			if at != f.meta.Position+1 {
				return fmt.Errorf("casebook: event %d follows event %d in the journal", at, f.meta.Position)
			}
			if err := f.fold(at, &e); err != nil {
				return fmt.Errorf("casebook: event %d: %w", at, err)
			}
			if f.work >= groupLimit {
				return errGroupFull
			}
			return nil
		})
		if err != nil && !errors.Is(err, errGroupFull) {
			return err
		}
		f.finish()
		m, work = f.meta, f.work
		return f.err
	})
	if err != nil {
		return 0, err
	}
	c.publish(m)
	return work, nil
}

// fold is one transaction of the fold loop. Its first storage error sticks in
// err; callers look at it once per event.
type fold struct {
	*Casebook
	ctx    context.Context
	b      buckets
	meta   meta
	deltas map[string]int64           // of counts
	orders map[uint64]*exchange.Order // by leaf, those opened in the leaves at hand
	sums   map[*bolt.Bucket]*sum
	work   int
	at     int64 // the event's time, Unix milliseconds
	err    error
}

func (f *fold) fold(at exchange.Position, e *exchange.Event) error {
	f.meta.Position, f.at = at, e.At.UnixMilli()
	f.meta.NextSlot = max(f.meta.NextSlot, e.NextSlot())
	f.work++
	var err error
	switch {
	case e.Opened != nil:
		f.opened(e.Opened)
	case e.Rows != nil:
		f.recent.keep(at, e)
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
		f.recent.keep(at, e)
		err = f.authored(e.Authored)
	case e.Cut != nil:
		err = f.cut(e.Cut)
	case e.Refused != nil:
		f.refused(e.Refused)
	case e.Followed != nil:
		err = f.followed(e.Followed)
	case e.Ordered != nil:
		f.orderedLocal(e.Ordered)
	case e.Erasing != nil:
		f.erasing(e.Erasing)
	case e.LocalErased != nil:
		f.erasedLocal(e.LocalErased)
	case e.Asked != nil:
		f.asked(e.Asked)
	default:
		err = errors.New("of a kind that this binary does not know")
	}
	return errors.Join(err, f.err)
}

func (f *fold) finish() {
	for name, delta := range f.deltas {
		n := int64(number(f.b.counts.Get([]byte(name)))) + delta
		if n == 0 {
			f.delete(f.b.counts, []byte(name)) // so that the order of grouping leaves no trace
			continue
		}
		f.putRaw(f.b.counts, []byte(name), u64(uint64(n)))
	}
	f.put(f.b.meta, metaKey, f.meta)
	f.addUp()
}

func (f *fold) count(name string, delta int64) { f.deltas[name] += delta }

func (f *fold) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fold) put(b *bolt.Bucket, key []byte, v any) {
	raw, err := encoding.Marshal(v)
	if err != nil {
		f.fail(err)
		return
	}
	f.putRaw(b, key, raw)
}

// putRaw and delete are the only ways to change a bucket: they keep its sum.
func (f *fold) putRaw(b *bolt.Bucket, key, value []byte) {
	s := f.changed(b)
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
	f.changed(b).remove(key, old)
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
