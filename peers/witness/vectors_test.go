package witness_test

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
	"github.com/xinqiao/creditgw/peers/witness"
)

// SM2 signatures differ each time: the vectors are made once, and again only
// when the format changes before its release.
var update = flag.Bool("update", false, "make the vectors of docs/formats/evidence.md anew")

func TestEvidenceVectors(t *testing.T) {
	if *update {
		makeVectors(t)
	}
	read := func(name string) []byte { return witness.Must(os.ReadFile(filepath.Join("testdata", name))) }
	g := witness.Must(peers.ParseGenesis(read("genesis.json")))
	readMark := func(raw []byte, known peers.Known) (witness.Mark, error) {
		m, err := consensus.ParseMark(raw)
		if err == nil {
			err = m.Verify(known.Ledger(), known.NodeKeysAt(m.Signer, m.Size)...)
		}
		return taken(0, m), err
	}
	members := read("members.proof")
	for name, c := range map[string]struct {
		guilty int
		later  bool // it is by keys that the members file shows
	}{
		"forked.json": {0, false}, "two-roots.json": {1, false}, "two-marks.json": {1, false},
		"later-two-roots.json": {1, true}, "later-two-marks.json": {1, true},
	} {
		if j := witness.Judge(read(name), &g, members, readMark); !j.Holds || len(j.Guilty) != c.guilty {
			t.Errorf("%s: %+v", name, j)
		}
		if j := witness.Judge(read(name), &g, nil, readMark); j.Holds == c.later {
			t.Errorf("%s without the members file: %+v", name, j)
		}
	}
	members[len(members)-1] ^= 1
	j := witness.Judge(read("forked.json"), &g, members, readMark)
	if last := j.Findings[len(j.Findings)-1]; j.Holds || last.Code != "MEMBERS" || last.Cause == nil {
		t.Errorf("by a members file that was changed: %+v", j)
	}
}

// Sizes of the vectors: what founders contradict each other about, what members
// do later, and the members file's.
const (
	founding, later = 42, 52
	shownSize       = 50
)

// vectors is who signs them.
type vectors struct {
	t       *testing.T
	members *consortium.Consortium
	ledger  sm.Digest
}

// makeVectors founds a ledger and has its members contradict each other: three
// regions the fourth, 140000 itself, and 120000's node itself; and these two once
// more when they have other keys.
func makeVectors(t *testing.T) {
	t.Helper()
	addrs := map[peers.Region]string{}
	for i, r := range regions {
		addrs[r] = fmt.Sprintf("192.0.2.%d:8700", i+1)
	}
	v := &vectors{t: t, members: consortium.FoundAt(addrs)}
	v.ledger = v.members.Genesis.LedgerID()
	v.save("genesis.json", witness.Must(v.members.Genesis.MarshalFile()))
	v.bundle("", witness.KindForked, founding, v.statement(founding, "mine", regions[3]), v.statement(founding, "theirs", regions[:3]...), nil)
	v.twoRoots("", founding)
	v.twoMarks("", founding)
	v.save("members.proof", v.replaceKeys())
	v.twoRoots("later-", later)
	v.twoMarks("later-", later)
}

func (v *vectors) twoRoots(prefix string, size uint64) {
	liar := regions[3]
	guilty := witness.Guilty{Region: liar, Key: fmt.Sprintf("%x", peers.HashOf(v.members.Witness[liar].Public().ID()))}
	v.bundle(prefix, witness.KindTwoRoots, size, v.statement(size, "mine", liar), v.statement(size, "theirs", regions[2:]...), nil, guilty)
}

func (v *vectors) twoMarks(prefix string, size uint64) {
	liar := peers.NodeID(regions[1], 1)
	mark := func(root string) []byte {
		m := consensus.Mark{Term: 3, Size: size, Root: sm.Sum([]byte(root)), Signer: liar}
		unsigned := m.Marshal()
		m.Signature = witness.Must(v.members.Node[regions[1]].Sign(sm.LabelMark, v.ledger, unsigned[:len(unsigned)-1]))
		return m.Marshal()
	}
	v.bundle(prefix, witness.KindTwoMarks, size, "", "", [][]byte{mark("mine"), mark("theirs")}, witness.Guilty{Node: liar})
}

