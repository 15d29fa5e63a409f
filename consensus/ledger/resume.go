package ledger

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// TreeFrom returns the tree of the given size from its last leaf and that
// leaf's inclusion path in it: the path holds every other part of the border.
// Whether they are true shows only when the tree's root, now or after more
// leaves, is one that is known.
func TreeFrom(size uint64, leaf sm.Digest, path []sm.Digest) (*Tree, error) {
	within := bits.TrailingZeros64(size) // levels of the subtree that ends the border
	if size == 0 || len(path) != within+bits.OnesCount64(size)-1 {
		return nil, fmt.Errorf("%w: a path of %d hashes for size %d", ErrProof, len(path), size)
	}
	for _, left := range path[:within] {
		leaf = NodeHash(left, leaf)
	}
	hashes := [][]byte{leaf[:]}
	for i := range path[within:] {
		hashes = append(hashes, path[within+i][:])
	}
	slices.Reverse(hashes)
	border, err := ranges.NewRange(0, size, hashes)
	if err != nil {
		return nil, fmt.Errorf("ledger: border at %d: %w", size, err)
	}
	return &Tree{border: border}, nil
}
