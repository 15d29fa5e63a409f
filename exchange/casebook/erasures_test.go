package casebook_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// service is the region's write door.
func (r *region) service() *exchange.Service {
	return exchange.NewService(exchange.Config{
		Region: r.name, Clock: func() time.Time { return r.now }, Sealer: r.sealer, Journal: r.journal, Vault: r.vault,
		Slots: r.slots, Casebook: r.book, Ledger: r.ledger, Commits: &exchange.Commits{}, Catalogue: schemas.Default(),
	})
}

var operator = exchange.Principal{ID: "t-1", Role: exchange.RoleOperator}

func (r *region) order(id exchange.EntryID, now bool) exchange.ErasureView {
	r.t.Helper()
	return must[exchange.ErasureView](r.t)(r.service().Erase(r.t.Context(), operator, id, exchange.ReasonRepaired, now))
}

// raftLog forgets at once, unless it must wait.
type raftLog struct{ wait bool }

func (l raftLog) Forget(context.Context, func([]byte) bool) (uint64, error) {
	if l.wait {
		return 0, errors.New("the log still needs it")
	}
	return 77, nil
}

// fined is a world in which Tianjin has fined a firm of Beijing's and everybody
// has read it on the ledger.
func fined(t *testing.T) (w *world, tj, bj *region, id exchange.EntryID) {
	t.Helper()
	w = newWorld(t)
	tj, bj = w.members[tianjin], w.members[beijing]
	id = tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1})[0]
	tj.drain()
	w.everyoneFollows()
	return w, tj, bj, id
}

// carryOut lets the region's eraser work until done says so.
func (r *region) carryOut(log raftLog, done func() bool) {
	r.t.Helper()
	eraser := exchange.Eraser{
		Sealer: r.sealer, Node: string(r.name) + "-1", Clock: func() time.Time { return r.now }, Backups: 30 * 24 * time.Hour,
		Interval: time.Millisecond, Round: time.Hour, Casebook: r.book, Journal: r.journal, Vault: r.vault, Slots: r.slots,
		Ledger: r.ledger, Bodies: r.ledger, Log: log, Logger: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- eraser.Run(ctx) }()
	for seen := r.book.Position(); !done(); seen++ {
		if err := r.book.WaitFor(ctx, seen+1); err != nil {
			r.t.Fatalf("the eraser of %s does not get done: %v", r.name, err)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		r.t.Errorf("the eraser of %s ended with %v", r.name, err)
	}
}

func (r *region) pending(wanted func(*exchange.PendingErasure) bool) int {
	return len(must[[]exchange.PendingErasure](r.t)(r.book.PendingErasures(100, wanted)))
}

func everyErasure(*exchange.PendingErasure) bool { return true }

// A record that was repaired: the origin orders, every region stops at once,
// erases, and says so. Whoever builds its casebook again gets the same one,
// though nothing can be read any more.
func TestARecordIsErasedEverywhere(t *testing.T) {
	w := newWorld(t)
	tj, bj, he := w.members[tianjin], w.members[beijing], w.members[hebei]
	bj.bind(beijingFirm)
	ids := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1}, notice{no: "2", firm: beijingFirm, home: beijing, fine: 2})
	tj.submit("s-2", notice{no: "1", earlier: ids[0]}, notice{no: "1", bad: string(schemas.Conflict)}, notice{no: "x", bad: "ENUM"})
	tj.drain()
	w.everyoneFollows()
	before := w.ledger.Head()
	shown := bj.feed(0)

	// The order. The origin serves nothing from that moment, whoever it reaches.
	if v := tj.order(ids[0], true); v.Reason != exchange.ReasonRepaired || len(v.Regions) != 4 || v.Regions[1].State != exchange.ErasurePending || v.Index != nil {
		t.Errorf("the order answers %+v", v)
	}
	tj.order(ids[0], true) // again: nothing new
	if r := tj.record(ids[0]); r.Body != nil || r.Author != nil || r.Erasure == nil {
		t.Errorf("at the origin it reads %+v", r)
	}
	if rows := must[exchange.Page[exchange.RowView]](t)(tj.book.Rows("s-1", "", 5)); rows.Items[0].Subject != "" || rows.Items[1].Subject != beijingFirm {
		t.Errorf("the rows read %+v", rows.Items)
	}
	if q := must[exchange.Page[exchange.QuarantineItem]](t)(tj.book.Quarantine(exchange.RecordFilter{}, "", 5)); len(q.Items) != 1 || q.Items[0].Rule != "ENUM" {
		t.Errorf("quarantine holds %+v", q.Items)
	}
	if s := must[[]exchange.Standing](t)(tj.book.Standings([]exchange.EntryID{tj.secret.Digest("key", []byte("1"))})); !s[0].Erased || s[0].ID != ids[0] {
		t.Errorf("its key stands as %+v", s[0])
	}
	if r := bj.record(ids[0]); r.Body == nil {
		t.Error("the recipient stopped before it heard of the order")
	}

	tj.drain()
	w.everyoneFollows()
	after := bj.feed(shown[len(shown)-1].Seq)
	if len(after) != 1 || after[0].Op != exchange.OpCancel || after[0].ID != shown[0].ID || after[0].SubjectName != "" {
		t.Errorf("the app is told %+v", after)
	}
	if open := must[exchange.Page[exchange.Reminder]](t)(bj.book.Reminders("", 10)); len(open.Items) != 1 || open.Items[0].Record != ids[1] {
		t.Errorf("open reminders are %+v", open.Items)
	}
	if r := bj.record(ids[0]); r.Body != nil || r.Erasure == nil || r.State != exchange.StateCommitted {
		t.Errorf("at the recipient it reads %+v", r)
	}

	w.carryOutEverywhere(raftLog{})
	for _, r := range []*region{tj, bj} {
		v := r.record(ids[0]).Erasure
		for _, said := range v.Regions {
			if said.State != exchange.ErasureDone || said.LogFirst != 77 || said.BackupsUntil == "" || said.Held != (said.Region == tianjin || said.Region == beijing) {
				t.Errorf("in %s, %s says %+v", r.name, said.Region, said)
			}
		}
		if len(v.Regions) != 4 || v.Index == nil {
			t.Errorf("in %s: %+v", r.name, v)
		}
		if n := r.pending(everyErasure); n != 0 {
			t.Errorf("%s has %d left", r.name, n)
		}
	}
	if n := he.counts(); n.Parked[casebook.CodeErased] != 0 || n.Outbox != 0 {
		t.Errorf("a region that could never read it counts %+v", n)
	}

	// Nothing else has changed.
	if r := bj.record(ids[1]); r.Body == nil || r.Body.FineFen != 2 {
		t.Errorf("the other record reads %+v", r)
	}
	if root := must[sm.Digest](t)(w.ledger.RootAt(before.Size)); root != before.Root {
		t.Error("the ledger has another root")
	}
	w.comesBackTheSame()
}

