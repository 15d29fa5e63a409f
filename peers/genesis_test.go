package peers

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func TestParseRegion(t *testing.T) {
	for text, ok := range map[string]bool{
		"120000": true, "659001": true, "100000": true,
		"": false, "12000": false, "1200000": false, "020000": false,
		"12000a": false, "１２００００": false, "12000\x00": false, " 20000": false,
	} {
		if _, err := ParseRegion(text); (err == nil) != ok {
			t.Errorf("ParseRegion(%q): %v", text, err)
		}
	}
}

// Four founders join, sign one after the other, and only the last signature
// makes the genesis valid. The ledger id never moves.
func TestGenesisFromHandToHand(t *testing.T) {
	founders := fourFounders(t)
	all := members(founders)
	slices.Reverse(all)
	g, err := Join(all)
	if err != nil {
		t.Fatal(err)
	}
	if g.K != 3 {
		t.Errorf("k = %d, want 3 of 4", g.K)
	}
	ledger := g.LedgerID()
	for i, f := range founders {
		if err := g.Verify(); !errors.Is(err, ErrUnsigned) {
			t.Fatalf("with %d signatures: %v, want ErrUnsigned", i, err)
		}
		file, err := g.MarshalFile()
		if err != nil {
			t.Fatal(err)
		}
		received, err := ParseGenesis(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := received.Check(); err != nil {
			t.Fatal(err)
		}
		signed, err := received.Sign(f.Region, f.batch)
		if err != nil {
			t.Fatal(err)
		}
		if len(received.Signatures) != i {
			t.Fatal("Sign changed the genesis that it was given")
		}
		g = signed
	}
	if err := g.Verify(); err != nil {
		t.Error(err)
	}
	if g.LedgerID() != ledger {
		t.Error("signatures changed the ledger id")
	}
}

func TestGenesisVectors(t *testing.T) {
	g := signedGenesis(t)
	golden(t, "genesis.signed.hex", hexLine(g.Signed()))
	golden(t, "genesis.ledger", []byte(g.LedgerID().String()+"\n"))
	if *update { // SM2 signatures are not deterministic: the file is made once.
		golden(t, "genesis.json", must(g.MarshalFile()))
	}
	file, err := os.ReadFile("testdata/genesis.json")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := ParseGenesis(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Verify(); err != nil {
		t.Error(err)
	}
	if kept.LedgerID() != g.LedgerID() {
		t.Error("the kept genesis has another ledger id")
	}
	if again := must(kept.MarshalFile()); !bytes.Equal(again, file) {
		t.Errorf("the kept genesis is written differently:\n%s", cmp.Diff(string(file), string(again)))
	}
}

func TestQuorum(t *testing.T) {
	for n, k := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 7: 5, 10: 7} {
		if got := Quorum(n); got != k {
			t.Errorf("Quorum(%d) = %d, want %d", n, got, k)
		}
	}
}

// Two quorums share more than a third of the members, so that two checkpoints
// of one size can only both be witnessed if more than a third lie.
func TestQuorumsIntersect(t *testing.T) {
	for n := 1; n <= MaxMembers; n++ {
		if k := Quorum(n); k > n || 3*(2*k-n) <= n {
			t.Errorf("n=%d k=%d: quorums share %d", n, k, 2*k-n)
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	f := fourFounders(t)
	for name, change := range map[string]func([]Member) []Member{
		"nobody":            func([]Member) []Member { return nil },
		"a region twice":    func(m []Member) []Member { m[1] = m[0]; return m },
		"too many":          func(m []Member) []Member { return slices.Repeat(m, 9) },
		"an address twice":  func(m []Member) []Member { m[1].Node.Addr = m[0].Node.Addr; return m },
		"the same, in caps": func(m []Member) []Member { m[1].Node.Addr = strings.ToUpper(m[0].Node.Addr); return m },
		"a node key twice":  func(m []Member) []Member { m[1].Node.Key = m[0].Node.Key; return m },
		"a batch key twice": func(m []Member) []Member { m[1].Batch = m[0].Batch; return m },
		"one key, two roles": func(m []Member) []Member {
			m[1].Witness = must(sm.ParsePublic[sm.Witness](m[0].Batch.Bytes()))
			return m
		},
		"roles of one member": func(m []Member) []Member {
			m[1].Witness = must(sm.ParsePublic[sm.Witness](m[1].Batch.Bytes()))
			return m
		},
		"no witness key":      func(m []Member) []Member { m[1].Witness = nil; return m },
		"no name":             func(m []Member) []Member { m[1].Name = ""; return m },
		"a long name":         func(m []Member) []Member { m[1].Name = strings.Repeat("津", 81); return m },
		"a name in disguise":  func(m []Member) []Member { m[1].Name = "天津\u202e北京"; return m },
		"not UTF-8":           func(m []Member) []Member { m[1].Name = "\xff"; return m },
		"another's node id":   func(m []Member) []Member { m[1].Node.ID = "110000-2"; return m },
		"node id 01":          func(m []Member) []Member { m[1].Node.ID = "120000-01"; return m },
		"node id 0":           func(m []Member) []Member { m[1].Node.ID = "120000-0"; return m },
		"node id 1000":        func(m []Member) []Member { m[1].Node.ID = "120000-1000"; return m },
		"no port":             func(m []Member) []Member { m[1].Node.Addr = "gw.example"; return m },
		"port 0":              func(m []Member) []Member { m[1].Node.Addr = "gw.example:0"; return m },
		"port 65536":          func(m []Member) []Member { m[1].Node.Addr = "gw.example:65536"; return m },
		"port 08443":          func(m []Member) []Member { m[1].Node.Addr = "gw.example:08443"; return m },
		"port by name":        func(m []Member) []Member { m[1].Node.Addr = "gw.example:https"; return m },
		"no host":             func(m []Member) []Member { m[1].Node.Addr = ":8443"; return m },
		"a host with a space": func(m []Member) []Member { m[1].Node.Addr = "gw example:8443"; return m },
	} {
		if _, err := Join(change(members(f))); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	six := members(f)
	six[1].Node.Addr = "[2001:db8::12]:8443"
	if _, err := Join(six); err != nil {
		t.Errorf("IPv6: %v", err)
	}
}

func TestSignRefusesAnothersKey(t *testing.T) {
	f := fourFounders(t)
	g := must(Join(members(f)))
	if _, err := g.Sign("110000", f[1].batch); err == nil {
		t.Error("signed for Beijing with Tianjin's key")
	}
	if _, err := g.Sign("150000", f[1].batch); err == nil {
		t.Error("signed for somebody who is no founder")
	}
}

// Whatever a hand on the way changes, the signatures tell.
func TestVerifyFindsChanges(t *testing.T) {
	g := signedGenesis(t)
	stranger := newFounder(t, "120000", "天津市信用中心")
	stranger.Node.Key = must(sm.Generate[sm.Node](seeded("stranger"))).Public()
	for name, change := range map[string]func(*Genesis){
		"a name":           func(g *Genesis) { g.Members[1].Name = "天津市信用中心 " },
		"an address":       func(g *Genesis) { g.Members[1].Node.Addr = "evil.example:8443" },
		"a node key":       func(g *Genesis) { g.Members[1] = stranger.Member },
		"a member less":    func(g *Genesis) { g.Members = g.Members[:3]; g.K = 3; delete(g.Signatures, "140000") },
		"k":                func(g *Genesis) { g.K = 2 },
		"version":          func(g *Genesis) { g.Version = 2 },
		"order":            func(g *Genesis) { g.Members[0], g.Members[1] = g.Members[1], g.Members[0] },
		"a stranger signs": func(g *Genesis) { g.Signatures["150000"] = g.Signatures["110000"] },
		"swapped":          func(g *Genesis) { g.Signatures["110000"] = g.Signatures["120000"] },
		"empty signature":  func(g *Genesis) { g.Signatures["110000"] = nil },
		"a signature less": func(g *Genesis) { delete(g.Signatures, "110000") },
	} {
		changed := must(ParseGenesis(must(g.MarshalFile())))
		change(&changed)
		if changed.Verify() == nil {
			t.Errorf("%s changed: still valid", name)
		}
	}
}

// A file has one spelling, apart from white space.
func TestGenesisFileIsStrict(t *testing.T) {
	file := string(must(signedGenesis(t).MarshalFile()))
	if _, err := ParseGenesis([]byte(strings.ReplaceAll(file, "\n", "\r\n\t"))); err != nil {
		t.Errorf("white space: %v", err)
	}
	for name, text := range map[string]string{
		"empty":           "",
		"an array":        "[]",
		"trailing":        file + "{}",
		"unknown key":     strings.Replace(file, `"k": 3`, `"k": 3, "comment": ""`, 1),
		"repeated key":    strings.Replace(file, `"k": 3`, `"k": 2, "k": 3`, 1),
		"capitals":        strings.Replace(file, `"k": 3`, `"K": 3`, 1),
		"order":           strings.Replace(strings.Replace(file, `"version": 1,`, "", 1), `"k": 3`, `"k": 3, "version": 1`, 1),
		"3.0":             strings.Replace(file, `"k": 3`, `"k": 3.0`, 1),
		"escaped":         strings.Replace(file, "天", `\u5929`, 1),
		"null signatures": file[:strings.Index(file, `"signatures"`)] + `"signatures": null}`,
		"null member":     strings.Replace(file, `"members": [`, `"members": [null,`, 1),
		"a wrong role":    strings.Replace(file, `"batch": "batch:`, `"batch": "witness:`, 1),
		"too long":        file + strings.Repeat(" ", MaxGenesisFile),
	} {
		if _, err := ParseGenesis([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMemberFile(t *testing.T) {
	m := fourFounders(t)[1].Member
	file := must(m.MarshalFile())
	got, err := ParseMember(file)
	if err != nil {
		t.Fatal(err)
	}
	if again := must(got.MarshalFile()); !bytes.Equal(again, file) {
		t.Errorf("a second spelling:\n%s", again)
	}
	for name, text := range map[string]string{
		"version 2": strings.Replace(string(file), `"version": 1`, `"version": 2`, 1),
		"no key":    strings.Replace(string(file), `"witness": "`, `"witness": null, "x": "`, 1),
		"too long":  string(file) + strings.Repeat(" ", MaxMemberFile),
	} {
		if _, err := ParseMember([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Any two genesis values that differ in what is signed have different bytes.
func TestSignedIsInjective(t *testing.T) {
	base := members(fourFounders(t))[:1]
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z津]{1,8}`)
		host := rapid.StringMatching(`[a-z]{1,8}`)
		vary := func(label string) (Member, Genesis) {
			m := base[0]
			m.Name, m.Node.Addr = name.Draw(t, label+" name"), host.Draw(t, label+" host")+":1"
			return m, must(Join([]Member{m}))
		}
		a, ga := vary("a")
		b, gb := vary("b")
		same := a.Name == b.Name && a.Node.Addr == b.Node.Addr
		if bytes.Equal(ga.Signed(), gb.Signed()) != same {
			t.Fatalf("%v and %v", a, b)
		}
	})
}

// What parses is written back in the one spelling, and has a ledger id.
func FuzzParseGenesis(f *testing.F) {
	f.Add(must(signedGenesis(f).MarshalFile()))
	f.Add([]byte(`{"version":1,"k":1,"members":[],"signatures":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseGenesis(b)
		if err != nil {
			return
		}
		_ = g.Verify()
		again, err := ParseGenesis(must(g.MarshalFile()))
		if err != nil || again.LedgerID() != g.LedgerID() || g.LedgerID().IsZero() {
			t.Fatalf("%v", err)
		}
	})
}

func FuzzParseMember(f *testing.F) {
	f.Add(must(fourFounders(f)[0].MarshalFile()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseMember(b); err == nil {
			must(ParseMember(must(m.MarshalFile())))
		}
	})
}
