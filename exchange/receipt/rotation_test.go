package receipt

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// decide puts a change into force: proposed by the first of these regions,
// approved by the others.
func (w *world) decide(c peers.Change, by ...peers.Region) {
	w.t.Helper()
	body := must[[]byte](w.t)(peers.EncodeProposal(c))
	at := w.commit(by[0], w.governance(by[0], peers.KindPropose, body))
	approval := must[[]byte](w.t)(peers.EncodeApproval(at, sm.Sum(body)))
	for _, r := range by[1:] {
		w.commit(r, w.governance(r, peers.KindApprove, approval))
	}
}

// voters are who decides in a world that a region may have left.
func (w *world) voters() []peers.Region {
	return w.store.Directory().Voters()[:w.store.Directory().Approvals()]
}

// keyAdd brings a key in.
func (w *world) keyAdd(r peers.Region, purpose peers.Purpose, key []byte, by interface {
	Sign(sm.Label, sm.Digest, []byte) ([]byte, error)
}) {
	w.t.Helper()
	c := peers.Change{Change: peers.ChangeKeyAdd, Region: r, Purpose: purpose.String(), Key: key}
	w.decide(must[peers.Change](w.t)(c.Prove(w.ledger, by)), w.voters()...)
}

func (w *world) keyRetire(r peers.Region, purpose peers.Purpose, id sm.KeyID) {
	w.t.Helper()
	w.decide(peers.Change{Change: peers.ChangeKeyRetire, Region: r, Purpose: purpose.String(), KeyID: id[:]}, w.voters()...)
}

// handover witnesses the present state by regions of the set before a change.
func (w *world) handover(by ...peers.Region) {
	w.t.Helper()
	w.handovers = append(w.handovers, w.keep(by...))
}

// others are the regions but one.
func others(r peers.Region) []peers.Region {
	return slices.DeleteFunc(slices.Clone(founders), func(o peers.Region) bool { return o == r })
}

// rotateWitness replaces a region's witness key: added, then the old one ended.
func (w *world) rotateWitness(r peers.Region) {
	w.t.Helper()
	next := must[*sm.WitnessKey](w.t)(sm.Generate[sm.Witness](rand.Reader))
	w.keyAdd(r, peers.PurposeWitness, next.Public().Bytes(), next)
	w.handover(others(r)...)
	w.keyRetire(r, peers.PurposeWitness, w.witness[r].Public().ID())
	w.handover(others(r)...)
	w.witness[r] = next
}

// rotateBatch replaces a region's batch key.
func (w *world) rotateBatch(r peers.Region) {
	w.t.Helper()
	next := must[*sm.BatchKey](w.t)(sm.Generate[sm.Batch](rand.Reader))
	w.keyAdd(r, peers.PurposeBatch, next.Public().Bytes(), next)
	old := w.batch[r]
	w.batch[r] = next
	w.keyRetire(r, peers.PurposeBatch, old.Public().ID())
}

// changes are three rotations of witness keys, one of Tianjin's batch key, and
// the departure of Shanxi.
func changes(w *world) {
	w.t.Helper()
	for _, r := range []peers.Region{beijing, tianjin, hebei} {
		w.rotateWitness(r)
	}
	w.rotateBatch(tianjin)
	w.keep()
	w.decide(peers.Change{Change: peers.ChangeLeave, Region: shanxi}, w.voters()...)
	w.handover(beijing, hebei, shanxi)
}

