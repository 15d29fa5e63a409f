package exchange

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
)

// witnesses are four regions with their witness keys, and a ledger of leaves.
type witnesses struct {
	t         testing.TB
	directory *peers.Directory
	keys      map[peers.Region]*sm.WitnessKey
	leaves    []sm.Digest
}

func newWitnesses(t testing.TB) *witnesses {
	t.Helper()
	c := consortium.Found("110000", "120000", "130000", "140000")
	w := &witnesses{t: t, keys: c.Witness, directory: c.Directory()}
	for i := range 20 {
		w.leaves = append(w.leaves, ledger.LeafHash([]byte{byte(i)}))
	}
	return w
}

// checkpoint is one of the leaves, cosigned by these.
func (w *witnesses) checkpoint(leaves []sm.Digest, by ...peers.Region) peers.Checkpoint {
	w.t.Helper()
	c := peers.Checkpoint{Ledger: w.directory.Ledger(), Size: uint64(len(leaves)), Root: ledger.RootOf(leaves), Directory: w.directory.Root()}
	for _, r := range by {
		line, err := c.Cosign(r, w.keys[r], time.Unix(1_778_040_000, 0))
		if err != nil {
			w.t.Fatal(err)
		}
		c = c.With(line)
	}
	return c
}

// path is the consistency proof from a size to that of the leaves.
func (w *witnesses) path(from int, leaves []sm.Digest) []sm.Digest {
	w.t.Helper()
	tree, nodes := ledger.NewTree(), map[[2]uint64]sm.Digest{}
	for _, leaf := range leaves {
		if err := tree.Append(leaf, func(n ledger.Node) { nodes[[2]uint64{uint64(n.Level), n.Index}] = n.Hash }); err != nil {
			w.t.Fatal(err)
		}
	}
	path, err := ledger.Consistency(uint64(from), uint64(len(leaves)), func(level uint, index uint64) (sm.Digest, error) {
		h, ok := nodes[[2]uint64{uint64(level), index}]
		if !ok {
			return h, errors.New("no such node")
		}
		return h, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return path
}

func TestASnapshotIsShownToBeTheWitnessedLedger(t *testing.T) {
	w := newWitnesses(t)
	root := ledger.RootOf(w.leaves[:13])
	for size, proof := range map[int]SnapshotProof{
		20: {w.checkpoint(w.leaves, "110000", "130000", "140000"), w.path(13, w.leaves)},
		13: {w.checkpoint(w.leaves[:13], "110000", "120000", "130000", "140000"), nil},
	} {
		raw, err := proof.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		read, err := ParseSnapshotProof(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := read.Verify(13, root, w.directory); err != nil {
			t.Errorf("by a checkpoint of %d: %v", size, err)
		}
		if len(raw) > 2<<10 {
			t.Errorf("%d bytes", len(raw))
		}
	}
}

// What one region, or two, or a stranger could make up about a ledger.
func TestAPoisonedSnapshotHasNoProof(t *testing.T) {
	w, strangers := newWitnesses(t), newWitnesses(t)
	forged := append([]sm.Digest(nil), w.leaves...)
	forged[3] = ledger.LeafHash([]byte("forged"))
	root, forgedRoot := ledger.RootOf(w.leaves[:13]), ledger.RootOf(forged[:13])
	honest := SnapshotProof{w.checkpoint(w.leaves, "110000", "120000", "130000"), w.path(13, w.leaves)}
	all := []peers.Region{"110000", "120000", "130000", "140000"}

	other := honest
	other.Checkpoint.Directory = sm.Sum([]byte("another"))
	for name, c := range map[string]struct {
		proof SnapshotProof
		root  sm.Digest
	}{
		"another ledger under a witnessed checkpoint": {honest, forgedRoot},
		"its own checkpoint, cosigned by two":         {SnapshotProof{w.checkpoint(forged, "110000", "120000"), w.path(13, forged)}, forgedRoot},
		"its own checkpoint, cosigned by strangers":   {SnapshotProof{strangers.checkpoint(forged, all...), w.path(13, forged)}, forgedRoot},
		"a checkpoint that does not cover it":         {SnapshotProof{w.checkpoint(w.leaves[:12], all...), nil}, root},
		"a path of another ledger":                    {SnapshotProof{honest.Checkpoint, w.path(13, forged)}, forgedRoot},
		"a path that is too short":                    {SnapshotProof{honest.Checkpoint, honest.Path[1:]}, root},
		"another directory in the checkpoint":         {other, root},
	} {
		if err := c.proof.Verify(13, c.root, w.directory); err == nil {
			t.Errorf("%s: believed", name)
		}
	}
	if err := honest.Verify(13, root, w.directory); err != nil {
		t.Errorf("the honest one: %v", err)
	}
}

func FuzzSnapshotProof(f *testing.F) {
	w := newWitnesses(f)
	raw, err := SnapshotProof{w.checkpoint(w.leaves, "110000", "120000", "130000"), w.path(13, w.leaves)}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:40])
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParseSnapshotProof(raw)
		if err != nil {
			return
		}
		if again, err := p.Marshal(); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("two spellings of a proof: %v", err)
		}
		_ = p.Verify(13, sm.Digest{}, w.directory)
	})
}
