package ledger

import "github.com/xinqiao/creditgw/crypto/sm"

var (
	leafPrefix = []byte{0}
	nodePrefix = []byte{1}
)

// LeafHash returns the hash of an entry as a leaf of the tree.
func LeafHash(entry []byte) sm.Digest { return sm.Sum(leafPrefix, entry) }

// NodeHash returns the hash of an inner node.
func NodeHash(left, right sm.Digest) sm.Digest { return sm.Sum(nodePrefix, left[:], right[:]) }

// EmptyRoot returns the root of the tree without leaves.
func EmptyRoot() sm.Digest { return sm.Sum() }

// sm3 is the hasher that transparency-dev/merkle asks for.
type sm3 struct{}

func (sm3) EmptyRoot() []byte { d := EmptyRoot(); return d[:] }

func (sm3) HashLeaf(leaf []byte) []byte { d := LeafHash(leaf); return d[:] }

func (sm3) HashChildren(left, right []byte) []byte { return hashChildren(left, right) }

func (sm3) Size() int { return sm.DigestSize }

func hashChildren(left, right []byte) []byte {
	d := sm.Sum(nodePrefix, left, right)
	return d[:]
}
