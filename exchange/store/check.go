package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Report is what Check found.
type Report struct {
	Size    uint64
	Root    sm.Digest // computed from the leaves
	Batches uint64
	Erased  uint64
	Damage  []error // *DamageError for each bad entry, others for the index
}

// OK reports whether everything was as it should be.
func (r *Report) OK() bool { return len(r.Damage) == 0 }

// Check reads everything that a stopped node holds and computes every digest,
// signature and root anew. Progress, if set, is told how many of the leaves
// are done. The error says that the check could not be made; damage is in the
// report. Run it in a process of its own: bbolt may fault on rotten pages.
func Check(dir string, genesis *peers.Genesis, progress func(done, size uint64)) (Report, error) {
	if progress == nil {
		progress = func(uint64, uint64) {}
	}
	generation, err := readCurrent(dir)
	if err != nil {
		return Report{}, err
	}
	if generation == 0 {
		return Report{}, fmt.Errorf("store: %s holds no store: %w", dir, exchange.ErrNotFound)
	}
	if _, err := os.Stat(generationDir(dir, generation)); errors.Is(err, fs.ErrNotExist) {
		return Report{Damage: []error{fmt.Errorf("store: %s is damaged: it names generation %d, which is not there", filepath.Join(dir, fileCurrent), generation)}}, nil
	}
	config := &Config{Dir: dir, Genesis: genesis, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	st, err := loadState(generationDir(dir, generation), config, true)
	if errors.Is(err, ErrInUse) {
		return Report{}, err
	}
	if err != nil {
		return Report{Damage: []error{err}}, nil
	}
	c := &check{state: st, progress: progress, origins: map[peers.Region]last{}}
	c.report.Size = st.durable.size
	c.run()
	c.found(st.closeFiles())
	return c.report, nil
}

// check is one run.
type check struct {
	state    *state
	progress func(done, size uint64)
	report   Report

	origins  map[peers.Region]last
	governed []uint64
	next     uint64 // leaf
	stream   uint64
}

func (c *check) found(err error) {
	if err != nil {
		c.report.Damage = append(c.report.Damage, err)
	}
}

// inSegment names the file that a damaged batch lies in.
func (c *check) inSegment(r *row, err error) {
	c.found(fmt.Errorf("%s: %w", c.state.segments.name(r.segment), err))
}

func (c *check) run() {
	defer func() {
		if r := recover(); r != nil {
			c.found(fmt.Errorf("store: the index state.db is damaged: %v", r))
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	c.found(c.state.db.View(func(tx *bolt.Tx) error {
		c.batches(tx)
		c.lists(tx)
		return nil
	}))
	c.tree()
	if c.report.OK() {
		// bbolt's own check looks at what no look-up reaches: free pages.
		c.found(c.state.db.View(func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				c.found(fmt.Errorf("store: bbolt: %w", err))
			}
			return nil
		}))
	}
}

// batches walks the index in order of leaves.
func (c *check) batches(tx *bolt.Tx) {
	cursor := tx.Bucket(bucketBatches).Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		r, err := parseRow(k, v)
		if err != nil {
			c.found(&DamageError{c.next, err.Error()})
			continue
		}
		if r.first != c.next || r.stream != c.stream {
			c.found(&DamageError{c.next, "state.db skips to the batch at " + fmt.Sprint(r.first)})
		}
		c.next, c.stream = r.first+uint64(r.n), r.stream+4+uint64(r.length)
		c.report.Batches++
		c.batch(tx, &r)
		c.progress(c.next, c.report.Size)
	}
	p := &c.state.durable
	if c.next != p.size || c.stream != p.stream || c.report.Batches != p.batches {
		c.found(fmt.Errorf("store: the index state.db is damaged: it ends at entry %d of %d", c.next, p.size))
	}
}

func (c *check) batch(tx *bolt.Tx, r *row) {
	before, at := c.origins[r.origin], last{r.seq, r.preamble, c.origins[r.origin].anchored}
	c.origins[r.origin] = at
	first, err := get(tx.Bucket(bucketSequences), sequenceKey(r.origin, r.seq))
	if err != nil || len(first) != 8 || binary.BigEndian.Uint64(first) != r.first {
		c.found(&DamageError{r.first, "state.db, the index of batch numbers"})
	}
	b, err := c.state.readBatch(r)
	if err != nil {
		c.inSegment(r, err)
		return
	}
	p := &b.Preamble
	if p.Origin != r.origin || p.Seq != r.seq || p.Seq != before.seq+1 || p.Previous != before.preamble {
		c.found(&DamageError{r.first, "its batch does not follow the origin's previous one"})
	}
	if !c.signed(&b, r.first) {
		c.found(&DamageError{r.first, "the signature of its batch"})
	}
	leaves := ledger.LeafHashes(r.n, func(i int) []byte { return b.Items[i].Header })
	if ledger.RootOf(leaves) != p.Root {
		c.found(&DamageError{r.first, "the root of its batch"})
	}
	c.entries(tx, r)
}

