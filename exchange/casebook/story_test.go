package casebook_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// A Tianjin agency fines a Beijing firm; the firm reads it in its app, and the
// agency sees that it did.
func TestANoticeDoorToDoor(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	bj.bind(beijingFirm)
	ids := tj.submit("s-1", notice{no: "津交罚〔2024〕1号", firm: beijingFirm, home: beijing, fine: 200000})
	if got := tj.record(ids[0]); got.State != exchange.StateAccepted || got.Submission != "s-1" || got.Row != 1 {
		t.Fatalf("accepted record is %+v", got)
	}

	tj.drain()
	w.everyoneFollows()
	record := tj.record(ids[0])
	if record.State != exchange.StateCommitted || record.Index == nil || *record.Index != 0 {
		t.Fatalf("after its batch was followed the record is %+v", record)
	}
	if pending, cuts := must[[]exchange.Pending](t)(tj.book.Pending(0, 10)), must[[]exchange.BatchCut](t)(tj.book.Cuts()); len(pending)+len(cuts) != 0 {
		t.Fatalf("%d entries and %d cuts are left", len(pending), len(cuts))
	}

	items := bj.feed(0)
	if len(items) != 1 {
		t.Fatalf("the feed has %d items, want 1", len(items))
	}
	item := items[0]
	if item.Seq != 1 || item.Op != exchange.OpNew || item.Record != ids[0] || item.SubjectUSCC != beijingFirm ||
		*item.FineFen != 200000 || item.Plate != "津A12345" || item.DueText != "自收到之日起15日内" || item.Due != nil ||
		item.Pay.Code == "" || !item.Publication.Published || item.Lang != "zh" || item.Title == "" {
		t.Fatalf("the reminder reads %+v", item)
	}
	if english := item.In("en"); english.Lang != "en" || english.DueText != "within 15 days of receipt" || english.ID != item.ID {
		t.Errorf("in English it reads %+v", english)
	}
	for _, other := range []peers.Region{hebei, shanxi} {
		if n := w.members[other].counts(); n.Opened != 0 || n.Reminders[exchange.StageIssued] != 0 {
			t.Errorf("%s, who is no recipient, counts %+v", other, n)
		}
	}

	bj.acknowledge(item.ID, exchange.AckDelivered)
	bj.acknowledge(item.ID, exchange.AckRead)
	bj.answer()
	if n := bj.counts().PendingAcks; n != 0 {
		t.Errorf("%d acks wait after the statement that carries them", n)
	}
	bj.drain()
	w.everyoneFollows()
	deliveries := tj.record(ids[0]).Deliveries
	if len(deliveries) != 1 || deliveries[0].Region != string(beijing) || deliveries[0].State != exchange.AckRead {
		t.Fatalf("Tianjin sees %+v", deliveries)
	}
	if _, authored, _ := bj.book.PendingAcks(1); authored[tianjin] != 1 {
		t.Errorf("%d statements counted", authored[tianjin])
	}
	if got := bj.record(ids[0]); got.Body == nil || got.Body.DecisionNo != "津交罚〔2024〕1号" || got.Author.Agency != agency {
		t.Errorf("the recipient shows %+v", got)
	}
}

// A home record never leaves, and its firm is reminded at home.
func TestAHomeRecord(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	ids := tj.submit("s-1",
		notice{no: "1", firm: tianjinFirm, home: tianjin, fine: 100},
		notice{no: "2", firm: beijingFirm}, // home unknown: local, no reminder
	)
	if n := tj.counts(); n.Records[exchange.StateLocal] != 2 || n.Outbox != 0 || n.Reminders[exchange.StageIssued] != 1 {
		t.Fatalf("counts are %+v", n)
	}
	tj.bind(tianjinFirm)
	items := tj.feed(0)
	if len(items) != 1 || items[0].Record != ids[0] || !items[0].Backfill {
		t.Fatalf("the feed holds %+v", items)
	}
	tj.acknowledge(items[0].ID, exchange.AckActed)
	if d := tj.record(ids[0]).Deliveries; len(d) != 1 || d[0].Region != string(tianjin) || d[0].State != exchange.AckActed {
		t.Errorf("deliveries are %+v", d)
	}
	if n := tj.counts().PendingAcks; n != 0 {
		t.Errorf("%d acks wait for nobody", n)
	}
}

