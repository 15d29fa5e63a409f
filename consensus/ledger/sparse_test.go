package ledger

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func blinded(secret string) Blinder {
	return func(purpose string, place []byte) sm.Digest { return sm.HMAC([]byte(secret), []byte(purpose), place) }
}

// pairs are n leaves, ascending.
func pairs(n int) []SparseLeaf {
	var leaves []SparseLeaf
	for i := range n {
		name := binary.BigEndian.AppendUint64(nil, uint64(i))
		leaves = append(leaves, SparseLeaf{Key: sm.Sum(name), Value: sm.Sum(name, name)})
	}
	slices.SortFunc(leaves, func(a, b SparseLeaf) int { return slices.Compare(a.Key[:], b.Key[:]) })
	return leaves
}

func sparse(n int, secret string) *SparseTree { return NewSparseTree(pairs(n), blinded(secret)) }

func TestEachKeyHasOneValue(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 300, 5000} {
		tree := sparse(n, "secret")
		root := tree.Root()
		for i := 0; i < n; i += max(1, n/100) {
			leaf := tree.leaves[i]
			path, ok := tree.Path(leaf.Key)
			if !ok || VerifySparse(leaf, path, root) != nil {
				t.Fatalf("%d of %d: not shown", i, n)
			}
			for name, bad := range map[string]SparseLeaf{
				"another value": {leaf.Key, sm.Digest{1}}, "another key": {sm.Digest{1}, leaf.Value},
			} {
				if VerifySparse(bad, path, root) == nil {
					t.Fatalf("%d of %d: %s is shown", i, n, name)
				}
			}
			for j := range path {
				spoilt := slices.Clone(path)
				spoilt[j][0] ^= 1
				if VerifySparse(leaf, spoilt, root) == nil || VerifySparse(leaf, path[:j], root) == nil {
					t.Fatalf("%d of %d: a spoilt path shows it", i, n)
				}
			}
		}
		if _, ok := tree.Path(sm.Digest{7}); ok {
			t.Fatal("a key that is not there has a path")
		}
	}
}

// Two trees that differ in one value agree in all that does not concern it, and
// without the secret nothing can be compared at all.
func TestRootsFollowPairsAndSecret(t *testing.T) {
	tree := sparse(100, "secret")
	root := tree.Root()
	if sparse(100, "another").Root() == root {
		t.Error("the secret makes no difference")
	}
	if sparse(99, "secret").Root() == root {
		t.Error("a pair makes no difference")
	}
	leaves := pairs(100)
	key := leaves[50].Key
	before, _ := tree.Path(key)
	leaves[50].Value[0] ^= 1
	tree = NewSparseTree(leaves, blinded("secret"))
	after, _ := tree.Path(key)
	if tree.Root() == root || !slices.Equal(before, after) {
		t.Error("a value changes the root, and not what lies beside its way")
	}
	if sparse(0, "secret").Root() == sparse(0, "another").Root() {
		t.Error("an empty tree is known by its root")
	}
}

// How deep a leaf lies tells little of its neighbours: leaves that are alone at
// one depth end at several.
func TestDepthIsBlurred(t *testing.T) {
	depths := map[int]bool{}
	for i := range 64 {
		key := sm.Sum([]byte{byte(i)})
		path, _ := NewSparseTree([]SparseLeaf{{Key: key}}, blinded("secret")).Path(key)
		depths[len(path)] = true
	}
	if len(depths) != sparsePad+1 {
		t.Errorf("lonely leaves end at %d depths", len(depths))
	}
}

// The whole tree is computed for each anchor, one path for each statement.
func BenchmarkSparse(b *testing.B) {
	leaves := pairs(10_000)
	b.Run("tree", func(b *testing.B) {
		for b.Loop() {
			NewSparseTree(leaves, blinded("secret"))
		}
		b.ReportMetric(float64(len(leaves)*b.N)/b.Elapsed().Seconds(), "subjects/s")
	})
	b.Run("path", func(b *testing.B) {
		tree := NewSparseTree(leaves, blinded("secret"))
		for b.Loop() {
			tree.Path(leaves[5000].Key)
		}
	})
}
