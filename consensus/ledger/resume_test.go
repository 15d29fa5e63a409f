package ledger

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// At every size the last leaf and its path are enough to go on: the tree has
// the same root at once and after more leaves.
func TestTreeGoesOnFromItsLastLeaf(t *testing.T) {
	leaf := func(i uint64) sm.Digest { return LeafHash(binary.BigEndian.AppendUint64(nil, i)) }
	whole := NewTree()
	var leaves []sm.Digest
	for size := uint64(1); size <= 130; size++ {
		leaves = append(leaves, leaf(size-1))
		if err := whole.Append(leaf(size-1), nil); err != nil {
			t.Fatal(err)
		}
		path, err := InclusionOf(leaves, size-1)
		if err != nil {
			t.Fatal(err)
		}
		resumed, err := TreeFrom(size, leaf(size-1), path)
		if err != nil || resumed.Root() != whole.Root() || resumed.Size() != size {
			t.Fatalf("size %d: %v", size, err)
		}
		more := append(leaves[:size:size], leaf(1000), leaf(1001))
		for _, l := range more[size:] {
			if err := resumed.Append(l, nil); err != nil {
				t.Fatal(err)
			}
		}
		if resumed.Root() != RootOf(more) {
			t.Fatalf("size %d and two more: another root", size)
		}
		if _, err := TreeFrom(size, leaf(0), append(path, sm.Digest{})); !errors.Is(err, ErrProof) {
			t.Fatalf("size %d with a hash too many: %v", size, err)
		}
	}
}