// A source is what came and what was agreed, in whichever order the two came.
func TestSources(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	if _, err := tj.book.Source(agency, exchange.KindPenalty); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("a source of which nothing is known: %v", err)
	}
	tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "x", bad: "USCC_CHECK"})
	tj.tell(exchange.Event{Register: &exchange.RegisterChanged{Register: exchange.RegisterSources, Sources: []schemas.SourcePlan{
		{USCC: agency, Name: "某总队", Kind: exchange.KindPenalty, EveryDays: 7},
		{USCC: "11120000000186458B", Name: "某委", Kind: exchange.KindPenalty, EveryDays: 30},
	}}})
	s := must[exchange.Source](t)(tj.book.Source(agency, exchange.KindPenalty))
	if s.Submissions != 1 || s.Rows != 2 || s.EveryDays != 7 || s.Name != "某总队" || s.LastAt == nil {
		t.Fatalf("the source is %+v", s)
	}
	for days, silent := range map[int]bool{0: false, 7: false, 8: true} {
		if got, is := s.Silent(schemas.DateOf(s.LastAt.AddDate(0, 0, days))); got != days || is != silent {
			t.Errorf("after %d days: %d, silent %v", days, got, is)
		}
	}
	first := must[exchange.Page[exchange.Source]](t)(tj.book.Sources("", 1))
	rest := must[exchange.Page[exchange.Source]](t)(tj.book.Sources(first.Next, 10))
	if len(first.Items) != 1 || first.Next == "" || len(rest.Items) != 1 || rest.Next != "" || first.Items[0].LastAt != nil {
		t.Errorf("pages %+v and %+v", first, rest)
	}
	if _, silent := first.Items[0].Silent(schemas.DateOf(first.Items[0].PlannedAt.AddDate(0, 0, 31))); !silent {
		t.Error("a source that never sent is not missed")
	}
}

func TestWhatASenderIsTold(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	first := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "x", bad: "USCC_CHECK"})
	tj.submit("s-2", notice{no: "1", earlier: first[0]}, notice{no: "x", bad: "USCC_CHECK"}, notice{no: "2", firm: beijingFirm, home: beijing})

	v := must[exchange.SubmissionView](t)(tj.book.Submission("s-2"))
	if v.Received != 3 || v.Accepted != 1 || v.Quarantined != 1 || v.Duplicate != 1 || !v.Complete ||
		v.ByRule["USCC_CHECK"] != 1 || v.ByRule["DUPLICATE"] != 1 || len(v.Findings) != 1 || len(v.Records) != 3 {
		t.Fatalf("the sender is told %+v", v)
	}
	if row := v.Records[0]; row.Outcome != exchange.RowDuplicate || *row.ID != first[0] {
		t.Errorf("the duplicate points to %+v", row)
	}
	if row := v.Records[2]; row.Subject != beijingFirm || row.Home != beijing || row.State != exchange.StateAccepted {
		t.Errorf("the accepted row reads %+v", row)
	}

	bad := must[exchange.Page[exchange.QuarantineItem]](t)(tj.book.Quarantine(exchange.RecordFilter{Submitter: agency}, "", 10))
	if len(bad.Items) != 1 || bad.Items[0].Times != 2 || bad.Items[0].Submission != "s-2" || string(bad.Items[0].Raw) != "x" {
		t.Errorf("the same bad row twice is %+v", bad.Items)
	}
	tj.submit("s-4", notice{no: "x", firm: beijingFirm, home: beijing})
	if left := must[exchange.Page[exchange.QuarantineItem]](t)(tj.book.Quarantine(exchange.RecordFilter{}, "", 10)); len(left.Items) != 0 {
		t.Errorf("the mended row still waits: %+v", left.Items)
	}
	if n := must[exchange.Counts](t)(tj.book.Counts()).Quarantined["USCC_CHECK"]; n != 0 {
		t.Errorf("%d rows are counted that nobody has to mend", n)
	}
	id, digest, err := tj.book.SubmissionByIdempotency("token-1", "key-s-2")
	if err != nil || id != "s-2" || digest != sm.Sum([]byte("s-2")) {
		t.Errorf("by idempotency key: %s, %v", id, err)
	}
	for _, miss := range []error{
		func() error { _, err := tj.book.Submission("s-3"); return err }(),
		func() error { _, err := tj.book.Record(sm.Sum()); return err }(),
		func() error { _, err := tj.book.Rows("s-3", "", 1); return err }(),
		func() error { _, _, err := tj.book.SubmissionByIdempotency("token-1", "other"); return err }(),
	} {
		if !errors.Is(miss, exchange.ErrNotFound) {
			t.Errorf("a miss is %v", miss)
		}
	}
}

