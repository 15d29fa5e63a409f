package casebook

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// listing is one live record at its subject's place, or with no id the place of
// a subject that somebody asked for. What went is kept until no anchor that may
// still be shown states it.
type listing struct {
	ID    []byte            `cbor:"1,keyasint,omitempty"`
	From  exchange.Position `cbor:"2,keyasint"`
	Until exchange.Position `cbor:"3,keyasint,omitempty"` // 0: in force
}

// in reports whether the row is part of the map as of a position.
func (l *listing) in(at exchange.Position) bool {
	return l.From <= at && (l.Until == 0 || at < l.Until)
}

// anchor is an entry of this region that states the map as of the position
// that is its key.
type anchor struct {
	Entry uint64    `cbor:"1,keyasint"` // its number
	Size  uint64    `cbor:"2,keyasint"`
	Root  sm.Digest `cbor:"3,keyasint"`
}

// keptAnchors is how many are kept that may still be shown: an anchor takes a
// while until it is witnessed.
const keptAnchors = 16

// placeOf is a firm's place in the map; zero when there is no firm.
func (c *Casebook) placeOf(uscc string) sm.Digest {
	if uscc == "" {
		return sm.Digest{}
	}
	return exchange.SubjectKey(c.cfg.LedgerID, c.cfg.Region, uscc)
}

// list puts a live record at its subject's place.
func (f *fold) list(no uint64, id exchange.EntryID, place sm.Digest) {
	if place.IsZero() {
		return
	}
	f.put(f.b.holdings, join(place[:], u64(no)), listing{ID: id[:], From: f.meta.Position})
	f.putRaw(f.b.listed, u64(no), place[:])
	f.meta.Listed++
	f.meta.Changed = f.meta.Position
}

// unlist takes a record out of the map.
func (f *fold) unlist(no uint64) {
	// Also for a record whose subject is not known any more: a casebook that is
	// built again comes to the same state.
	f.meta.Changed = f.meta.Position
	place := f.b.listed.Get(u64(no))
	if place == nil {
		return
	}
	key := join(place, u64(no))
	f.delete(f.b.listed, u64(no))
	l, ok := load[listing](f, f.b.holdings, key)
	if !ok {
		f.fail(errDamaged)
		return
	}
	f.meta.Listed--
	if l.From > f.meta.Anchored {
		f.delete(f.b.holdings, key) // no anchor ever stated it
		return
	}
	l.Until = f.meta.Position
	f.put(f.b.holdings, key, l)
	f.putRaw(f.b.unlisted, join(u64(uint64(f.meta.Position)), key), nil)
}

// asked makes the next anchor urgent, and gives a subject a place of its own, so
// that it says something of it, if only that there is nothing. Whether records
// are listed there plays no part: they may be gone when a casebook is built
// again.
func (f *fold) asked(a *exchange.SubjectAsked) {
	uscc, err := a.Open(f.cfg.Vault)
	if err != nil {
		f.fail(err)
		return
	}
	place := f.placeOf(uscc)
	f.meta.Changed, f.meta.Asked = f.meta.Position, f.meta.Position
	key := join(place[:], u64(0))
	if _, known := load[listing](f, f.b.holdings, key); !known {
		f.put(f.b.holdings, key, listing{From: f.meta.Position})
		f.meta.Listed++
	}
}

// anchoring notes an own anchor that is on its way.
func (f *fold) anchoring(no uint64, a *exchange.AnchorMade) {
	f.put(f.b.anchors, u64(uint64(a.At)), anchor{Entry: no, Size: a.Size, Root: a.Root})
	f.meta.Anchored, f.meta.Anchor = a.At, no
}

// anchored notes that it is on the ledger, or that the ledger refused it, and
// forgets what no kept anchor states.
func (f *fold) anchored(no uint64, taken bool) {
	if no != f.meta.Anchor {
		return
	}
	f.meta.Anchor = 0
	if !taken {
		f.delete(f.b.anchors, u64(uint64(f.meta.Anchored)))
		f.meta.Changed = f.meta.Position
		return
	}
	oldest := f.oldestAnchor()
	for _, old := range keysBefore(f.b.anchors, oldest) {
		f.delete(f.b.anchors, old)
	}
	for _, gone := range keysBefore(f.b.unlisted, oldest+1) {
		f.delete(f.b.holdings, gone[8:])
		f.delete(f.b.unlisted, gone)
	}
}

// oldestAnchor is the position of the oldest one to keep.
func (f *fold) oldestAnchor() uint64 {
	anchors := f.b.anchors.Cursor()
	key, _ := anchors.Last()
	oldest := number(key)
	for range keptAnchors - 1 {
		if key, _ = anchors.Prev(); key == nil {
			break
		}
		oldest = number(key)
	}
	return oldest
}

// keysBefore lists the keys whose first number is below end.
func keysBefore(b *bolt.Bucket, end uint64) [][]byte {
	var keys [][]byte
	cursor := b.Cursor()
	for key, _ := cursor.First(); key != nil && number(key[:8]) < end; key, _ = cursor.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}

// AnchorDue says how urgent the next anchor is; false while one is on its way or
// there is nothing to state.
func (c *Casebook) AnchorDue() (exchange.Due, bool) {
	m, _ := c.state()
	switch {
	case m.Anchor != 0 || m.Listed == 0 || m.Followed == 0:
		return exchange.DueLater, false
	case m.Asked > m.Anchored:
		return exchange.DueNow, true
	case m.Changed > m.Anchored:
		return exchange.DueSoon, true
	}
	return exchange.DueLater, true
}

