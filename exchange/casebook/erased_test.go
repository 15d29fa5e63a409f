package casebook_test

import (
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/casebook"
)

// A record is erased: the app is told to take its reminder down, nothing of it
// is shown any more, and a casebook that is built later never saw it.
func TestAnErasedRecord(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	id := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1})[0]
	tj.drain()
	bj.bind(beijingFirm)
	w.everyoneFollows()
	before := bj.feed(0)[0]
	if err := w.ledger.Erase(0); err != nil {
		t.Fatal(err)
	}
	after := bj.feed(0)[0]
	if after.Op != exchange.OpCancel || after.ID != before.ID || after.Seq != before.Seq || after.SubjectName != "" || after.Text == "" {
		t.Errorf("the reminder reads %+v", after)
	}
	if r := bj.record(id); r.Body != nil || r.Author != nil || r.State != exchange.StateCommitted {
		t.Errorf("the record reads %+v", r)
	}

	last := bj.journal.Last()
	book, stop := bj.open("later", bj.journal)
	defer stop()
	waitFor(t, book, last)
	n := must[exchange.Counts](t)(book.Counts())
	if n.Parked[casebook.CodeErased] != 1 || n.Opened != 0 || n.PendingAcks != 0 {
		t.Errorf("built later, the casebook counts %+v", n)
	}

	// The origin's own copies go with its slot.
	if err := tj.vault.Erase(1); err != nil {
		t.Fatal(err)
	}
	if r := tj.record(id); r.Body != nil || r.State != exchange.StateCommitted {
		t.Errorf("at the origin it reads %+v", r)
	}
	if rows := must[exchange.Page[exchange.RowView]](t)(tj.book.Rows("s-1", "", 5)); rows.Items[0].Subject != "" || *rows.Items[0].ID != id {
		t.Errorf("its row reads %+v", rows.Items[0])
	}
}