// Pages fit together without gap or overlap, whatever their length.
func TestPages(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	var all []exchange.EntryID
	for _, id := range []string{"s-1", "s-2", "s-3"} {
		all = append(all, tj.submit(id, notice{no: id + "a", firm: beijingFirm, home: beijing}, notice{no: id + "b", bad: "ENUM"},
			notice{no: id + "c", firm: tianjinFirm, home: tianjin})...)
	}
	slices.Reverse(all) // records come newest first
	for limit := 1; limit < 8; limit++ {
		var got []exchange.EntryID
		for cursor := ""; ; {
			p := must[exchange.Page[exchange.RecordView]](t)(tj.book.Records(exchange.RecordFilter{Submitter: agency}, cursor, limit))
			for _, r := range p.Items {
				got = append(got, r.ID)
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, all) {
			t.Fatalf("records by %d: %d of %d", limit, len(got), len(all))
		}
		rows := 0
		for cursor := ""; ; {
			p := must[exchange.Page[exchange.RowView]](t)(tj.book.Rows("s-2", cursor, limit))
			for _, r := range p.Items {
				if rows++; r.Row != rows {
					t.Fatalf("row %d comes as number %d", r.Row, rows)
				}
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if rows != 3 {
			t.Fatalf("%d rows by %d", rows, limit)
		}
	}
	local := must[exchange.Page[exchange.RecordView]](t)(tj.book.Records(exchange.RecordFilter{State: exchange.StateLocal}, "", 10))
	if len(local.Items) != 3 {
		t.Errorf("%d local records", len(local.Items))
	}
	// Also one of another list or of the feed, which would be taken for the end.
	for _, cursor := range []string{"!", "AAAA", "AAECAwQFBgcICQoLDA0ODxARERERERERERERERERERERERERERER", "AQAAAAAAAAECAAAAAGcpbhA"} {
		for list, read := range map[string]func() error{
			"rows":           func() error { _, err := tj.book.Rows("s-1", cursor, 5); return err },
			"records":        func() error { _, err := tj.book.Records(exchange.RecordFilter{}, cursor, 5); return err },
			"open reminders": func() error { _, err := tj.book.Reminders(cursor, 5); return err },
		} {
			var e *exchange.Error
			if err := read(); !errors.As(err, &e) || e.Code != "CURSOR" {
				t.Errorf("%s: cursor %q: %v", list, cursor, err)
			}
		}
	}
}

// The feed holds bound firms only. What was open when a firm is bound comes as
// backfill, what it has dealt with does not.
func TestBindingAFirm(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "2", firm: beijingFirm, home: beijing})
	tj.drain()
	bj.follow()
	if n := bj.counts(); len(bj.feed(0)) != 0 || n.Reminders[exchange.StageIssued] != 2 || n.Bound != 0 {
		t.Fatalf("before anyone is bound: %+v", n)
	}

	bj.bind(beijingFirm)
	bj.bind(beijingFirm) // again: nothing new
	items := bj.feed(0)
	if len(items) != 2 || !items[0].Backfill || items[0].Seq != 1 || items[1].Seq != 2 {
		t.Fatalf("backfill is %+v", items)
	}
	bj.acknowledge(items[0].ID, exchange.AckActed)
	tj.submit("s-2", notice{no: "3", firm: beijingFirm, home: beijing})
	tj.drain()
	bj.follow()
	if items := bj.feed(2); len(items) != 1 || items[0].Seq != 3 || items[0].Backfill {
		t.Fatalf("a new reminder of a bound firm is %+v", items)
	}

	bj.unbind(beijingFirm)
	if len(bj.feed(0)) != 0 || must[bool](t)(bj.book.Bound(beijingFirm)) {
		t.Error("the feed still has reminders of a firm that is not bound")
	}
	bj.bind(beijingFirm)
	again := bj.feed(3)
	if len(again) != 2 || again[0].ID != items[1].ID || again[0].Seq != 4 || again[1].Seq != 5 {
		t.Fatalf("bound again, the open reminders are %+v", again)
	}
	open := must[exchange.Page[exchange.Reminder]](t)(bj.book.Reminders("", 1))
	if len(open.Items) != 1 || open.Items[0].Seq != 4 || open.Next == "" {
		t.Errorf("the first page of open reminders is %+v", open)
	}
}

// Acks only move forward; saying it again is no news; failed stands beside.
func TestAcksAreMonotone(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	ids := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing})
	tj.drain()
	bj.follow()
	bj.bind(beijingFirm)
	id := bj.feed(0)[0].ID
	for i, c := range []struct {
		state  exchange.AckState
		answer exchange.AckAnswer
		told   int // acks that wait to be told afterwards
	}{
		{exchange.AckFailed, exchange.AckOK, 1},
		{exchange.AckRead, exchange.AckOK, 2},
		{exchange.AckRead, exchange.AckOK, 2},
		{exchange.AckDelivered, exchange.AckStale, 2},
		{exchange.AckFailed, exchange.AckOK, 2},
		{exchange.AckActed, exchange.AckOK, 3},
		{exchange.AckRead, exchange.AckStale, 3},
	} {
		answers := must[[]exchange.AckAnswer](t)(bj.book.Judge([]exchange.Ack{
			{Reminder: id, State: c.state, At: w.now}, {Reminder: "r-1", State: c.state}, {Reminder: sm.Sum().String() + "-issued", State: c.state},
		}))
		if answers[0] != c.answer || answers[1] != exchange.AckUnknown || answers[2] != exchange.AckUnknown {
			t.Fatalf("step %d: %s is judged %v", i, c.state, answers)
		}
		bj.acknowledge(id, c.state)
		if got := bj.counts().PendingAcks; got != c.told {
			t.Fatalf("step %d: %d acks wait, want %d", i, got, c.told)
		}
	}
	both := must[[]exchange.AckAnswer](t)(bj.book.Judge([]exchange.Ack{{Reminder: id, State: exchange.AckUnbound}, {Reminder: id, State: exchange.AckDelivered}}))
	if both[0] != exchange.AckOK || both[1] != exchange.AckStale {
		t.Errorf("acks of one call are judged %v", both)
	}

	bj.answer()
	bj.drain()
	tj.follow()
	d := tj.record(ids[0]).Deliveries
	if len(d) != 2 || d[0].State != exchange.AckActed || d[1].State != exchange.AckFailed {
		t.Errorf("the origin sees %+v", d)
	}
}

