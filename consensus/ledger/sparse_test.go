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

// sparse is a tree of n pairs.
func sparse(n int, secret string) SparseTree {
	t := SparseTree{Blind: blinded(secret)}
	for i := range n {
		name := binary.BigEndian.AppendUint64(nil, uint64(i))
		t.Leaves = append(t.Leaves, SparseLeaf{Key: sm.Sum(name), Value: sm.Sum(name, name)})
	}
	slices.SortFunc(t.Leaves, func(a, b SparseLeaf) int { return slices.Compare(a.Key[:], b.Key[:]) })
	return t
}

func TestEachKeyHasOneValue(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 300} {
		tree := sparse(n, "secret")
		root := tree.Root()
		for i, leaf := range tree.Leaves {
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
	key := tree.Leaves[50].Key
	before, _ := tree.Path(key)
	tree.Leaves[50].Value[0] ^= 1
	after, _ := tree.Path(key)
	if tree.Root() == root || !slices.Equal(before, after) {
		t.Error("a value changes the root, and not what lies beside its way")
	}
	if (SparseTree{Blind: blinded("secret")}).Root() == (SparseTree{Blind: blinded("another")}).Root() {
		t.Error("an empty tree is known by its root")
	}
}

// How deep a leaf lies tells little of its neighbours: leaves that are alone at
// one depth end at several.
func TestDepthIsBlurred(t *testing.T) {
	tree := sparse(1, "secret")
	depths := map[int]bool{}
	for i := range 64 {
		one := SparseTree{Leaves: []SparseLeaf{{Key: sm.Sum([]byte{byte(i)})}}, Blind: tree.Blind}
		path, _ := one.Path(one.Leaves[0].Key)
		depths[len(path)] = true
	}
	if len(depths) != sparsePad+1 {
		t.Errorf("lonely leaves end at %d depths", len(depths))
	}
}

func BenchmarkSparseRoot(b *testing.B) {
	tree := sparse(10_000, "secret")
	for b.Loop() {
		tree.Root()
	}
	b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "subjects/s")
}
