package peers

import (
	"bytes"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// cosigned is a checkpoint of the council's ledger by three founders.
func (c *council) cosigned(founders []founder) Checkpoint {
	cp := Checkpoint{Ledger: c.d.Ledger(), Size: c.d.Next(), Root: sm.Sum([]byte("root")), Directory: c.d.Root()}
	for _, f := range founders[:3] {
		cp = cp.With(must(cp.Cosign(f.Region, f.witness, time.Unix(1_790_000_000, 0))))
	}
	return cp
}

// Whoever was away while node and witness keys were rotated learns the new ones
// from the genesis and what anybody tells it.
func TestChain(t *testing.T) {
	c, founders := newCouncil(t), fourFounders(t)
	g := signedGenesis(t)
	before := c.d.Witnesses()
	witness := signing[sm.Witness]("fresh witness")
	c.must(must(Change{Change: ChangeKeyAdd, Region: "140000", Purpose: "witness", Key: witness.Public().Bytes()}.Prove(c.d.Ledger(), witness)))
	handover := must(NewHandover(before, c.d.Witnesses(), c.d.Records(), c.cosigned(founders)))
	node := signing[sm.Node]("fresh node")
	c.must(must(Change{
		Change: ChangeKeyAdd, Region: "140000", Purpose: "node", Node: "140000-1", Key: node.Public().Bytes(),
	}.Prove(c.d.Ledger(), node)))
	chain := Chain{
		Checkpoint: string(c.cosigned(founders).Marshal()), Handovers: []Handover{handover}, Roster: must(c.d.MarshalBinary()),
	}
	raw := must(chain.Marshal())
	r, err := JudgeChain(&g, raw)
	if err != nil || r.Size != c.d.Next() || r.Root() != c.d.Root() || r.Ledger() != g.LedgerID() {
		t.Fatalf("size %d, %v", r.Size, err)
	}
	if keys := r.NodeKeys("140000-1"); len(keys) != 2 || !keys[1].Equal(node.Public()) {
		t.Error("the new node key is not in it")
	}
	if at := handoverSize(t, handover); !r.WitnessesAt(at).Equal(before) || !r.WitnessesAt(at+1).Equal(c.d.Witnesses()) {
		t.Errorf("the witnesses do not change behind %d", at)
	}
	since := c.d.Next()
	if old, both := r.NodeKeysAt("140000-1", since-1), r.NodeKeysAt("140000-1", since); len(old) != 1 || len(both) != 2 {
		t.Errorf("%d node keys before the new one, %d from then on", len(old), len(both))
	}

	for name, spoil := range map[string]func(*Chain){
		"an older roster": func(o *Chain) { o.Roster = must(newDirectory(t).MarshalBinary()) },
		"two cosignatures": func(o *Chain) {
			cp := c.cosigned(founders)
			cp.Cosignatures = cp.Cosignatures[:2]
			o.Checkpoint = string(cp.Marshal())
		},
		"no checkpoint":           func(c *Chain) { c.Checkpoint = "" },
		"another directory's":     func(o *Chain) { cp := c.cosigned(founders); cp.Directory[0] ^= 1; o.Checkpoint = string(cp.Marshal()) },
		"somebody else's founder": func(o *Chain) { o.Handovers = []Handover{handover, handover} },
	} {
		bad := chain
		spoil(&bad)
		if _, err := JudgeChain(&g, must(bad.Marshal())); err == nil {
			t.Errorf("%s: believed", name)
		}
	}
}

func handoverSize(t *testing.T, h Handover) uint64 {
	t.Helper()
	return must(ParseCheckpoint([]byte(h.Checkpoint))).Size
}

func FuzzJudgeChain(f *testing.F) {
	g := signedGenesis(f)
	f.Add(must(Chain{Checkpoint: "x", Roster: must(newDirectory(f).MarshalBinary())}.Marshal()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := JudgeChain(&g, bytes.Clone(raw)); err == nil && r.Roster == nil {
			t.Fatal("neither a roster nor an error")
		}
	})
}