// carryOutEverywhere stops, erases and states in all four regions.
func (w *world) carryOutEverywhere(log raftLog) {
	w.t.Helper()
	all := []*region{w.members[beijing], w.members[tianjin], w.members[hebei], w.members[shanxi]}
	for _, r := range all {
		r.carryOut(log, func() bool { return r.pending(everyErasure) == 0 })
	}
	for _, r := range all {
		r.drain()
	}
	w.everyoneFollows()
}

// comesBackTheSame deletes every casebook and builds it again.
func (w *world) comesBackTheSame() {
	w.t.Helper()
	for name, r := range w.members {
		last := r.journal.Last()
		r.stop()
		want := dump(w.t, filepath.Join(r.dir, "casebook"))
		book, stop := r.open("again", r.journal)
		waitFor(w.t, book, last)
		stop()
		if got := dump(w.t, filepath.Join(r.dir, "again")); got != want {
			w.t.Errorf("%s differs:\n%s", name, difference(want, got))
		}
	}
}

// A home record has no entry on the ledger: its region takes it down and erases
// it alone.
func TestAHomeRecordIsErased(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	tj.bind(tianjinFirm)
	ids := tj.submit("s-1", notice{no: "1", firm: tianjinFirm, home: tianjin, fine: 1}, notice{no: "2", firm: tianjinFirm, home: tianjin, fine: 1})
	tj.order(ids[0], true)
	if items := tj.feed(2); len(items) != 1 || items[0].Op != exchange.OpCancel || items[0].Record != ids[0] {
		t.Errorf("the app is told %+v", items)
	}
	tj.carryOut(raftLog{wait: true}, func() bool { return tj.pending(everyErasure) == 0 })
	v := tj.record(ids[0]).Erasure
	if len(v.Regions) != 1 || v.Regions[0].State != exchange.ErasureDone || v.Regions[0].Region != tianjin {
		t.Errorf("the region says %+v", v)
	}
	if n := tj.counts(); n.Outbox != 0 || n.Reminders[exchange.StageIssued] != 2 {
		t.Errorf("counts are %+v", n)
	}
	w.comesBackTheSame()
}

