package peers

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func TestDirectoryVectors(t *testing.T) {
	d := register(t, newDirectory(t), 3, "120000", police, agencyKey("vector"))
	golden(t, "roster.hex", hexLine(must(d.MarshalBinary())))
	golden(t, "roster.root", fmt.Appendf(nil, "%s\n", d.Root()))
}

// Every key of every member can be shown under the root, and nothing else.
func TestProveKeys(t *testing.T) {
	d := newDirectory(t)
	for _, r := range d.Regions() {
		for _, k := range d.Keys(r) {
			proof := must(d.Prove(r, k.Purpose, k.Key.ID()))
			got, err := proof.Key(d.Root())
			if err != nil || !bytes.Equal(got.Key.Bytes(), k.Key.Bytes()) || got.Region != r || got.Purpose != k.Purpose {
				t.Fatalf("%s %s: %+v, %v", r, k.Purpose, got, err)
			}
			for name, spoil := range map[string]func(p *Proof){
				"another key":        func(p *Proof) { p.Record[20] ^= 1 },
				"another index":      func(p *Proof) { p.Index ^= 1 },
				"another size":       func(p *Proof) { p.Size++ },
				"another witness":    func(p *Proof) { p.Witnesses[0] ^= 1 },
				"a hash less":        func(p *Proof) { p.Path = p.Path[1:] },
				"a hash more":        func(p *Proof) { p.Path = append(p.Path, sm.Digest{}) },
				"a record too long":  func(p *Proof) { p.Record = make([]byte, maxRecord+1) },
				"no record":          func(p *Proof) { p.Record = nil },
				"another path":       func(p *Proof) { p.Path[0][0] ^= 1 },
				"index out of range": func(p *Proof) { p.Index = p.Size },
			} {
				bad := proof
				bad.Record, bad.Path = bytes.Clone(proof.Record), slices.Clone(proof.Path)
				spoil(&bad)
				if _, err := bad.Key(d.Root()); err == nil {
					t.Fatalf("%s: accepted", name)
				}
			}
		}
	}
	if _, err := d.Prove("120000", PurposeBatch, sm.KeyID{}); err == nil {
		t.Error("proved a key that nobody has")
	}
}

func TestWitnessesUnderTheRoot(t *testing.T) {
	d := newDirectory(t)
	set := d.Witnesses()
	if err := set.Under(d.Root(), d.Records()); err != nil {
		t.Error(err)
	}
	fewer := WitnessSet{K: set.K - 1, Keys: set.Keys}
	if fewer.Under(d.Root(), d.Records()) == nil {
		t.Error("a smaller k passes")
	}
	without := WitnessSet{K: set.K, Keys: set.Keys[1:]}
	if without.Under(d.Root(), d.Records()) == nil {
		t.Error("a set without Beijing passes")
	}
}

func TestRosterIsWhatTheRootSays(t *testing.T) {
	d := register(t, newDirectory(t), 3, "120000", police, agencyKey("vector"))
	raw := must(d.MarshalBinary())
	r := must(ParseRoster(raw))
	if r.Root() != d.Root() {
		t.Error("another root after the way")
	}
	if n, region, ok := r.NodeByID("120000-1"); !ok || region != "120000" || n.Key == nil {
		t.Error("no node of Tianjin")
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if r, err := ParseRoster(bad); err == nil && r.Root() == d.Root() {
			t.Fatalf("byte %d flipped: the same root", i)
		}
	}
}

func FuzzParseRoster(f *testing.F) {
	f.Add(must(register(f, newDirectory(f), 3, "120000", police, agencyKey("vector")).MarshalBinary()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := ParseRoster(raw)
		if err != nil {
			return
		}
		if again := must(r.MarshalBinary()); !bytes.Equal(again, raw) {
			t.Fatal("a second spelling was accepted")
		}
		for _, region := range r.Regions() {
			r.Member(region)
		}
		r.Witnesses()
		r.Root()
	})
}
