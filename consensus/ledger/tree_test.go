package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"testing"

	"pgregory.net/rapid"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// naiveRoot is RFC 6962's definition, word for word.
func naiveRoot(leaves []sm.Digest) sm.Digest {
	switch len(leaves) {
	case 0:
		return sm.Sum()
	case 1:
		return leaves[0]
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	return NodeHash(naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
}

// naivePath is PATH(m, D[n]) of RFC 6962, section 2.1.1.
func naivePath(m int, leaves []sm.Digest) []sm.Digest {
	if len(leaves) == 1 {
		return nil
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	if m < k {
		return append(naivePath(m, leaves[:k]), naiveRoot(leaves[k:]))
	}
	return append(naivePath(m-k, leaves[k:]), naiveRoot(leaves[:k]))
}

// naiveConsistency is SUBPROOF(m, D[n], b) of RFC 6962, section 2.1.2.
func naiveConsistency(m int, leaves []sm.Digest, whole bool) []sm.Digest {
	if m == len(leaves) {
		if whole {
			return nil
		}
		return []sm.Digest{naiveRoot(leaves)}
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1)
	if m <= k {
		return append(naiveConsistency(m, leaves[:k], whole), naiveRoot(leaves[k:]))
	}
	return append(naiveConsistency(m-k, leaves[k:], false), naiveRoot(leaves[:k]))
}

// grown is a tree with its stored nodes, as the exchange's store keeps them.
type grown struct {
	tree   *Tree
	leaves []sm.Digest
	nodes  map[[2]uint64]sm.Digest
}

func grow(t testing.TB, n int) *grown {
	g := &grown{tree: NewTree(), nodes: map[[2]uint64]sm.Digest{}}
	for i := range n {
		leaf := LeafHash(fmt.Appendf(nil, "entry %d", i))
		g.leaves = append(g.leaves, leaf)
		if err := g.tree.Append(leaf, func(n Node) {
			key := [2]uint64{uint64(n.Level), n.Index}
			if _, twice := g.nodes[key]; twice {
				t.Fatalf("node %v reported twice", key)
			}
			g.nodes[key] = n.Hash
		}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func (g *grown) read(level uint, index uint64) (sm.Digest, error) {
	d, ok := g.nodes[[2]uint64{uint64(level), index}]
	if !ok {
		return d, errors.New("not stored")
	}
	return d, nil
}

func same(a, b []sm.Digest) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestRootsAgreeWithTheDefinitionAtEverySize(t *testing.T) {
	g := grow(t, 130)
	tree := NewTree()
	for n := 0; n <= len(g.leaves); n++ {
		want := naiveRoot(g.leaves[:n])
		if tree.Root() != want || tree.Size() != uint64(n) {
			t.Fatalf("size %d: growing tree has another root", n)
		}
		if got, err := RootAt(uint64(n), g.read); err != nil || got != want {
			t.Fatalf("size %d: RootAt = %s, %v", n, got, err)
		}
		if RootOf(g.leaves[:n]) != want {
			t.Fatalf("size %d: RootOf differs", n)
		}
		reopened, err := OpenTree(uint64(n), g.read)
		if err != nil || reopened.Root() != want {
			t.Fatalf("size %d: reopened tree differs, %v", n, err)
		}
		if n < len(g.leaves) {
			if err := tree.Append(g.leaves[n], nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestProofsAgreeWithTheDefinition(t *testing.T) {
	g := grow(t, 200)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 200).Draw(t, "size")
		index := rapid.IntRange(0, size-1).Draw(t, "index")
		from := rapid.IntRange(0, size).Draw(t, "from")
		leaves := g.leaves[:size]
		root := naiveRoot(leaves)

		path, err := Inclusion(uint64(index), uint64(size), g.read)
		if err != nil || !same(path, naivePath(index, leaves)) {
			t.Fatalf("inclusion of %d in %d: %v", index, size, err)
		}
		if err := VerifyInclusion(uint64(index), uint64(size), leaves[index], path, root); err != nil {
			t.Fatal(err)
		}
		small, err := InclusionOf(leaves, uint64(index))
		if err != nil || !same(small, path) {
			t.Fatalf("InclusionOf %d in %d: %v", index, size, err)
		}

		proof, err := Consistency(uint64(from), uint64(size), g.read)
		if err != nil {
			t.Fatal(err)
		}
		if from > 0 && !same(proof, naiveConsistency(from, leaves, true)) {
			t.Fatalf("consistency %d to %d differs", from, size)
		}
		before := naiveRoot(g.leaves[:from])
		if err := VerifyConsistency(uint64(from), uint64(size), proof, before, root); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAlteredProofsAreRefused(t *testing.T) {
	g := grow(t, 100)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(2, 100).Draw(t, "size")
		index := uint64(rapid.IntRange(0, size-1).Draw(t, "index"))
		root := naiveRoot(g.leaves[:size])
		path, err := Inclusion(index, uint64(size), g.read)
		if err != nil {
			t.Fatal(err)
		}
		leaf := g.leaves[index]
		switch rapid.IntRange(0, 4).Draw(t, "alteration") {
		case 0: // a bit of one hash
			path[rapid.IntRange(0, len(path)-1).Draw(t, "hash")][7] ^= 4
		case 1: // one hash too few
			path = path[1:]
		case 2: // one hash too many
			path = append(path, root)
		case 3: // another leaf
			leaf = LeafHash([]byte("never appended"))
		case 4: // another place
			index = (index + 1) % uint64(size)
		}
		if err := VerifyInclusion(index, uint64(size), leaf, path, root); !errors.Is(err, ErrProof) {
			t.Fatalf("an altered inclusion proof verifies: %v", err)
		}
	})

	proof, err := Consistency(37, 90, g.read)
	if err != nil {
		t.Fatal(err)
	}
	from, to := naiveRoot(g.leaves[:37]), naiveRoot(g.leaves[:90])
	for i := range proof {
		proof[i][0] ^= 1
		if err := VerifyConsistency(37, 90, proof, from, to); !errors.Is(err, ErrProof) {
			t.Errorf("consistency proof with hash %d altered verifies", i)
		}
		proof[i][0] ^= 1
	}
	if err := VerifyConsistency(0, 90, nil, from, to); !errors.Is(err, ErrProof) {
		t.Error("a root that is not the empty one passes for size 0")
	}
}

func TestSizesOutsideTheTreeAreRefused(t *testing.T) {
	g := grow(t, 5)
	if _, err := Inclusion(5, 5, g.read); !errors.Is(err, ErrSize) {
		t.Errorf("inclusion of leaf 5 of 5: %v", err)
	}
	if _, err := Consistency(4, 3, g.read); !errors.Is(err, ErrSize) {
		t.Errorf("consistency from 4 to 3: %v", err)
	}
	if _, err := RootAt(6, g.read); err == nil {
		t.Error("a root past the stored nodes was given")
	}
	if _, err := InclusionOf(nil, 0); !errors.Is(err, ErrSize) {
		t.Errorf("inclusion in an empty batch: %v", err)
	}
}

// The vectors of docs/formats/tree.md.
func TestVectors(t *testing.T) {
	for _, v := range []struct {
		size int
		root string
	}{
		{0, "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"},
		{1, "af83a966222057ac761246a7543c580d9111014f4e5e3cb1281db33151160335"},
		{2, "a2aeb70489c194c619e9183b17f213bb90d739f2a0d966b1ec6f7be9602723e4"},
		{3, "8d9a0a05b4b675d107412b72426a3e29940c28e8d847718f0d42dbaf0feb7a1c"},
		{7, "a277130053cebb4f5cccfd9cbe98c6a0ba732dce3a481f1d7c7f40f67f8449fc"},
	} {
		var leaves []sm.Digest
		for i := range v.size {
			leaves = append(leaves, LeafHash([]byte{byte(i)}))
		}
		root := RootOf(leaves)
		if got := hex.EncodeToString(root[:]); got != v.root {
			t.Errorf("size %d: root %s, want %s", v.size, got, v.root)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(uint64(3), uint64(7), make([]byte, 96))
	f.Add(uint64(0), uint64(0), []byte{})
	f.Add(^uint64(0), ^uint64(0), make([]byte, 64*32))
	f.Fuzz(func(t *testing.T, a, b uint64, raw []byte) {
		path := make([]sm.Digest, 0, len(raw)/32)
		for ; len(raw) >= 32; raw = raw[32:] {
			path = append(path, sm.Digest(raw[:32]))
		}
		// Roots that nobody can have a preimage of: any proof is false,
		// except that equal sizes with equal roots need none.
		root, other := sm.Sum([]byte("a")), sm.Sum([]byte("b"))
		if VerifyInclusion(a, b, other, path, root) == nil {
			t.Error("inclusion proven in a tree that does not exist")
		}
		if VerifyConsistency(a, b, path, other, root) == nil {
			t.Error("consistency proven between trees that do not exist")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	tree := NewTree()
	leaf := LeafHash(make([]byte, 300))
	var stored int
	b.ReportAllocs()
	for b.Loop() {
		if err := tree.Append(leaf, func(Node) { stored++ }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRootOfBatch(b *testing.B) {
	leaves := make([]sm.Digest, 256)
	for i := range leaves {
		leaves[i] = LeafHash([]byte{byte(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		RootOf(leaves)
	}
}
