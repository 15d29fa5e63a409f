package casebook_test

import (
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// A record is shown as witnessed once a witnessed checkpoint covers it, in its
// own view, in its submission, in lists and in counts; the rest is committed.
func TestWhatIsCoveredIsShownAsWitnessed(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	ids := tj.submit("s-1",
		notice{no: "津交罚〔2024〕1号", firm: beijingFirm, home: beijing, fine: 200000},
		notice{no: "津交罚〔2024〕2号", firm: beijingFirm, home: beijing, fine: 300000},
	)
	tj.drain()
	w.everyoneFollows()
	if n := tj.counts().Records; n[exchange.StateCommitted] != 2 || n[exchange.StateWitnessed] != 0 {
		t.Fatalf("nothing is witnessed, counted %v", n)
	}
	tj.witnessed.size = 1
	states := map[exchange.State]int{}
	for _, id := range ids {
		r := tj.record(id)
		if covered := *r.Index == 0; covered != (r.State == exchange.StateWitnessed) || !covered && r.State != exchange.StateCommitted {
			t.Errorf("leaf %d is %s", *r.Index, r.State)
		}
		states[r.State]++
	}
	v := must[exchange.SubmissionView](t)(tj.book.Submission("s-1"))
	for _, row := range v.Records {
		states[row.State]++
	}
	for _, state := range []exchange.State{exchange.StateCommitted, exchange.StateWitnessed} {
		page := must[exchange.Page[exchange.RecordView]](t)(tj.book.Records(exchange.RecordFilter{State: state}, "", 10))
		if states[state] != 2 || len(page.Items) != 1 || tj.counts().Records[state] != 1 {
			t.Errorf("%s: shown %d times, listed %d, counted %v", state, states[state], len(page.Items), tj.counts().Records)
		}
	}
}
