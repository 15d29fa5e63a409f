package store

import (
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// What uncommitted entries would make of the directory is known before they
// are applied, exactly, and nothing of it stays.
func TestForesee(t *testing.T) {
	w := newWorld(t)
	s := w.temporary()
	w.tell(s, "A1 B1")
	head := s.Head()
	body := must[[]byte](t)(peers.EncodeProposal(peers.Change{Change: peers.ChangePolicy, Cosignatures: 3}))
	entry := func(letter byte, kind string, body []byte) []byte {
		r := regions[letter]
		seq, _ := s.LastBatch(r)
		d := w.newDraft(r, seq+1, w.last(s, r))
		w.addGovernance(d, kind, body)
		return w.seal(d, mutation{})
	}
	propose := entry('A', exchange.KindPropose, body)
	approve := must[[]byte](t)(peers.EncodeApproval(head.Size, sm.Sum(body)))
	forged := w.newDraft(regions['C'], 1, sm.Digest{})
	w.addGovernance(forged, exchange.KindApprove, approve)
	forged.signer = w.keys[regions['X']]
	pending := [][][]byte{
		{w.batch("A1"), propose},
		{w.seal(forged, mutation{}), entry('B', exchange.KindApprove, approve)},
		{entry('C', exchange.KindApprove, approve)},
	}
	foreseen, err := s.Foresee(pending)
	if err != nil || len(foreseen) != 4 {
		t.Fatalf("%d directories, %v", len(foreseen), err)
	}
	for i, want := range []int{0, 0, 0, 3} {
		if got := foreseen[i].Policy().Cosignatures; got != want {
			t.Errorf("directory %d: cosignatures %d, want %d", i, got, want)
		}
	}
	if s.Head() != head || len(s.Directories()) != 1 {
		t.Error("foreseeing left a trace")
	}
	for _, items := range pending {
		s.Apply(s.Head().RaftIndex+1, 1, items)
	}
	if s.Directory().Root() != foreseen[3].Root() {
		t.Error("it came out otherwise")
	}
}
