package ledger

import (
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// A Node is a node of the tree whose leaves are all there, so that its hash
// never changes again. Level 0 holds the leaf hashes; the node (level, index)
// covers the leaves [index<<level, (index+1)<<level).
type Node struct {
	Level uint
	Index uint64
	Hash  sm.Digest
}

// A NodeReader returns the hash of a completed node that Append has reported.
type NodeReader func(level uint, index uint64) (sm.Digest, error)

// ErrSize is returned for a size or an index that lies outside the tree.
var ErrSize = errors.New("ledger: outside the tree")

var ranges = compact.RangeFactory{Hash: hashChildren}

// A Tree is the right border of a growing log: at most 64 hashes, whatever the
// size. It is not safe for concurrent use.
type Tree struct{ border *compact.Range }

// NewTree returns the empty tree.
func NewTree() *Tree { return &Tree{border: ranges.NewEmptyRange(0)} }

// OpenTree returns the tree of the given size, its border read from the nodes
// that were stored as it grew.
func OpenTree(size uint64, read NodeReader) (*Tree, error) {
	border, err := readRange(size, read)
	if err != nil {
		return nil, err
	}
	return &Tree{border: border}, nil
}

// Append adds the next leaf and reports, from the leaf upwards, each node that
// it completes: one for every leaf and one for every inner node, about two a
// leaf.
func (t *Tree) Append(leaf sm.Digest, completed func(Node)) error {
	var visit compact.VisitFn
	if completed != nil {
		visit = func(id compact.NodeID, hash []byte) {
			completed(Node{Level: id.Level, Index: id.Index, Hash: sm.Digest(hash)})
		}
	}
	if err := t.border.Append(leaf[:], visit); err != nil {
		return fmt.Errorf("ledger: append at %d: %w", t.Size(), err)
	}
	return nil
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.border.End() }

// Root returns the root at the present size.
func (t *Tree) Root() sm.Digest {
	root, err := rootOf(t.border)
	if err != nil {
		// A range that starts at 0 always has a root; a Tree is made only
		// with such ranges.
		return sm.Digest{}
	}
	return root
}

// RootAt returns the root that the tree had at the given size.
func RootAt(size uint64, read NodeReader) (sm.Digest, error) {
	border, err := readRange(size, read)
	if err != nil {
		return sm.Digest{}, err
	}
	return rootOf(border)
}

// RootOf returns the root of a small tree whose leaves are at hand, such as
// the tree of a batch.
func RootOf(leaves []sm.Digest) sm.Digest {
	if len(leaves) == 0 {
		return EmptyRoot()
	}
	// Hashes level by level in one copy of the leaves. An odd node at the end
	// of a level moves up unhashed, which is RFC 6962's split at the largest
	// power of two.
	level := append([]sm.Digest(nil), leaves...)
	for len(level) > 1 {
		pairs := len(level) / 2
		sm.SumEach(level[:pairs], func(b []byte, i int) []byte {
			return appendNode(b, level[2*i], level[2*i+1])
		})
		level = append(level[:pairs], level[2*pairs:]...)
	}
	return level[0]
}

func rootOf(border *compact.Range) (sm.Digest, error) {
	if border.End() == 0 {
		return EmptyRoot(), nil
	}
	root, err := border.GetRootHash(nil)
	if err != nil {
		return sm.Digest{}, fmt.Errorf("ledger: root: %w", err)
	}
	return sm.Digest(root), nil
}

func readRange(size uint64, read NodeReader) (*compact.Range, error) {
	hashes, err := readNodes(compact.RangeNodes(0, size, nil), read)
	if err != nil {
		return nil, err
	}
	border, err := ranges.NewRange(0, size, hashes)
	if err != nil {
		return nil, fmt.Errorf("ledger: border at %d: %w", size, err)
	}
	return border, nil
}

func readNodes(ids []compact.NodeID, read NodeReader) ([][]byte, error) {
	hashes := make([][]byte, len(ids))
	for i, id := range ids {
		d, err := read(id.Level, id.Index)
		if err != nil {
			return nil, fmt.Errorf("ledger: node %d/%d: %w", id.Level, id.Index, err)
		}
		hashes[i] = d[:]
	}
	return hashes, nil
}