// What a region says of a record that was not sealed to it counts for nothing.
func TestAStrangersWordIsNotADelivery(t *testing.T) {
	w := newWorld(t)
	tj, he := w.members[tianjin], w.members[hebei]
	ids := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing})
	body := must[[]byte](t)((&exchange.Acknowledgement{Acks: []exchange.RecordAck{{Record: ids[0], State: exchange.AckActed, At: 1}}}).Marshal())
	author := must[[]byte](t)((&exchange.Author{Kind: exchange.AuthorRegion, Agency: string(hebei)}).Marshal())
	he.author(exchange.ClassStatement, exchange.KindAcknowledgement, sm.Sum([]byte("a")), tianjin, body, author, nil)
	he.drain()
	tj.follow()
	if d := tj.record(ids[0]).Deliveries; len(d) != 0 {
		t.Errorf("deliveries are %+v", d)
	}
}

// A batch that is refused loses its bad entry; the others wait again in their
// old order, and the sender may send the refused record once more.
func TestARefusedBatchIsCutAgain(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	ids := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "2", firm: beijingFirm, home: beijing},
		notice{no: "3", firm: beijingFirm, home: beijing})
	pending := must[[]exchange.Pending](t)(tj.book.Pending(0, 10))
	first := tj.cut(pending[:2])
	tj.cut(pending[2:])
	if left := must[[]exchange.Pending](t)(tj.book.Pending(0, 10)); len(left) != 0 {
		t.Fatalf("%d entries wait although they are cut", len(left))
	}
	if cuts := must[[]exchange.BatchCut](t)(tj.book.Cuts()); len(cuts) != 2 || string(cuts[0].Preamble) != string(first.RawPreamble) {
		t.Fatalf("cuts are %+v", cuts)
	}

	tj.tell(exchange.Event{Refused: &exchange.BatchRefused{Seq: 1, Code: exchange.CodeBadHeader, Item: ids[0]}})
	tj.seq, tj.previous = 0, sm.Digest{}
	left := must[[]exchange.Pending](t)(tj.book.Pending(0, 10))
	if len(left) != 2 || left[0].ID != ids[1] || left[1].ID != ids[2] || len(must[[]exchange.BatchCut](t)(tj.book.Cuts())) != 0 {
		t.Fatalf("after the refusal wait %+v", left)
	}
	if left[0].Order != pending[1].Order || string(left[0].Body) != string(pending[1].Body) || left[0].Key != pending[1].Key {
		t.Error("an entry that waits again is not the one that waited before")
	}
	if got := tj.record(ids[0]); got.State != exchange.StateRefused || got.Code != string(exchange.CodeBadHeader) {
		t.Errorf("the bad entry is %+v", got)
	}
	key := tj.secret.Digest("key", []byte("1"))
	if s := must[[]exchange.Standing](t)(tj.book.Standings([]sm.Digest{key})); !s[0].ID.IsZero() {
		t.Error("a refused record still stands in the way of its correction")
	}

	tj.drain()
	tj.follow()
	if n := tj.counts(); n.Outbox != 0 || n.Records[exchange.StateCommitted] != 2 || n.Records[exchange.StateRefused] != 1 {
		t.Errorf("in the end counts are %+v", n)
	}
}

