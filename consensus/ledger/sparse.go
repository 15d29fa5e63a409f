package ledger

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// A sparse tree maps keys to values: the place of a leaf is the bits of its
// key, from the first on, as many as it takes to be alone, and a few more. Its
// root fixes one value for each key. Whoever is shown one pair learns nothing of
// the others: a part without leaves looks like any other hash, and how deep a
// leaf lies depends on a secret too. docs/formats/statement.md has diagrams.

// A SparseLeaf is one pair. The value must be a commitment that nobody can guess.
type SparseLeaf struct{ Key, Value sm.Digest }

// A Blinder derives from a secret what stands in the place of an empty part. It
// must be a function of its arguments and look random to whoever lacks the
// secret.
type Blinder func(purpose string, place []byte) sm.Digest

// sparsePad is the mask of how many levels a leaf is pushed further down.
const sparsePad = 3

// partBits is the depth at which a tree keeps the hashes of its parts: a path
// costs the leaves of one part and not of all.
const partBits = 10

// SparseTree is a tree over leaves that ascend by key, each once. It is
// immutable and safe for concurrent use.
type SparseTree struct {
	leaves []SparseLeaf
	blind  Blinder
	parts  map[sm.Digest]sm.Digest // by the first partBits bits of their keys
	root   sm.Digest
}

// NewSparseTree computes the whole tree once.
func NewSparseTree(leaves []SparseLeaf, blind Blinder) *SparseTree {
	t := &SparseTree{leaves: leaves, blind: blind, parts: map[sm.Digest]sm.Digest{}}
	for rest := leaves; len(rest) > 0; {
		prefix := first(rest[0].Key, partBits)
		n := 1
		for n < len(rest) && first(rest[n].Key, partBits) == prefix {
			n++
		}
		if n > 1 {
			t.parts[prefix] = t.compute(rest[:n], prefix, partBits)
		}
		rest = rest[n:]
	}
	t.root = t.node(leaves, sm.Digest{}, 0)
	return t
}

// Root fixes the whole map.
func (t *SparseTree) Root() sm.Digest { return t.root }

// Path shows the pair of a key under the root: the hashes beside its way, lowest
// first. It is false when the key has none.
func (t *SparseTree) Path(key sm.Digest) ([]sm.Digest, bool) {
	leaves, depth := t.leaves, 0
	var path []sm.Digest
	for ; len(leaves) > 1; depth++ {
		left, right := split(leaves, depth)
		if bit(key, depth) == 1 {
			left, right = right, left
		}
		path = append(path, t.node(right, flipped(key, depth), depth+1))
		leaves = left
	}
	if len(leaves) == 0 || leaves[0].Key != key {
		return nil, false
	}
	for end := t.end(key, depth); depth < end; depth++ {
		path = append(path, t.empty(flipped(key, depth), depth+1))
	}
	slices.Reverse(path)
	return path, true
}

// VerifySparse checks that the tree with this root has the pair.
func VerifySparse(leaf SparseLeaf, path []sm.Digest, root sm.Digest) error {
	if len(path) > 8*sm.DigestSize {
		return fmt.Errorf("%w: a path of %d levels", ErrProof, len(path))
	}
	hash := leaf.hash()
	for i, beside := range path {
		hash = join(hash, beside, bit(leaf.Key, len(path)-1-i))
	}
	if hash != root {
		return fmt.Errorf("%w: the key has not this value in the tree", ErrProof)
	}
	return nil
}

// node is the hash of the part of the tree with these leaves, whose keys begin
// with the first depth bits of prefix.
func (t *SparseTree) node(leaves []SparseLeaf, prefix sm.Digest, depth int) sm.Digest {
	if depth == partBits && len(leaves) > 1 {
		return t.parts[first(prefix, partBits)]
	}
	return t.compute(leaves, prefix, depth)
}

func (t *SparseTree) compute(leaves []SparseLeaf, prefix sm.Digest, depth int) sm.Digest {
	switch len(leaves) {
	case 0:
		return t.empty(prefix, depth)
	case 1:
		key := leaves[0].Key
		hash := leaves[0].hash()
		for end := t.end(key, depth); end > depth; end-- {
			hash = join(hash, t.empty(flipped(key, end-1), end), bit(key, end-1))
		}
		return hash
	}
	left, right := split(leaves, depth)
	l := t.node(left, with(prefix, depth, 0), depth+1)
	return join(l, t.node(right, with(prefix, depth, 1), depth+1), 0)
}

// end is where a leaf lies that is alone at a depth.
func (t *SparseTree) end(key sm.Digest, depth int) int {
	return min(depth+int(t.blind("depth", key[:])[0]&sparsePad), 8*sm.DigestSize)
}

func (t *SparseTree) empty(prefix sm.Digest, depth int) sm.Digest {
	prefix = first(prefix, depth) // what lies below the part is no part of its name
	return t.blind("empty", binary.BigEndian.AppendUint16(prefix[:], uint16(depth)))
}

// The first bytes keep the hashes of this tree apart from those of RFC 6962.
func (l SparseLeaf) hash() sm.Digest { return sm.Sum([]byte{2}, l.Key[:], l.Value[:]) }

// join puts a hash on the side that a bit says.
func join(hash, beside sm.Digest, side int) sm.Digest {
	if side == 1 {
		hash, beside = beside, hash
	}
	return sm.Sum([]byte{3}, hash[:], beside[:])
}

// split divides leaves by one bit of their keys.
func split(leaves []SparseLeaf, depth int) (left, right []SparseLeaf) {
	i, _ := slices.BinarySearchFunc(leaves, 1, func(l SparseLeaf, one int) int { return bit(l.Key, depth) - one })
	return leaves[:i], leaves[i:]
}

func bit(key sm.Digest, i int) int { return int(key[i/8]>>(7-i%8)) & 1 }

func with(key sm.Digest, i, value int) sm.Digest {
	key[i/8] = key[i/8]&^(0x80>>(i%8)) | byte(value<<(7-i%8))
	return key
}

// first keeps the first n bits of a key.
func first(key sm.Digest, n int) sm.Digest {
	if n%8 != 0 {
		key[n/8] &= 0xff << (8 - n%8)
		n += 8 - n%8
	}
	clear(key[n/8:])
	return key
}

func flipped(key sm.Digest, i int) sm.Digest { return with(key, i, 1-bit(key, i)) }
