package witness

import (
	"crypto/rand"
	"testing"

	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// govern appends a proposal and two approvals to everybody's ledger, so that
// the change takes effect, and returns the size at which it does.
func (w *world) govern(c peers.Change) uint64 {
	w.t.Helper()
	body := must(peers.EncodeProposal(c))
	first := w.members[regions[0]].ledger.Size()
	entry := func(origin peers.Region, kind string, body []byte) {
		w.t.Helper()
		for _, r := range regions {
			l := w.members[r].ledger
			l.mu.Lock()
			index := uint64(len(l.leaves))
			d, err := l.directories[len(l.directories)-1].With(index, origin, kind, body)
			if err != nil {
				l.mu.Unlock()
				w.t.Fatal(err)
			}
			l.leaves, l.directories = append(l.leaves, kind+string(origin)), append(l.directories, d)
			l.mu.Unlock()
		}
	}
	entry(regions[0], peers.KindPropose, body)
	for _, r := range regions[1:3] {
		entry(r, peers.KindApprove, must(peers.EncodeApproval(first, sm.Sum(body))))
	}
	return first + 3
}

// replaceKey has a region exchange its witness key: added, then the old one
// ended. It returns the sizes at which the two changes take effect.
func (w *world) replaceKey(rotating *member) (added, retired uint64) {
	w.t.Helper()
	next := must(sm.Generate[sm.Witness](rand.Reader))
	add := must(peers.Change{
		Change: peers.ChangeKeyAdd, Region: rotating.region, Purpose: peers.PurposeWitness.String(), Key: next.Public().Bytes(),
	}.Prove(w.genesis.LedgerID(), next))
	rotating.end()
	rotating.spare = next // it holds both from here on
	rotating.start()
	old := w.keys[rotating.region].Public().ID()
	added = w.govern(add)
	w.apply("b")
	return added, w.govern(peers.Change{
		Change: peers.ChangeKeyRetire, Region: rotating.region, Purpose: peers.PurposeWitness.String(), KeyID: old[:],
	})
}

// A region exchanges its witness key while the ledger is marked only later:
// every change has a checkpoint of its own by those before it, and whoever knows
// the founders only can follow them to the present witnesses.
func TestEachChangeOfTheWitnessesIsHandedOver(t *testing.T) {
	w := startWorld(t)
	w.apply("a")
	w.mark("110000", 1)
	w.witnessed(1, regions...)

	rotating := w.members["140000"]
	added, retired := w.replaceKey(rotating)
	w.apply("c", "d")
	// One mark behind two changes.
	w.mark("110000", 2)
	size := retired + 2
	w.witnessed(size, regions...)

	m := w.members["120000"]
	waiting.Until(t, "both changes are handed over", func() bool { return len(must(m.witness.Handovers())) == 2 })
	handed := must(m.witness.Handovers())
	if handed[0].Size != added || handed[1].Size != retired {
		t.Fatalf("handed over at %d and %d, want %d and %d", handed[0].Size, handed[1].Size, added, retired)
	}
	var chain []peers.Handover
	for _, c := range handed {
		before, after := must(m.ledger.DirectoryAt(c.Size-1)), must(m.ledger.DirectoryAt(c.Size))
		chain = append(chain, must(peers.NewHandover(before.Witnesses(), after.Witnesses(), after.Records(), c)))
	}
	founders := must(m.ledger.DirectoryAt(0)).Witnesses()
	history, err := peers.FollowHandovers(w.genesis.LedgerID(), founders, chain)
	if err != nil {
		t.Fatal(err)
	}
	latest, _ := m.witness.Latest()
	shown := must(latest.Trim(must(m.ledger.DirectoryAt(size)).Witnesses()))
	if _, by, err := history.Judge(string(shown.Marshal())); err != nil || len(by) != 3 {
		t.Errorf("the present checkpoint by %v: %v", by, err)
	}
	waiting.Until(t, "the new key signs, and it alone", func() bool {
		latest, _ = m.witness.Latest()
		own := linesOf(latest, rotating.region).Cosignatures
		return len(own) == 1 && own[0].Key == peers.HashOf(rotating.spare.Public().ID())
	})
}