// A batch at fault as a whole goes back as a whole.
func TestABatchRefusedAsAWhole(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "2", firm: beijingFirm, home: beijing})
	tj.cut(must[[]exchange.Pending](t)(tj.book.Pending(0, 10)))
	tj.tell(exchange.Event{Refused: &exchange.BatchRefused{Seq: 1, Code: exchange.CodeUnknownKey}})
	if left := must[[]exchange.Pending](t)(tj.book.Pending(0, 10)); len(left) != 2 {
		t.Errorf("%d of 2 entries wait again", len(left))
	}
}

func TestRegisters(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	tj.tell(exchange.Event{Register: &exchange.RegisterChanged{Register: exchange.RegisterFirms, Firms: []schemas.Firm{
		{USCC: beijingFirm, Name: "甲", HomeRegion: "110000"}}}})
	tj.tell(exchange.Event{Register: &exchange.RegisterChanged{Register: exchange.RegisterFirms, Firms: []schemas.Firm{
		{USCC: beijingFirm, Name: "乙", FormerNames: []string{"甲"}, HomeRegion: "130000"}}}})
	tj.tell(exchange.Event{Register: &exchange.RegisterChanged{Register: exchange.RegisterAuthorities, Authorities: []schemas.Authority{
		{USCC: agency, Name: "总队", Region: "120000"}}}})
	registers := tj.book.Registers()
	if f, ok := registers.Firm(beijingFirm); !ok || f.Name != "乙" || f.HomeRegion != "130000" || len(f.FormerNames) != 1 {
		t.Errorf("the firm is %+v", f)
	}
	if a, ok := registers.Authority("120000", agency); !ok || a.Name != "总队" {
		t.Errorf("the authority is %+v", a)
	}
	if _, ok := registers.Authority("110000", agency); ok {
		t.Error("an authority is found in another region's register")
	}
	if _, ok := registers.Firm(tianjinFirm); ok {
		t.Error("a firm is found that nobody registered")
	}
}

// A row may have a megabyte, and a page five hundred rows: it is cut where it
// would take too much to open, and goes on there.
func TestAPageOfLongRowsIsCut(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	const rows, length = 20, 1 << 20
	for i := range rows {
		long := strings.Repeat(string(rune('a'+i)), length)
		tj.submit("s-"+long[:1], notice{no: long, bad: "LENGTH"})
	}
	seen := map[string]bool{}
	for cursor := ""; ; {
		page := must[exchange.Page[exchange.QuarantineItem]](t)(tj.book.Quarantine(exchange.RecordFilter{}, cursor, 500))
		if n := len(page.Items); n == 0 || n > 9 {
			t.Fatalf("a page opens %d rows of a megabyte", n)
		}
		for _, item := range page.Items {
			if len(item.Raw) != length || seen[item.ID] {
				t.Errorf("%s comes with %d bytes, or twice", item.ID, len(item.Raw))
			}
			seen[item.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != rows {
		t.Errorf("%d rows are listed, want %d", len(seen), rows)
	}
}
