package witness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// judged checks that a bundle which a witness of these tests has kept shows to
// somebody else what it claims.
func (w *world) judged(raw []byte, guilty []Guilty) {
	w.t.Helper()
	j := Judge(raw, w.genesis, nil, anyMark)
	if !j.Holds || !slices.Equal(j.Guilty, guilty) || len(j.Proven) == 0 || len(j.NotProven) == 0 {
		w.t.Errorf("a bundle as it was kept: %+v", j)
	}
}

// contradiction is a bundle by the node of 110000: by's regions have signed
// another root than it has, of size 2.
func (w *world) contradiction(kind Kind, by ...peers.Region) Evidence {
	own := peers.Checkpoint{Ledger: w.genesis.LedgerID(), Size: 2}
	other := own
	own.Root[0], other.Root[0] = 1, 2
	for i, r := range by {
		other = other.With(must(other.Cosign(r, w.keys[r], time.Unix(int64(1000+i), 0))))
	}
	return Evidence{
		Version: evidenceVersion, Kind: kind, Ledger: own.Ledger, Region: "110000", Size: 2,
		Own: string(own.Marshal()), Other: string(other.Marshal()), Marks: [][]byte{}, Guilty: []Guilty{},
	}
}

// signOwn has regions sign the writer's statement too.
func (w *world) signOwn(e *Evidence, by ...peers.Region) (lines []peers.Cosignature) {
	own := must(peers.ParseCheckpoint([]byte(e.Own)))
	for _, r := range by {
		line := must(own.Cosign(r, w.keys[r], time.Unix(2000, 0)))
		own, lines = own.With(line), append(lines, line)
	}
	e.Own = string(own.Marshal())
	return lines
}

// Whoever writes a bundle may lie in it. What the signatures do not show does
// not hold, and the check that fails says so.
func TestABundleIsJudgedByItsSignatures(t *testing.T) {
	w, others := newWorld(t), newWorld(t)
	three := regions[1:]
	for name, c := range map[string]struct {
		make func() Evidence
		want string // the check that fails, "" for none
	}{
		"three have signed another root": {func() Evidence { return w.contradiction(KindForked, three...) }, ""},
		"two have, and are said to be enough": {func() Evidence {
			return w.contradiction(KindForked, three[:2]...)
		}, "CONTRADICT"},
		"two have":    {func() Evidence { return w.contradiction(KindDisagreement, three[:2]...) }, ""},
		"nobody has":  {func() Evidence { return w.contradiction(KindDisagreement) }, "CONTRADICT"},
		"it has":      {func() Evidence { return w.contradiction(KindRewritten, "110000") }, ""},
		"another has": {func() Evidence { return w.contradiction(KindRewritten, "120000") }, "CONTRADICT"},
		"both sides are the same": {func() Evidence {
			e := w.contradiction(KindForked, three...)
			e.Own = e.Other
			return e
		}, "CONTRADICT"},
		"a size that nobody has spoken of": {func() Evidence {
			e := w.contradiction(KindForked, three...)
			e.Size++
			return e
		}, "CONTRADICT"},
		"a key has signed both": {func() Evidence {
			e := w.contradiction(KindTwoRoots, three...)
			e.Guilty = []Guilty{guiltyOf(w.signOwn(&e, "120000")[0])}
			return e
		}, ""},
		"no key has signed both": {func() Evidence {
			e := w.contradiction(KindTwoRoots, three...)
			w.signOwn(&e, "110000")
			return e
		}, "CONTRADICT"},
		"an innocent one is named": {func() Evidence {
			e := w.contradiction(KindTwoRoots, three...)
			e.Guilty = []Guilty{guiltyOf(w.signOwn(&e, "120000")[0]), {Region: "130000", Key: "00000000"}}
			return e
		}, "NAMED"},
		"somebody is named for a disagreement": {func() Evidence {
			e := w.contradiction(KindDisagreement, three...)
			e.Guilty = []Guilty{{Region: "120000"}}
			return e
		}, "NAMED"},
		"a line that was moved to another root": {func() Evidence {
			e := w.contradiction(KindDisagreement, three...)
			own, other := must(peers.ParseCheckpoint([]byte(e.Own))), must(peers.ParseCheckpoint([]byte(e.Other)))
			own.Cosignatures = other.Cosignatures[:1]
			e.Own = string(own.Marshal())
			return e
		}, "SIGNED"},
		"keys of another ledger": {func() Evidence {
			e := w.contradiction(KindForked)
			other := must(peers.ParseCheckpoint([]byte(e.Other)))
			for _, r := range three {
				other = other.With(must(other.Cosign(r, others.keys[r], time.Unix(1000, 0))))
			}
			e.Other = string(other.Marshal())
			return e
		}, "CONTRADICT"},
		"another ledger": {func() Evidence { return others.contradiction(KindForked, three...) }, "GENESIS"},
		"an unknown kind": {func() Evidence {
			return w.contradiction("guilty", three...)
		}, "CONTRADICT"},
	} {
		j := Judge(must(json.Marshal(c.make())), w.genesis, nil, anyMark)
		last := j.Findings[len(j.Findings)-1]
		if failed := last.Cause != nil; failed != (c.want != "") || failed && last.Code != c.want || j.Holds == failed {
			t.Errorf("%s: %+v", name, j)
		}
		if !j.Holds && len(j.Proven)+len(j.NotProven) > 0 {
			t.Errorf("%s: something is said to be proven", name)
		}
	}
}