// While the log still needs the record the region has stopped serving, and says
// only that.
func TestAnErasureThatHasToWait(t *testing.T) {
	w, tj, bj, id := fined(t)
	tj.order(id, false)
	tj.drain()
	w.everyoneFollows()
	bj.carryOut(raftLog{wait: true}, func() bool {
		return bj.pending(func(p *exchange.PendingErasure) bool { return p.Kept }) == 1
	})
	if v := bj.record(id).Erasure; v.Regions[0].State != exchange.ErasureStopped {
		t.Errorf("it says %+v", v.Regions[0])
	}
	bj.drain()
	w.everyoneFollows()
	v := tj.record(id).Erasure
	if v.Regions[0].State != exchange.ErasureStopped || v.Regions[2].State != exchange.ErasurePending || v.Regions[1].State != exchange.ErasurePending {
		t.Errorf("the origin hears %+v", v.Regions)
	}
	w.carryOutEverywhere(raftLog{})
	if v := tj.record(id).Erasure; v.Regions[0].State != exchange.ErasureDone {
		t.Errorf("later it says %+v", v.Regions[0])
	}
	w.comesBackTheSame()
}

// A recipient, or anybody else, can't make the others erase a record.
func TestAnOrderByAnotherRegion(t *testing.T) {
	w, tj, bj, id := fined(t)
	_, err := bj.service().Erase(t.Context(), operator, id, exchange.ReasonRepaired, true)
	if problem := (*exchange.Error)(nil); !errors.As(err, &problem) || problem.Code != "NOT_ORIGIN" {
		t.Errorf("its own door says %v", err)
	}
	body := must[[]byte](t)((&exchange.Order{Reason: exchange.ReasonRepaired, Now: true}).Marshal())
	bj.forgeOrder(exchange.Ref{Index: 0, ID: id}, body)
	bj.drain()
	w.everyoneFollows()
	for _, r := range []*region{tj, bj} {
		if v := r.record(id); v.Erasure != nil || v.Body == nil {
			t.Errorf("in %s it reads %+v", r.name, v)
		}
		if n := r.pending(everyErasure); n != 0 {
			t.Errorf("%s is about to erase", r.name)
		}
	}
	if n := tj.counts(); n.Parked[casebook.CodeNotEntitled] != 1 {
		t.Errorf("the origin counts %+v", n)
	}
}

// forgeOrder authors an order without asking whether this region may.
func (r *region) forgeOrder(ref exchange.Ref, body []byte) {
	r.t.Helper()
	author := must[[]byte](r.t)((&exchange.Author{Kind: exchange.AuthorRegion, Agency: string(r.name)}).Marshal())
	entry, key, err := r.sealer.Seal(exchange.ClassStatement, exchange.KindErasure, r.secret.EntryID("erasure", body, 9), []peers.Region{tianjin, hebei}, r.now, body, author)
	if err != nil {
		r.t.Fatal(err)
	}
	h := must[exchange.Header](r.t)(exchange.ParseHeader(entry.Header))
	h.Class, h.Ref = exchange.ClassFollowUp, &ref
	entry.Header = must[[]byte](r.t)(h.Marshal())
	e := &exchange.EntryAuthored{Entry: entry, Slot: must[uint64](r.t)(r.slots.Take(1))}
	e.Key = must[[]byte](r.t)(r.vault.Seal(e.Slot, exchange.PurposeKey, 0, key[:]))
	r.tell(exchange.Event{Authored: e})
}

