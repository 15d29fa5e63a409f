package casebook_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// anchor lets the region put its map onto the ledger and everyone read it.
func (r *region) anchor() {
	r.t.Helper()
	before := r.journal.Last()
	anchors := exchange.Anchors{Sealer: r.sealer, Clock: func() time.Time { return r.now }, Book: r.book, Journal: r.journal, Later: time.Hour}
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- anchors.Run(ctx) }()
	r.await(before + 1)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		r.t.Errorf("anchoring ended with %v", err)
	}
	r.drain()
	r.everyoneFollows()
}

func anyLeaf(uint64) bool { return true }

// states is what the region's newest anchor says of a firm, verified as anyone
// can.
func (r *region) states(uscc string) []exchange.EntryID {
	r.t.Helper()
	h, err := r.book.Holding(uscc, anyLeaf)
	if err != nil {
		r.t.Fatal(err)
	}
	entry := must[[]exchange.Entry](r.t)(r.ledger.Entries(h.Anchor, 1))[0]
	a := must[peers.Anchor](r.t)(peers.ParseAnchor(entry.Body))
	leaf := ledger.SparseLeaf{
		Key: exchange.SubjectKey(r.genesis.LedgerID(), r.name, uscc), Value: exchange.Holdings(h.Salt, h.Records),
	}
	if err := ledger.VerifySparse(leaf, h.Path, a.Root); err != nil || entry.Header.Origin != r.name || a.Size > h.Anchor {
		r.t.Fatalf("%v, bound at %d in leaf %d", err, a.Size, h.Anchor)
	}
	return h.Records
}

func sorted(ids ...exchange.EntryID) []exchange.EntryID {
	exchange.SortEntries(ids)
	return ids
}

// A region says of a firm at home there what it holds: home records and
// received ones, no more and no less, and of a firm that it never heard of that
// there is nothing.
func TestARegionStatesWhatItHolds(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	if _, may := bj.book.AnchorDue(); may {
		t.Error("an empty map is to be anchored")
	}
	received := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1}, notice{no: "2", firm: beijingFirm, home: beijing, fine: 2})
	home := bj.submit("s-2", notice{no: "3", firm: beijingFirm, home: beijing, fine: 3})
	tj.drain()
	w.everyoneFollows()
	if due, may := bj.book.AnchorDue(); due != exchange.DueSoon || !may {
		t.Errorf("after a change, due %d %v", due, may)
	}
	if placed := must[bool](t)(bj.book.Placed(beijingFirm)); placed {
		t.Error("an anchor is said to speak of the firm before there is one")
	}
	bj.ask(beijingFirm)
	if due, _ := bj.book.AnchorDue(); due != exchange.DueNow || !must[bool](t)(bj.book.Placed(beijingFirm)) {
		t.Errorf("while somebody waits, due %d", due)
	}
	bj.anchor()
	if got, want := bj.states(beijingFirm), sorted(received[0], received[1], home[0]); !slices.Equal(got, want) {
		t.Errorf("states %v, holds %v", got, want)
	}
	if due, may := bj.book.AnchorDue(); due != exchange.DueLater || !may {
		t.Errorf("without a change, due %d %v", due, may)
	}

	// What comes later is no part of what was anchored.
	tj.submit("s-3", notice{no: "4", firm: beijingFirm, home: beijing, fine: 4})
	tj.drain()
	w.everyoneFollows()
	if got := bj.states(beijingFirm); len(got) != 3 {
		t.Errorf("the anchor of before states %d records", len(got))
	}

	// Of a firm without a place nothing can be said before the next anchor.
	const other = "91110115MA494E1A0J"
	if _, err := bj.book.Holding(other, anyLeaf); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("of a firm without a place: %v", err)
	}
	bj.ask(other)
	bj.ask(other)
	if due, _ := bj.book.AnchorDue(); due != exchange.DueNow {
		t.Errorf("while somebody waits, due %d", due)
	}
	bj.anchor()
	if got := bj.states(other); len(got) != 0 {
		t.Errorf("states %v of a firm that it holds nothing of", got)
	}
	if got := bj.states(beijingFirm); len(got) != 4 {
		t.Errorf("states %d of 4 records", len(got))
	}
	w.comesBackTheSame()
}

// A record that is taken down is in no later statement; earlier anchors can
// still be shown until they are old.
func TestAStatementForgetsWhatIsTakenDown(t *testing.T) {
	w := newWorld(t)
	bj := w.members[beijing]
	ids := bj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1}, notice{no: "2", firm: beijingFirm, home: beijing, fine: 2})
	w.members[tianjin].submit("s-2", notice{no: "3", firm: beijingFirm, home: beijing, fine: 3})
	w.members[tianjin].drain()
	w.everyoneFollows()
	bj.anchor()
	bj.order(ids[0], true)
	if got := bj.states(beijingFirm); len(got) != 3 {
		t.Errorf("the anchor of before states %d records", len(got))
	}
	bj.anchor()
	if got := bj.states(beijingFirm); slices.Contains(got, ids[0]) || len(got) != 2 {
		t.Errorf("states %v", got)
	}
	w.comesBackTheSame()
}

// The ledger refuses an anchor that is bound where the region's last one is, or
// before: nobody is shown two sets for one size.
func TestNoTwoAnchorsForOneSize(t *testing.T) {
	w := newWorld(t)
	bj := w.members[beijing]
	bj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1})
	w.members[tianjin].submit("s-2", notice{no: "3", firm: beijingFirm, home: beijing, fine: 3})
	w.members[tianjin].drain()
	w.everyoneFollows()
	bj.anchor()
	for size, want := range map[uint64]exchange.Code{1: peers.CodeAnchor, 99: peers.CodeAnchor} {
		body := must[[]byte](t)(peers.Anchor{Size: size, Root: sm.Digest{1}}.Encode())
		entry := must[exchange.Authored](t)(bj.sealer.Clear(peers.KindAnchor, sm.Sum(body), bj.now, body))
		h := must[exchange.Header](t)(exchange.ParseHeader(entry.Header))
		b := bj.sign([]exchange.Pending{{ID: h.ID, Header: entry.Header, Body: body}})
		if rejection := w.apply(b); rejection == nil || rejection.Code != want {
			t.Errorf("bound at %d: %v", size, rejection)
		}
	}
}