// Placed reports whether an anchor that is made, or is due now, says something
// of a subject.
func (c *Casebook) Placed(uscc string) (placed bool, err error) {
	err = c.view(func(b buckets) error {
		m, _, err := get[meta](b.meta, metaKey)
		if err != nil {
			return err
		}
		at := m.Anchored
		if m.Asked > m.Anchored {
			at = m.Position
		}
		_, placed, err = recordsAt(b, at, c.placeOf(uscc))
		return err
	})
	return placed, err
}

// Bind computes the map as it is.
func (c *Casebook) Bind() (exchange.Bound, error) {
	var out exchange.Bound
	err := c.file.snapshot(func(tx *bolt.Tx) error {
		b := bucketsOf(tx)
		m, ok, err := get[meta](b.meta, metaKey)
		if err != nil || !ok {
			return orDamaged(err)
		}
		bound, err := c.boundAt(b, m.Position)
		if err == nil {
			out = exchange.Bound{At: m.Position, Size: m.Followed, Root: bound.Root()}
		}
		return err
	})
	return out, err
}

// Holding shows a subject's place under the newest of this region's anchors that
// the caller can show. The error is exchange.ErrNotFound when that one has no
// place for the subject.
func (c *Casebook) Holding(uscc string, shown func(leaf uint64) bool) (exchange.Holding, error) {
	var out exchange.Holding
	err := c.file.snapshot(func(tx *bolt.Tx) error {
		b := bucketsOf(tx)
		anchors := b.anchors.Cursor()
		for key, raw := anchors.Last(); key != nil; key, raw = anchors.Prev() {
			var a anchor
			if err := decoding.Unmarshal(raw, &a); err != nil {
				return orDamaged(nil)
			}
			e, ok, err := get[entry](b.entries, u64(a.Entry))
			if err != nil || !ok {
				return orDamaged(err)
			}
			if e.State != exchange.StateCommitted || !shown(e.Index) {
				continue
			}
			out, err = c.holding(b, exchange.Position(number(key)), &a, c.placeOf(uscc))
			out.Anchor = e.Index
			return err
		}
		return exchange.ErrNotFound
	})
	return out, err
}

// errForgotten is told when a record was taken down since and the casebook has
// been built again: the next anchor answers.
var errForgotten = fmt.Errorf("the map of that anchor can't be built any more: %w", exchange.ErrNotFound)

func (c *Casebook) holding(b buckets, at exchange.Position, a *anchor, place sm.Digest) (exchange.Holding, error) {
	records, known, err := recordsAt(b, at, place)
	if err != nil {
		return exchange.Holding{}, err
	}
	if !known {
		return exchange.Holding{}, exchange.ErrNotFound
	}
	tree, err := c.boundAt(b, at)
	if err != nil {
		return exchange.Holding{}, err
	}
	path, ok := tree.Path(place)
	if !ok || tree.Root() != a.Root {
		return exchange.Holding{}, errForgotten
	}
	return exchange.Holding{Records: records, Salt: c.salt(place, records), Path: path}, nil
}

// boundMap is the map as of a position. The one that was anchored last is kept:
// it is what statements are made of.
type boundMap struct {
	at exchange.Position
	*ledger.SparseTree
}

func (c *Casebook) boundAt(b buckets, at exchange.Position) (*boundMap, error) {
	if kept := c.bound.Load(); kept != nil && kept.at == at {
		return kept, nil
	}
	leaves, err := c.leavesAt(b, at)
	if err != nil {
		return nil, err
	}
	bound := &boundMap{at, ledger.NewSparseTree(leaves, func(purpose string, place []byte) sm.Digest {
		return c.cfg.IDSecret.Digest("holdings "+purpose, place)
	})}
	c.bound.Store(bound)
	return bound, nil
}

// leavesAt are the subjects' places, ascending.
func (c *Casebook) leavesAt(b buckets, at exchange.Position) (leaves []ledger.SparseLeaf, err error) {
	rows := b.holdings.Cursor()
	for key, _ := rows.First(); key != nil; {
		place := sm.Digest(key[:sm.DigestSize])
		records, known, err := recordsAt(b, at, place)
		if err != nil {
			return nil, err
		}
		if known {
			value := exchange.Holdings(c.salt(place, records), records)
			leaves = append(leaves, ledger.SparseLeaf{Key: place, Value: value})
		}
		for key != nil && bytes.HasPrefix(key, place[:]) {
			key, _ = rows.Next()
		}
	}
	return leaves, nil
}

// recordsAt lists a subject's records, ascending; known is false when it had no
// place.
func recordsAt(b buckets, at exchange.Position, place sm.Digest) (records []exchange.EntryID, known bool, err error) {
	rows := b.holdings.Cursor()
	for key, raw := rows.Seek(place[:]); bytes.HasPrefix(key, place[:]); key, raw = rows.Next() {
		var l listing
		if err := decoding.Unmarshal(raw, &l); err != nil {
			return nil, false, orDamaged(nil)
		}
		if !l.in(at) {
			continue
		}
		known = true
		if len(l.ID) == sm.DigestSize {
			records = append(records, exchange.EntryID(l.ID))
		}
	}
	exchange.SortEntries(records)
	return records, known, nil
}

// salt hides a subject's records from whoever is shown another's place. It
// follows from the set, so that an unchanged one looks unchanged and nothing
// else can be told.
func (c *Casebook) salt(place sm.Digest, records []exchange.EntryID) sm.Digest {
	parts := [][]byte{place[:]}
	for i := range records {
		parts = append(parts, records[i][:])
	}
	return c.cfg.IDSecret.Digest("holdings salt", parts...)
}
