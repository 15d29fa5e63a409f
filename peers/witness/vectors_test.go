package witness_test

import (
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
	d := witness.Must(peers.NewDirectory(&g))
	readMark := func(raw []byte) (witness.Mark, error) {
		m, err := consensus.ParseMark(raw)
		if err == nil {
			err = m.Verify(d.Ledger(), d.NodeKeys(m.Signer)...)
		}
		return taken(0, m), err
	}
	for name, guilty := range map[string]int{"forked.json": 0, "two-roots.json": 1, "two-marks.json": 1} {
		j := witness.Judge(read(name), &g, readMark)
		if !j.Holds || len(j.Guilty) != guilty {
			t.Errorf("%s: %+v", name, j)
		}
	}
}

// makeVectors founds a ledger and has its members contradict each other at size
// 42: three regions the fourth, 140000 itself, and 120000's node itself.
func makeVectors(t *testing.T) {
	t.Helper()
	addrs := map[peers.Region]string{}
	for i, r := range regions {
		addrs[r] = fmt.Sprintf("192.0.2.%d:8700", i+1)
	}
	founded := consortium.FoundAt(addrs)
	g := founded.Genesis
	statement := func(root string, by ...peers.Region) string {
		c := peers.Checkpoint{Ledger: g.LedgerID(), Size: 42, Root: sm.Sum([]byte(root)), Directory: sm.Sum([]byte("directory"))}
		for i, r := range by {
			c = c.With(witness.Must(c.Cosign(r, founded.Witness[r], time.Date(2026, 4, 1, 12, 0, i, 0, time.UTC))))
		}
		return string(c.Marshal())
	}
	mark := func(root string) []byte {
		m := consensus.Mark{Term: 3, Size: 42, Root: sm.Sum([]byte(root)), Signer: peers.NodeID(regions[1], 1)}
		unsigned := m.Marshal()
		m.Signature = witness.Must(founded.Node[regions[1]].Sign(sm.LabelMark, g.LedgerID(), unsigned[:len(unsigned)-1]))
		return m.Marshal()
	}
	save := func(name string, raw []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join("testdata", name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bundle := func(kind witness.Kind, own, other string, marks [][]byte, guilty ...witness.Guilty) {
		t.Helper()
		save(string(kind)+".json", append(witness.Must(json.MarshalIndent(witness.Evidence{
			Version: 1, Kind: kind, At: time.Date(2026, 4, 1, 12, 0, 9, 0, time.UTC), Ledger: g.LedgerID(), Region: regions[3], Size: 42,
			Own: own, Other: other, Marks: marks, Guilty: append([]witness.Guilty{}, guilty...),
		}, "", "  ")), '\n'))
	}
	save("genesis.json", witness.Must(g.MarshalFile()))
	bundle(witness.KindForked, statement("mine", regions[3]), statement("theirs", regions[:3]...), [][]byte{})
	key := peers.HashOf(founded.Witness[regions[3]].Public().ID())
	bundle(witness.KindTwoRoots, statement("mine", regions[3]), statement("theirs", regions[2:]...), [][]byte{},
		witness.Guilty{Region: regions[3], Key: fmt.Sprintf("%x", key)})
	bundle(witness.KindTwoMarks, "", "", [][]byte{mark("mine"), mark("theirs")}, witness.Guilty{Node: peers.NodeID(regions[1], 1)})
}