// What a region keeps for itself is unreadable once the slot is erased: no file
// holds the text of the record, its ciphertext, its key or a wrapped key.
func TestNoPrivateCopyOutlivesTheSlot(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	id := tj.submit("s-1", notice{no: "津交罚〔2024〕777号", firm: beijingFirm, home: beijing, fine: 1})[0]
	entry := must[exchange.Pending](t)(tj.book.Authored(id))
	tj.drain()
	w.everyoneFollows()
	e := must[[]exchange.Entry](t)(w.ledger.Entries(0, 1))[0]
	secrets := map[string][]byte{
		"its number": []byte("津交罚〔2024〕777号"), "its ciphertext": entry.Body[40:80], "its key": entry.Key[:],
		"a wrapped key": bytes.Clone(e.Batch.Wraps[len(e.Batch.Wraps)-32:]),
	}
	tj.order(id, true)
	tj.drain()
	w.everyoneFollows()
	w.carryOutEverywhere(raftLog{})
	for _, r := range []*region{tj, bj} {
		err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			for what, secret := range secrets {
				if bytes.Contains(content, secret) {
					t.Errorf("%s: %s holds %s", r.name, filepath.Base(path), what)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A region that was away reads the record when the body is gone already, and the
// order after it. It has nothing to show and nothing to erase, and says so.
func TestARegionThatWasAwayHearsOfAnErasure(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	bj.bind(beijingFirm)
	ids := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1}, notice{no: "2", firm: beijingFirm, home: beijing, fine: 2})
	tj.drain()
	tj.follow()
	tj.order(ids[0], true)
	tj.drain()
	if err := w.ledger.Erase(0); err != nil {
		t.Fatal(err)
	}
	w.everyoneFollows()
	if items := bj.feed(0); len(items) != 1 || items[0].Record != ids[1] || items[0].Op != exchange.OpNew {
		t.Errorf("the app is told %+v", items)
	}
	if r := bj.record(ids[0]); r.Body != nil || r.Code != casebook.CodeErased || r.Erasure == nil {
		t.Errorf("it reads %+v", r)
	}
	w.carryOutEverywhere(raftLog{})
	if v := tj.record(ids[0]).Erasure; v.Regions[0].State != exchange.ErasureDone {
		t.Errorf("it says %+v", v.Regions[0])
	}
	w.comesBackTheSame()
}

// An order in a body that its recipient can't open: the header is enough.
func TestAnOrderThatCannotBeOpened(t *testing.T) {
	w, tj, bj, id := fined(t)
	tj.order(id, true)
	tj.drain(func(entries []exchange.Pending) { entries[0].Key = sm.ContentKey{1} })
	w.everyoneFollows()
	r := bj.record(id)
	if r.Body != nil || r.Erasure == nil || r.Erasure.Reason != "" || r.Erasure.Now {
		t.Errorf("it reads %+v", r)
	}
	if n := bj.counts(); n.Parked[casebook.CodeCannotOpen] != 1 || n.Erasing != 1 {
		t.Errorf("counts are %+v", n)
	}
}

func TestWhatIsNotErased(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	waiting := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing, fine: 1})[0]
	for code, attempt := range map[string]func() error{
		"NOT_COMMITTED":  func() error { return tj.tryErase(operator, waiting, exchange.ReasonRepaired) },
		"ERASURE_REASON": func() error { return tj.tryErase(operator, waiting, "tidy") },
		"ROLE": func() error {
			return tj.tryErase(exchange.Principal{ID: "t-2", Role: exchange.RoleAuditor}, waiting, exchange.ReasonRepaired)
		},
	} {
		if problem := (*exchange.Error)(nil); !errors.As(attempt(), &problem) || problem.Code != code {
			t.Errorf("want %s, got %v", code, attempt())
		}
	}
	if err := tj.tryErase(operator, sm.Sum([]byte("nothing")), exchange.ReasonRepaired); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("an unknown record: %v", err)
	}
	if r := tj.record(waiting); r.Body == nil {
		t.Error("the record is gone")
	}
}

func (r *region) tryErase(p exchange.Principal, id exchange.EntryID, reason exchange.ErasureReason) error {
	_, err := r.service().Erase(r.t.Context(), p, id, reason, true)
	return err
}

// The ledger does not take an order, or a statement: a recipient had just left.
// The order can be given again, the statement is made again.
func TestAnOrderAndAStatementThatTheLedgerRefuses(t *testing.T) {
	w, tj, bj, id := fined(t)
	refuse := func(r *region) {
		t.Helper()
		pending := must[[]exchange.Pending](t)(r.book.Pending(0, 10))
		if len(pending) != 1 {
			t.Fatalf("%d entries wait", len(pending))
		}
		seq, previous := r.seq, r.previous
		r.cut(pending)
		r.tell(exchange.Event{Refused: &exchange.BatchRefused{Seq: r.seq, Code: exchange.CodeBadHeader, Item: pending[0].ID}})
		r.seq, r.previous = seq, previous
	}
	tj.order(id, true)
	refuse(tj)
	tj.order(id, true)
	tj.drain()
	w.everyoneFollows()
	if r := bj.record(id); r.Erasure == nil {
		t.Fatal("the second order did not reach the others")
	}

	stated := func(p *exchange.PendingErasure) bool { return p.Stopped }
	bj.carryOut(raftLog{wait: true}, func() bool { return bj.pending(stated) == 1 })
	refuse(bj)
	if n := bj.pending(stated); n != 0 {
		t.Error("a statement that nobody got counts")
	}
	bj.carryOut(raftLog{wait: true}, func() bool { return bj.pending(stated) == 1 })
	bj.drain()
	bj.carryOut(raftLog{}, func() bool { return bj.pending(everyErasure) == 0 })
	refuse(bj)
	if n := bj.counts(); bj.pending(everyErasure) != 1 || n.Erasing != 1 {
		t.Error("an erasure statement that nobody got counts")
	}
	w.carryOutEverywhere(raftLog{})
	for _, said := range tj.record(id).Erasure.Regions {
		if said.State != exchange.ErasureDone {
			t.Errorf("%s says %s", said.Region, said.State)
		}
	}
	w.comesBackTheSame()
}