func (v *vectors) statement(size uint64, root string, by ...peers.Region) string {
	return v.cosigned(peers.Checkpoint{Ledger: v.ledger, Size: size, Root: sm.Sum([]byte(root)), Directory: sm.Sum([]byte("directory"))}, by...)
}

func (v *vectors) cosigned(c peers.Checkpoint, by ...peers.Region) string {
	for i, r := range by {
		c = c.With(witness.Must(c.Cosign(r, v.members.Witness[r], time.Date(2026, 4, 1, 12, 0, i, 0, time.UTC))))
	}
	return string(c.Marshal())
}

func (v *vectors) bundle(prefix string, kind witness.Kind, size uint64, own, other string, marks [][]byte, guilty ...witness.Guilty) {
	v.t.Helper()
	v.save(prefix+string(kind)+".json", append(witness.Must(json.MarshalIndent(witness.Evidence{
		Version: 1, Kind: kind, At: time.Date(2026, 4, 1, 12, 0, 9, 0, time.UTC), Ledger: v.ledger, Region: regions[3], Size: size,
		Own: own, Other: other, Marks: append([][]byte{}, marks...), Guilty: append([]witness.Guilty{}, guilty...),
	}, "", "  ")), '\n'))
}

// replaceKeys gives 120000's node another key, with leaf 44, and 140000's witness,
// with leaf 47. It returns the members file as of shownSize.
func (v *vectors) replaceKeys() []byte {
	d := v.members.Directory()
	node, cosigning := witness.Must(sm.Generate[sm.Node](rand.Reader)), witness.Must(sm.Generate[sm.Witness](rand.Reader))
	d = decide(d, 42, witness.Must(peers.Change{
		Change: peers.ChangeKeyAdd, Region: regions[1], Purpose: "node", Node: peers.NodeID(regions[1], 1), Key: node.Public().Bytes(),
	}.Prove(v.ledger, node)))
	before := d.Witnesses()
	d = decide(d, 45, witness.Must(peers.Change{
		Change: peers.ChangeKeyAdd, Region: regions[3], Purpose: "witness", Key: cosigning.Public().Bytes(),
	}.Prove(v.ledger, cosigning)))
	checkpoint := func(size uint64) string {
		return v.cosigned(peers.Checkpoint{Ledger: v.ledger, Size: size, Root: sm.Sum([]byte("root")), Directory: d.Root()}, regions[:3]...)
	}
	changed := witness.Must(peers.ParseCheckpoint([]byte(checkpoint(48))))
	handover := witness.Must(peers.NewHandover(before, d.Witnesses(), d.Records(), changed))
	v.members.Node[regions[1]], v.members.Witness[regions[3]] = node, cosigning
	return witness.Must(peers.Chain{
		Checkpoint: checkpoint(shownSize), Handovers: []peers.Handover{handover}, Roster: witness.Must(d.MarshalBinary()),
	}.Marshal())
}

// decide has three regions agree on a change, by three entries from a leaf on.
func decide(d *peers.Directory, from uint64, c peers.Change) *peers.Directory {
	body := witness.Must(peers.EncodeProposal(c))
	d = witness.Must(d.With(from, regions[0], peers.KindPropose, body))
	for i, r := range regions[1:3] {
		d = witness.Must(d.With(from+1+uint64(i), r, peers.KindApprove, witness.Must(peers.EncodeApproval(from, sm.Sum(body)))))
	}
	return d
}

func (v *vectors) save(name string, raw []byte) {
	v.t.Helper()
	if err := os.WriteFile(filepath.Join("testdata", name), raw, 0o644); err != nil {
		v.t.Fatal(err)
	}
}
