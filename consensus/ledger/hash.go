package ledger

import "github.com/xinqiao/creditgw/crypto/sm"

var leafPrefix = []byte{0}

// LeafHash returns the hash of an entry as a leaf of the tree.
func LeafHash(entry []byte) sm.Digest { return sm.Sum(leafPrefix, entry) }

// LeafHashes returns the LeafHash of each of n entries.
func LeafHashes(n int, entry func(i int) []byte) []sm.Digest {
	leaves := make([]sm.Digest, n)
	sm.SumEach(leaves, func(b []byte, i int) []byte { return append(append(b, leafPrefix...), entry(i)...) })
	return leaves
}

// NodeHash returns the hash of an inner node.
func NodeHash(left, right sm.Digest) sm.Digest {
	return sm.Sum(appendNode(make([]byte, 0, 1+2*sm.DigestSize), left, right))
}

// appendNode appends what the hash of an inner node is taken of.
func appendNode(b []byte, left, right sm.Digest) []byte {
	return append(append(append(b, 1), left[:]...), right[:]...)
}

// EmptyRoot returns the root of the tree without leaves.
func EmptyRoot() sm.Digest { return sm.Sum() }

// sm3 is the hasher that transparency-dev/merkle asks for.
type sm3 struct{}

func (sm3) EmptyRoot() []byte { d := EmptyRoot(); return d[:] }

func (sm3) HashLeaf(leaf []byte) []byte { d := LeafHash(leaf); return d[:] }

func (sm3) HashChildren(left, right []byte) []byte { return hashChildren(left, right) }

func (sm3) Size() int { return sm.DigestSize }

func hashChildren(left, right []byte) []byte {
	d := NodeHash(sm.Digest(left), sm.Digest(right))
	return d[:]
}
