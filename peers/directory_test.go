package peers

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	// Of made-up agencies, with the check characters that GB 32100 gives.
	police    = "11120000000125671D"
	transport = "11120000000186458B"
)

func newDirectory(tb testing.TB) *Directory {
	tb.Helper()
	g := signedGenesis(tb)
	d, err := NewDirectory(&g)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// claim is what the holder of a key claims on the ledger of d.
func claim(d *Directory, r Region, uscc, label string, key *sm.AgencyKey) AgencyClaim {
	c := AgencyClaim{Region: r, USCC: uscc, Name: "某机关", Label: label, Key: key.Public()}
	return must(c.Prove(d.Ledger(), key))
}

// registration is the body that registers a key without a label.
func registration(d *Directory, r Region, uscc string, key *sm.AgencyKey) []byte {
	return must(claim(d, r, uscc, "", key).Encode())
}

func register(tb testing.TB, d *Directory, index uint64, r Region, uscc string, key *sm.AgencyKey) *Directory {
	tb.Helper()
	after, err := d.With(index, r, KindAgencyKey, must(claim(d, r, uscc, "卡一", key).Encode()))
	if err != nil {
		tb.Fatal(err)
	}
	return after
}

func retire(tb testing.TB, d *Directory, index uint64, r Region, uscc string, key *sm.AgencyKey) *Directory {
	tb.Helper()
	after, err := d.With(index, r, KindAgencyKeyRetire, must(EncodeAgencyKeyRetire(uscc, key.Public().ID())))
	if err != nil {
		tb.Fatal(err)
	}
	return after
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var r *Rejection
	if !errors.As(err, &r) || r.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestDirectoryOfGenesis(t *testing.T) {
	d := newDirectory(t)
	if want := []Region{"110000", "120000", "130000", "140000"}; !slices.Equal(d.Regions(), want) {
		t.Errorf("regions %v", d.Regions())
	}
	m, _ := d.Member("120000")
	if n, r, ok := d.NodeByID("120000-1"); !ok || r != "120000" || !n.Key.Equal(m.Node.Key) {
		t.Error("node of Tianjin not found")
	}
	if _, _, ok := d.NodeByID("120000-2"); ok {
		t.Error("found a node that nobody founded")
	}
	if k, ok := d.BatchKey("120000", m.Batch.ID()); !ok || !k.Equal(m.Batch) {
		t.Error("batch key of Tianjin not found")
	}
	if _, ok := d.BatchKey("110000", m.Batch.ID()); ok {
		t.Error("Tianjin's batch key passes as Beijing's")
	}
	if _, ok := d.BatchKey("120000", m.Witness.ID()); ok {
		t.Error("a witness key passes as a batch key")
	}
	if k, ok := d.Decryption("120000"); !ok || !k.Equal(m.Decryption) {
		t.Error("decryption key of Tianjin not found")
	}
	if _, ok := d.Decryption("150000"); ok {
		t.Error("decryption key of a stranger")
	}
	if d.Quorum() != 3 {
		t.Errorf("quorum %d", d.Quorum())
	}
}

func TestNewDirectoryDemandsEverySignature(t *testing.T) {
	g := signedGenesis(t)
	delete(g.Signatures, "130000")
	if _, err := NewDirectory(&g); !errors.Is(err, ErrUnsigned) {
		t.Errorf("got %v", err)
	}
}

// A key is good between its two entries and stays so for what was signed then.
func TestAgencyKeyLife(t *testing.T) {
	founded, key := newDirectory(t), agencyKey("police 1")
	registered := register(t, founded, 10, "120000", police, key)
	retired := retire(t, registered, 20, "120000", police, key)

	for _, at := range []struct {
		d     *Directory
		index uint64
		good  bool
	}{
		{founded, 15, false},
		{registered, 9, false}, {registered, 10, false}, {registered, 11, true}, {registered, math.MaxUint64, true},
		{retired, 11, true}, {retired, 20, true}, {retired, 21, false}, {retired, 22, false},
	} {
		if k, ok := at.d.AgencyKeyAt("120000", police, key.Public().ID(), at.index); ok != at.good {
			t.Errorf("next %d, at %d: %v", at.d.Next(), at.index, ok)
		} else if ok && (!k.Public.Equal(key.Public()) || k.Name != "某机关" || k.Label != "卡一") {
			t.Errorf("another key: %+v", k)
		}
	}
	if _, ok := registered.AgencyKeyAt("110000", police, key.Public().ID(), 15); ok {
		t.Error("Tianjin's registration counts for Beijing")
	}
	if _, ok := registered.AgencyKeyAt("120000", transport, key.Public().ID(), 15); ok {
		t.Error("the police's key counts for the transport commission")
	}
	if got := retired.AgencyKeys("120000"); len(got) != 1 || got[0].Until != 21 {
		t.Errorf("listed %+v", got)
	}
}

func TestDirectoryRejects(t *testing.T) {
	founded, key, other := newDirectory(t), agencyKey("police 1"), agencyKey("police 2")
	d := register(t, founded, 10, "120000", police, key)
	retired := retire(t, d, 20, "120000", police, key)
	tianjin, _ := d.Member("120000")
	add := registration(d, "120000", police, key)
	members := claim(d, "110000", police, "", other)
	members.Key = must(sm.ParsePublic[sm.Agency](tianjin.Batch.Bytes()))

	for name, c := range map[string]struct {
		d      *Directory
		origin Region
		kind   string
		body   []byte
		code   string
	}{
		"member-add":              {d, "120000", "member-add", nil, CodeNotActive},
		"an empty proposal":       {d, "120000", KindPropose, nil, CodeBodyMalformed},
		"policy":                  {d, "120000", "policy", nil, CodeNotActive},
		"activate":                {d, "120000", "activate", nil, CodeNotActive},
		"unknown kind":            {d, "120000", "agency-key ", add, CodeNotActive},
		"a stranger":              {d, "150000", KindAgencyKey, add, CodeOriginUnknown},
		"the key again":           {d, "120000", KindAgencyKey, add, CodeKeyExists},
		"for another agency":      {d, "120000", KindAgencyKey, registration(d, "120000", transport, key), CodeKeyExists},
		"a retired key again":     {retired, "120000", KindAgencyKey, add, CodeKeyExists},
		"a member's key":          {d, "110000", KindAgencyKey, must(members.Encode()), CodeKeyExists},
		"retire by a neighbour":   {d, "110000", KindAgencyKeyRetire, must(EncodeAgencyKeyRetire(police, key.Public().ID())), CodeKeyUnknown},
		"retire another agency's": {d, "120000", KindAgencyKeyRetire, must(EncodeAgencyKeyRetire(transport, key.Public().ID())), CodeKeyUnknown},
		"retire an unknown key":   {d, "120000", KindAgencyKeyRetire, must(EncodeAgencyKeyRetire(police, other.Public().ID())), CodeKeyUnknown},
		"retire twice":            {retired, "120000", KindAgencyKeyRetire, must(EncodeAgencyKeyRetire(police, key.Public().ID())), CodeKeyRetired},
		"no body":                 {d, "120000", KindAgencyKey, nil, CodeBodyMalformed},
		"the other kind's body":   {d, "120000", KindAgencyKeyRetire, add, CodeBodyMalformed},
		"trailing bytes":          {d, "120000", KindAgencyKey, append(slices.Clone(add), 0), CodeBodyMalformed},
		"oversize":                {d, "120000", KindAgencyKey, make([]byte, MaxGovernanceBody+1), CodeBodyMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.d.Root()
			after, err := c.d.With(30, c.origin, c.kind, c.body)
			wantCode(t, err, c.code)
			if after != nil {
				t.Error("a directory came with the rejection")
			}
			if c.d.clone().Root() != before {
				t.Error("the rejection left a trace")
			}
		})
	}
	if _, err := d.With(10, "120000", KindAgencyKey, add); !errors.Is(err, ErrOrder) {
		t.Errorf("out of order: %v", err)
	}
	// A neighbour cannot keep a region from registering by being first.
	register(t, register(t, founded, 1, "110000", police, other), 2, "120000", police, other)
}

// Bodies that a lenient decoder reads alike are refused.
func TestGovernanceBodyHasOneSpelling(t *testing.T) {
	d := newDirectory(t)
	c := claim(d, "120000", police, "卡一", agencyKey("police 1"))
	key, one := c.Key, must(c.Encode())
	fields := func() map[string]any {
		return map[string]any{"uscc": police, "name": "某机关", "key": key.Bytes(), "label": "卡一", "proof": c.Proof}
	}
	canonical := must(cbor.CoreDetEncOptions().EncMode())
	if got := must(canonical.Marshal(fields())); !bytes.Equal(got, one) {
		t.Fatalf("the encoder is not canonical: %x", got)
	}
	with := func(k string, v any) []byte {
		f := fields()
		f[k] = v
		return must(canonical.Marshal(f))
	}
	without := func(k string) []byte {
		f := fields()
		delete(f, k)
		return must(canonical.Marshal(f))
	}
	indefinite := append(append([]byte{0xbf}, one[1:]...), 0xff)
	longLength := append([]byte{0xb8, 0x05}, one[1:]...)
	repeated := append([]byte{0xa6}, append(slices.Clone(one[1:]), one[1:1+4+2+65]...)...)
	for name, body := range map[string][]byte{
		"length-first order": must(must(cbor.EncOptions{Sort: cbor.SortNone}.EncMode()).Marshal(struct {
			USCC  string `cbor:"uscc"`
			Name  string `cbor:"name"`
			Key   []byte `cbor:"key"`
			Label string `cbor:"label"`
			Proof []byte `cbor:"proof"`
		}{police, "某机关", key.Bytes(), "卡一", c.Proof})),
		"indefinite length": indefinite,
		"long length":       longLength,
		"repeated key":      repeated,
		"tagged":            append([]byte{0xd9, 0xd9, 0xf7}, one...),
		"unknown field":     with("until", 7),
		"another capital":   bytes.Replace(one, []byte("uscc"), []byte("USCC"), 1),
		"no label":          without("label"),
		"no key":            without("key"),
		"no proof":          without("proof"),
		"empty proof":       with("proof", []byte{}),
		"long proof":        with("proof", make([]byte, 73)),
		"the region too":    with("region", "120000"),
		"null name":         with("name", nil),
		"name as bytes":     with("name", []byte("某机关")),
		"empty name":        with("name", ""),
		"control character": with("name", "某机关\n"),
		"short uscc":        with("uscc", police[1:]),
		"uscc with an O":    with("uscc", "O"+police[1:]),
		"full-width uscc":   with("uscc", "１１１２００"),
		"long label":        with("label", string(make([]byte, 65))),
		"off the curve":     with("key", append([]byte{4}, make([]byte, 64)...)),
		"compressed key":    with("key", append([]byte{2}, key.Bytes()[1:33]...)),
		"key as text":       with("key", "key"),
	} {
		_, err := d.With(1, "120000", KindAgencyKey, body)
		t.Run(name, func(t *testing.T) { wantCode(t, err, CodeBodyMalformed) })
	}
}

func TestGovernanceVectors(t *testing.T) {
	d, key := newDirectory(t), agencyKey("vector")
	golden(t, "agency-key-retire.hex", hexLine(must(EncodeAgencyKeyRetire(police, key.Public().ID()))))
	c := AgencyClaim{Region: "120000", USCC: police, Name: "天津市公安交通管理局", Label: "卡一", Key: key.Public()}
	golden(t, "agency-claim.hex", hexLine(must(c.Statement())))

	// A signature has a fresh nonce each time, so the proof is a kept one.
	if *update {
		c = must(c.Prove(d.Ledger(), key))
		golden(t, "agency-key.hex", hexLine(must(c.Encode())))
		golden(t, "agency-claim.json", must(c.MarshalFile()))
	}
	kept := must(ParseAgencyClaim(must(os.ReadFile(filepath.Join("testdata", "agency-claim.json")))))
	if !kept.Proven(d.Ledger()) || !bytes.Equal(must(kept.Statement()), must(c.Statement())) {
		t.Errorf("kept %+v, made %+v", kept, c)
	}
	golden(t, "agency-key.hex", hexLine(must(kept.Encode())))
	if _, err := d.With(1, "120000", KindAgencyKey, must(kept.Encode())); err != nil {
		t.Error(err)
	}
}

func TestKeyLimit(t *testing.T) {
	d := newDirectory(t)
	full := *d
	full.Roster = d.clone()
	full.agencies = []agenciesRecord{{Region: "120000", Count: maxAgencyKeys, root: &lateDigest{}}}
	body := registration(d, "120000", police, agencyKey("one too many"))
	_, err := full.With(1, "120000", KindAgencyKey, body)
	wantCode(t, err, CodeKeyLimit)
	body = registration(d, "110000", police, agencyKey("one too many"))
	if _, err := full.With(1, "110000", KindAgencyKey, body); err != nil {
		t.Errorf("Tianjin's keys count against Beijing: %v", err)
	}
}

// Any history of entries folds to what a plain list says, no earlier directory
// changes, and every key can be shown under the root.
func TestDirectoryFold(t *testing.T) {
	g := signedGenesis(t)
	founded := must(NewDirectory(&g))
	keys := []*sm.AgencyKey{agencyKey("a"), agencyKey("b"), agencyKey("c")}
	regions := founded.Regions()
	type name struct {
		r Region
		k int
	}
	rapid.Check(t, func(t *rapid.T) {
		d, index := founded, uint64(0)
		model := map[name]AgencyKey{}
		for range rapid.IntRange(0, 30).Draw(t, "entries") {
			index += rapid.Uint64Range(1, 3).Draw(t, "gap")
			n := name{rapid.SampledFrom(regions).Draw(t, "region"), rapid.IntRange(0, 2).Draw(t, "key")}
			uscc := rapid.SampledFrom([]string{police, transport}).Draw(t, "uscc")
			before := d.Root()
			known, ok := model[n]
			var (
				after *Directory
				err   error
				code  string
			)
			if rapid.Bool().Draw(t, "retire") {
				after, err = d.With(index, n.r, KindAgencyKeyRetire, must(EncodeAgencyKeyRetire(uscc, keys[n.k].Public().ID())))
				switch {
				case !ok || known.USCC != uscc:
					code = CodeKeyUnknown
				case known.Until != 0:
					code = CodeKeyRetired
				default:
					known.Until = index + 1
					model[n] = known
				}
			} else {
				after, err = d.With(index, n.r, KindAgencyKey, registration(d, n.r, uscc, keys[n.k]))
				if ok {
					code = CodeKeyExists
				} else {
					model[n] = AgencyKey{USCC: uscc, Validity: Validity{From: index + 1}}
				}
			}
			var rejection *Rejection
			if errors.As(err, &rejection) != (code != "") || rejection != nil && rejection.Code != code {
				t.Fatalf("got %v, want %q", err, code)
			}
			if d.clone().Root() != before {
				t.Fatal("an earlier directory changed")
			}
			if err == nil {
				d = after
			}
		}
		listed := 0
		for _, r := range regions {
			listed += len(d.AgencyKeys(r))
		}
		if listed != len(model) {
			t.Fatalf("%d keys listed, want %d", listed, len(model))
		}
		at := rapid.Uint64Range(0, index+2).Draw(t, "at")
		for n, want := range model {
			good := want.From <= at && (want.Until == 0 || at < want.Until)
			if _, ok := d.AgencyKeyAt(n.r, want.USCC, keys[n.k].Public().ID(), at); ok != good {
				t.Fatalf("%v at %d: %v, entries %+v", n, at, ok, want)
			}
			proof := must(d.ProveAgency(n.r, keys[n.k].Public().ID()))
			if k, err := proof.Key(d.Root()); err != nil || k.Validity != want.Validity || k.USCC != want.USCC {
				t.Fatalf("proof of %v: %+v, %v", n, k, err)
			}
		}
	})
}

// No body breaks the fold, and what it accepts has one spelling.
func FuzzWith(f *testing.F) {
	founded := newDirectory(f)
	key := agencyKey("police 1")
	d := register(f, founded, 1, "120000", police, key)
	f.Add(KindAgencyKey, registration(d, "120000", transport, agencyKey("other")))
	f.Add(KindAgencyKey, registration(d, "110000", transport, agencyKey("other")))
	f.Add(KindAgencyKeyRetire, must(EncodeAgencyKeyRetire(police, key.Public().ID())))
	f.Add("policy", []byte{0xa0})
	f.Add(KindPropose, must(EncodeProposal(stage("120000", StageVoter))))
	f.Add(KindPropose, must(EncodeProposal(Change{Change: ChangeLeave, Region: "110000"})))
	f.Add(KindApprove, must(EncodeApproval(1, sm.Sum(nil))))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		after, err := d.With(2, "120000", kind, body)
		var rejection *Rejection
		switch {
		case err == nil && kind == KindAgencyKey:
			keys := after.AgencyKeys("120000")
			k := keys[slices.IndexFunc(keys, func(k AgencyKey) bool { return k.From == 3 })]
			c := must(decodeAgencyClaim("120000", body))
			if !c.Proven(d.Ledger()) || !c.Key.Equal(k.Public) || c.USCC != k.USCC || c.Name != k.Name || c.Label != k.Label {
				t.Fatalf("accepted %+v of %x", k, body)
			}
			if again := must(c.Encode()); !bytes.Equal(again, body) {
				t.Fatalf("accepted %x, would write %x", body, again)
			}
		case err == nil && kind == KindPropose:
			if again := must(EncodeProposal(after.Proposals()[0].Change)); !bytes.Equal(again, body) {
				t.Fatalf("accepted %x, would write %x", body, again)
			}
		case err == nil:
			if _, ok := after.AgencyKeyAt("120000", police, key.Public().ID(), 3); ok {
				t.Fatal("retired, and in force")
			}
		case !errors.As(err, &rejection):
			t.Fatalf("not a deterministic rejection: %v", err)
		}
	})
}

func BenchmarkRegister(b *testing.B) {
	d := newDirectory(b)
	body := registration(d, "120000", police, agencyKey("police 1"))
	for b.Loop() {
		must(d.With(1, "120000", KindAgencyKey, body))
	}
}