// What was proven once stays proven, and what comes after the changes is shown
// from the same genesis.
func TestReceiptsOutliveRotationsAndDepartures(t *testing.T) {
	w := newWorld(t)
	sent := w.seal(tianjin, []byte("before"), byRegion(t), beijing)
	w.commit(tianjin, sent)
	w.keep()
	old, ended := w.entry(0), w.batch[tianjin]
	changes(w)
	newest := w.commit(tianjin, w.seal(tianjin, []byte("after"), byRegion(t), beijing))
	w.keep(beijing, tianjin, hebei)

	if code := failed(t, old, &w.genesis); code != "" {
		t.Errorf("a receipt from before fails %s", code)
	}
	if again := w.entry(0); failed(t, again, &w.genesis) != "" || len(again) > 4<<10 {
		t.Errorf("the same entry's receipt of today: %s, %d bytes", failed(t, again, &w.genesis), len(again))
	}
	late := w.entry(newest)
	v, err := Verify(late, &w.genesis)
	if err != nil || v.State != Witnessed || v.Of != 3 || len(v.Witnesses) != 3 {
		t.Fatalf("a receipt from behind the changes: %v %+v", err, v)
	}
	r := must[Receipt](t)(Parse(late))
	if len(r.Handovers) != 7 || r.Key == nil {
		t.Fatalf("%d handovers, key shown: %v", len(r.Handovers), r.Key != nil)
	}
	short := r
	short.Handovers = nil
	plain := len(must[[]byte](t)(short.Marshal()))
	if each := (len(late) - plain) / len(r.Handovers); plain > 4<<10 || each > 800 {
		t.Errorf("%d bytes and %d for each change", plain, each)
	}

	for name, change := range map[string]func(*Receipt){
		"a handover is missing":       func(r *Receipt) { r.Handovers = slices.Delete(r.Handovers, 2, 3) },
		"the handovers end too early": func(r *Receipt) { r.Handovers = r.Handovers[:4] },
		"no handovers at all":         func(r *Receipt) { r.Handovers = nil },
		"the key is not shown":        func(r *Receipt) { r.Key = nil },
		"a key's record is another":   func(r *Receipt) { r.Key.Record[10] ^= 1 },
		"a key's place is another":    func(r *Receipt) { r.Key.Index ^= 1 },
		"a key that had ended signs": func(r *Receipt) {
			p := must[exchange.Preamble](t)(exchange.ParsePreamble(r.Batch.Preamble))
			p.Key = ended.Public().ID()
			r.Batch.Preamble = p.Marshal()
			r.Batch.Signature = must[[]byte](t)(ended.Sign(sm.LabelBatch, w.ledger, r.Batch.Preamble))
			r.Key = newKey(must[peers.Proof](t)(w.store.Directory().Prove(tianjin, peers.PurposeBatch, p.Key)))
		},
	} {
		if changed(t, w, late, change) == "" {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A node that was away is told who takes part by now, however many regions have
// cosigned: all of them, or just enough. Too few tell it nothing.
func TestChainForANodeThatWasAway(t *testing.T) {
	w := newWorld(t)
	w.rotateWitness(beijing)
	for _, by := range [][]peers.Region{founders, {beijing, tianjin, hebei}, {beijing, tianjin}} {
		w.commit(tianjin, w.notes(tianjin, 1)...)
		chain, err := w.builder().Chain(w.keep(by...))
		if len(by) < 3 {
			if err == nil {
				t.Errorf("a chain with %d cosignatures", len(by))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		known, err := peers.JudgeChain(&w.genesis, must[[]byte](t)(chain.Marshal()))
		if err != nil || known.Size != w.store.Head().Size || known.Root() != w.store.Directory().Root() {
			t.Errorf("by %d regions, size %d: %v", len(by), known.Size, err)
		}
	}
}

// At the very size of a change those before it judge. A checkpoint of that size
// that only those behind it have cosigned is kept too; the receipt has the
// other one. A node that has neither says so.
func TestReceiptAtTheSizeOfAChange(t *testing.T) {
	w := newWorld(t)
	index := w.commit(tianjin, w.notes(tianjin, 2)...)
	next := must[*sm.WitnessKey](t)(sm.Generate[sm.Witness](rand.Reader))
	w.keyAdd(beijing, peers.PurposeWitness, next.Public().Bytes(), next)
	w.handovers = append(w.handovers, w.cosign(w.checkpoint(), tianjin, hebei, shanxi))
	w.witness[beijing] = next
	w.keep(beijing, tianjin, hebei)
	if code := failed(t, w.entry(index), &w.genesis); code != "" {
		t.Errorf("fails %s", code)
	}
	late := w.commit(tianjin, w.notes(tianjin, 1)...)
	w.keep(beijing, tianjin, hebei)
	if code := failed(t, w.entry(late), &w.genesis); code != "" {
		t.Errorf("behind it, fails %s", code)
	}
	w.handovers = nil
	var told *exchange.Error
	if _, err := w.builder().Entry(late); !errors.As(err, &told) || told.Code != "HANDOVER_MISSING" {
		t.Errorf("without the handover: %v", err)
	}
}

// A batch key is good for what it signed while it was in force; what lies in
// the time that a revocation suspects is said to be in doubt, also of what was
// witnessed long before anybody knew.
func TestRevokedKeyLeavesDoubt(t *testing.T) {
	w := newWorld(t)
	sure := w.commit(tianjin, w.notes(tianjin, 2)...)
	doubtful := w.commit(tianjin, w.notes(tianjin, 2)...)
	early := w.keep()
	if v, err := Verify(w.entry(doubtful), &w.genesis); err != nil || v.Doubtful {
		t.Errorf("before the revocation: %v, doubtful %v", err, v.Doubtful)
	}
	next := must[*sm.BatchKey](t)(sm.Generate[sm.Batch](rand.Reader))
	id := w.batch[tianjin].Public().ID()
	w.keyAdd(tianjin, peers.PurposeBatch, next.Public().Bytes(), next)
	w.decide(peers.Change{
		Change: peers.ChangeKeyRevoke, Region: tianjin, Purpose: peers.PurposeBatch.String(), KeyID: id[:], SuspectFrom: doubtful,
	}, beijing, hebei, shanxi)
	w.keep()
	for index, want := range map[uint64]bool{sure: false, sure + 1: false, doubtful: true, doubtful + 1: true} {
		v, err := Verify(w.entry(index), &w.genesis)
		if err != nil || v.Doubtful != want || (v.Size == early.Size) == want {
			t.Errorf("entry %d: %v, doubtful %v, shown at size %d", index, err, v.Doubtful, v.Size)
		}
	}
}

// So it is with an agency's key: whoever is shown the content, is told.
func TestRevokedAgencyKeyLeavesDoubt(t *testing.T) {
	w := newWorld(t)
	agency := must[*sm.AgencyKey](t)(sm.Generate[sm.Agency](rand.Reader))
	const uscc = "12120000000003025Y"
	id := agency.Public().ID()
	claim := must[peers.AgencyClaim](t)(peers.AgencyClaim{Region: tianjin, USCC: uscc, Name: "某机关", Key: agency.Public()}.Prove(w.ledger, agency))
	w.commit(tianjin, w.governance(tianjin, peers.KindAgencyKey, must[[]byte](t)(claim.Encode())))
	author := exchange.Author{Kind: exchange.AuthorAgency, Agency: uscc, Key: &id}
	author.Signature = must[[]byte](t)(agency.Sign(sm.LabelAuthor, w.ledger, []byte("record")))
	entry := w.seal(tianjin, []byte("record"), must[[]byte](t)(author.Marshal()), beijing)
	index := w.commit(tianjin, entry)
	w.keep()
	disclosed := func() Verdict {
		t.Helper()
		r := must[Receipt](t)(w.builder().Entry(index))
		if err := w.builder().Disclose(&r, tianjin, w.open(entry)); err != nil {
			t.Fatal(err)
		}
		return must[Verdict](t)(Verify(must[[]byte](t)(r.Marshal()), &w.genesis))
	}
	if v := disclosed(); v.AuthorDoubtful {
		t.Error("in doubt before the revocation")
	}
	w.decide(peers.Change{
		Change: peers.ChangeKeyRevoke, Region: tianjin, Purpose: peers.PurposeAgency.String(), KeyID: id[:], SuspectFrom: index,
	}, beijing, hebei, shanxi)
	w.keep()
	v := disclosed()
	told := slices.ContainsFunc(v.NotProven(), func(t schemas.Text) bool { return strings.HasPrefix(t.EN, "that the agency itself signed") })
	if !v.AuthorDoubtful || v.Doubtful || !told {
		t.Errorf("behind the revocation: agency in doubt %v, region in doubt %v, said %v", v.AuthorDoubtful, v.Doubtful, told)
	}
}

// A ticket by a key that no founder had shows the key as in force.
func TestTicketByAYoungerKey(t *testing.T) {
	w := newWorld(t)
	old := w.batch[tianjin]
	w.rotateBatch(tianjin)
	w.keep()
	home := w.seal(tianjin, []byte("home"), byRegion(t))
	raw := must[[]byte](t)(must[Receipt](t)(w.builder().Ticket(tianjin, w.batch[tianjin], w.ledger, home.Header)).Marshal())
	if v, err := Verify(raw, &w.genesis); err != nil || !v.Final() {
		t.Errorf("%v %+v", err, v)
	}
	if got := changed(t, w, raw, func(r *Receipt) { r.Key, r.Checkpoint = nil, "" }); got != "TICKET" {
		t.Errorf("without the key: fails %q", got)
	}
	// A key that was retired can't give tickets any more.
	proof := must[peers.Proof](t)(w.store.Directory().Prove(tianjin, peers.PurposeBatch, old.Public().ID()))
	got := changed(t, w, raw, func(r *Receipt) {
		r.Key, r.Ticket = newKey(proof), must[[]byte](t)(old.Sign(sm.LabelTicket, w.ledger, r.Entry))
	})
	if got != "KEY" {
		t.Errorf("by a retired key: fails %q", got)
	}
}
