package casebook_test

import (
	"errors"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// lostNode is Tianjin's node as it was before it was lost: it holds the region's
// keys, and what it has sent since the backup its successor does not know.
func (w *world) lostNode() *region {
	w.t.Helper()
	tj := w.members[tianjin]
	lost := &region{world: w, name: tianjin, batch: tj.batch, decryption: tj.decryption, dir: w.t.TempDir()}
	lost.start()
	return lost
}

// What only the ledger has of an own record is read there, as long as it is there
// and opens.
func TestAStrangersRecordIsReadOnTheLedger(t *testing.T) {
	w := newWorld(t)
	tj, lost := w.members[tianjin], w.lostNode()
	ids := lost.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 7})
	lost.drain()
	ids = append(ids, lost.submit("s-2", notice{no: "2", firm: beijingFirm, home: beijing, fine: 7})...)
	lost.drain(func(entries []exchange.Pending) { entries[0].Key = sm.ContentKey{1} })
	w.everyoneFollows()
	tj.seq, tj.previous = tj.ledger.LastBatch(tianjin)
	own := tj.submit("s-3", notice{no: "3", firm: beijingFirm, home: beijing, fine: 7})[0]

	record := must[[]byte](t)(tj.book.Stranger(ids[0]))
	if p := must[*schemas.Penalty](t)(schemas.DecodePenalty(record)); p.DecisionNo != "1" || p.FineFen != 7 {
		t.Errorf("it reads %+v", p)
	}
	if _, err := tj.book.Stranger(ids[1]); !errors.Is(err, exchange.ErrUnreadable) {
		t.Errorf("sealed under another key: %v", err)
	}
	if _, err := tj.book.Stranger(own); !errors.Is(err, exchange.ErrNotFound) || errors.Is(err, exchange.ErrErased) {
		t.Errorf("of a record that the journal knows: %v", err)
	}
	tj.order(ids[0], true)
	if _, err := tj.book.Stranger(ids[0]); !errors.Is(err, exchange.ErrErased) {
		t.Errorf("taken down: %v", err)
	}
}

// Rows that repeat a stranger's decision hold what it says. When it is erased they
// go with it, as those of any other record do.
func TestRowsOfAStrangersDecisionAreErasedWithIt(t *testing.T) {
	w := newWorld(t)
	tj, lost := w.members[tianjin], w.lostNode()
	id := lost.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 7})[0]
	lost.drain()
	w.everyoneFollows()
	tj.seq, tj.previous = tj.ledger.LastBatch(tianjin)
	tj.submit("s-2", notice{no: "1", earlier: id}, notice{no: "1", earlier: id, bad: string(schemas.Conflict)}, notice{no: "x", bad: "ENUM"})

	tj.order(id, true)
	if q := must[exchange.Page[exchange.QuarantineItem]](t)(tj.book.Quarantine(exchange.RecordFilter{}, "", 5)); len(q.Items) != 1 || q.Items[0].Rule != "ENUM" {
		t.Errorf("quarantine holds %+v", q.Items)
	}
	pending := must[[]exchange.PendingErasure](t)(tj.book.PendingErasures(5, everyErasure))
	if len(pending) != 1 || len(pending[0].Slots) != 2 {
		t.Fatalf("to be erased are %+v", pending)
	}
	slots := pending[0].Slots
	tj.drain()
	w.everyoneFollows()
	w.carryOutEverywhere(raftLog{})
	for _, slot := range slots {
		if _, err := tj.vault.Seal(slot, exchange.PurposeRow, 0, nil); !errors.Is(err, exchange.ErrErased) {
			t.Errorf("slot %d of a row: %v", slot, err)
		}
	}
	w.comesBackTheSame()
}