// signed judges a batch by the keys of its own place, as Apply has: the origin
// may have changed its key since.
func (c *check) signed(b *exchange.Batch, first uint64) bool {
	directory, err := c.state.directoryAt(first)
	if err != nil {
		return false
	}
	key, ok := directory.BatchKey(b.Preamble.Origin, b.Preamble.Key)
	return ok && key.Verify(sm.LabelBatch, c.state.ledger, b.RawPreamble, b.Signature) == nil
}

// entries names each damaged entry of a batch.
func (c *check) entries(tx *bolt.Tx, r *row) {
	end := r.first + uint64(r.n)
	for from := r.first; from < end; {
		entries, err := c.state.appendEntries(nil, r, from, end)
		if err == nil {
			c.gone(tx, entries)
			return
		}
		c.inSegment(r, err)
		var d *DamageError
		if !errors.As(err, &d) || d.Index < from {
			return
		}
		from = d.Index + 1
	}
}

// gone compares erased bits with the list of erased entries.
func (c *check) gone(tx *bolt.Tx, entries []exchange.Entry) {
	list := tx.Bucket(bucketErased)
	for i := range entries {
		e := &entries[i]
		if e.Header.Kind == peers.KindAnchor && e.Header.Class == exchange.ClassGovernance {
			c.anchored(e)
		} else if e.Header.Class == exchange.ClassGovernance {
			c.governed = append(c.governed, e.Index)
		}
		key := key64(e.Index)
		sealed := list.Get(key)
		if (sealed != nil) != (e.Body == nil) {
			c.found(&DamageError{e.Index, "state.db, the list of erased entries, disagrees"})
		}
		if sealed == nil {
			continue
		}
		c.report.Erased++
		if _, _, err := parseErased(key, sealed); err != nil {
			c.found(&DamageError{e.Index, err.Error()})
		}
	}
}

func (c *check) anchored(e *exchange.Entry) {
	at := c.origins[e.Header.Origin]
	a, err := peers.TakeAnchor(at.anchored, e.Index, e.Body)
	if err != nil {
		c.found(&DamageError{e.Index, err.Error()})
		return
	}
	at.anchored = a.Size
	c.origins[e.Header.Origin] = at
}

// lists compares what is kept besides the batches with what follows from them.
func (c *check) lists(tx *bolt.Tx) {
	if !maps.Equal(c.origins, c.state.origins) {
		c.found(errors.New("store: the index state.db is damaged: last batches of the origins"))
	}
	var listed []uint64
	c.found(tx.Bucket(bucketGovernance).ForEach(func(k, _ []byte) error {
		listed = append(listed, binary.BigEndian.Uint64(k))
		return nil
	}))
	if c.report.OK() && !slices.Equal(listed, c.governed) {
		c.found(errors.New("store: the index state.db is damaged: list of governance entries"))
	}
}

// tree builds the tree again from the leaf hashes, which the entries were
// compared with, and compares every stored node.
func (c *check) tree() {
	tree := ledger.NewTree()
	var at tileKey
	var hashes []sm.Digest
	compare := func(n ledger.Node) {
		if n.Level == 0 || n.Level%tileHeight != 0 {
			return
		}
		key := tileKey{uint8(n.Level / tileHeight), n.Index / tileWidth}
		if key != at {
			var err error
			hashes, err = c.state.tiles.hashes(key)
			c.found(err)
			at = key
		}
		if i := n.Index % tileWidth; i >= uint64(len(hashes)) || hashes[i] != n.Hash {
			c.found(&DamageError{n.Index << n.Level, fmt.Sprintf("state.db, tree node %d/%d", n.Level, n.Index)})
		}
	}
	for tree.Size() < c.report.Size {
		leaves, err := c.state.tiles.leaves(tree.Size(), min(tree.Size()+tileWidth, c.report.Size))
		if err != nil {
			c.found(&DamageError{tree.Size(), err.Error()})
			return
		}
		for _, leaf := range leaves {
			c.found(tree.Append(leaf, compare))
		}
	}
	c.report.Root = tree.Root()
	if c.report.Root != c.state.durable.root {
		c.found(errors.New("store: the tree does not have the root that state.db says"))
	}
}