// anyMark believes marks, whose signatures the consensus knows.
func anyMark(raw []byte, _ peers.Known) (Mark, error) { return readMark(raw) }

// A region that signed with a key from after the founding is not taken for one
// that did not sign: the judgment says what it could not judge.
func TestAJudgmentSaysWhatItCouldNotJudge(t *testing.T) {
	w, later := newWorld(t), newWorld(t)
	e := w.contradiction(KindDisagreement, "120000")
	other := must(peers.ParseCheckpoint([]byte(e.Other)))
	other = other.With(must(other.Cosign("130000", later.keys["130000"], time.Unix(1000, 0))))
	e.Other = string(other.Marshal())
	j := Judge(must(json.Marshal(e)), w.genesis, nil, anyMark)
	told := slices.ContainsFunc(j.NotProven, func(s schemas.Text) bool { return strings.Contains(s.EN, "1 signatures were not judged") })
	if !j.Holds || !told {
		t.Errorf("%+v", j)
	}
}

// A key was stolen, has signed two statements and is revoked. It is proven what it
// has signed, and said that its owner need not have.
func TestAStolenKeyIsSaidToBeSuspect(t *testing.T) {
	w := newWorld(t)
	e := w.contradiction(KindTwoRoots, "120000")
	e.Guilty = []Guilty{guiltyOf(w.signOwn(&e, "120000")[0])}
	id := w.keys["120000"].Public().ID()
	members := w.revoked(peers.Change{Change: peers.ChangeKeyRevoke, Region: "120000", Purpose: "witness", KeyID: id[:], SuspectFrom: 2})
	said := func(members []byte) bool {
		j := Judge(must(json.Marshal(e)), w.genesis, members, anyMark)
		if !j.Holds || !slices.Equal(j.Guilty, e.Guilty) {
			t.Errorf("%+v", j)
		}
		return slices.ContainsFunc(j.NotProven, func(s schemas.Text) bool { return strings.Contains(s.EN, "is suspect from ledger size 2 on") })
	}
	if said(nil) || !said(members) {
		t.Errorf("by the genesis alone %v, by the members file %v", said(nil), said(members))
	}
}

// revoked is the members file as of size 14, after three regions have decided on
// a change of the witnesses by leaves 10 to 12.
func (w *world) revoked(c peers.Change) []byte {
	d := must(peers.NewDirectory(w.genesis))
	before, body := d.Witnesses(), must(peers.EncodeProposal(c))
	d = must(d.With(10, "110000", peers.KindPropose, body))
	for i, r := range []peers.Region{"130000", "140000"} {
		d = must(d.With(11+uint64(i), r, peers.KindApprove, must(peers.EncodeApproval(10, sm.Sum(body)))))
	}
	checkpoint := func(size uint64) peers.Checkpoint {
		at := peers.Checkpoint{Ledger: d.Ledger(), Size: size, Root: sm.Sum([]byte("root")), Directory: d.Root()}
		for _, r := range []peers.Region{"110000", "130000", "140000"} {
			at = at.With(must(at.Cosign(r, w.keys[r], time.Unix(3000, 0))))
		}
		return at
	}
	return must(peers.Chain{
		Checkpoint: string(checkpoint(14).Marshal()), Roster: must(d.MarshalBinary()),
		Handovers: []peers.Handover{must(peers.NewHandover(before, d.Witnesses(), d.Records(), checkpoint(13)))},
	}.Marshal())
}

func FuzzJudge(f *testing.F) {
	g := must(peers.ParseGenesis(must(os.ReadFile(filepath.Join("testdata", "genesis.json")))))
	members := must(os.ReadFile(filepath.Join("testdata", "members.proof")))
	for _, name := range must(filepath.Glob(filepath.Join("testdata", "*.json"))) {
		f.Add(must(os.ReadFile(name)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		j := Judge(raw, &g, members, anyMark)
		if j.Holds && !IsEvidence(raw) {
			t.Error("it holds, and is not known for a bundle")
		}
	})
}
