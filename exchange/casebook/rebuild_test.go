package casebook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// eventful tells a story with every kind of event in it.
func eventful(t *testing.T) *world {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	for _, r := range w.members {
		r.tell(exchange.Event{Register: &exchange.RegisterChanged{Register: exchange.RegisterFirms,
			Firms: []schemas.Firm{{USCC: beijingFirm, Name: "甲", HomeRegion: "110000"}}}})
	}
	first := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "x", bad: "ENUM"},
		notice{no: "2", firm: beijingFirm, home: beijing}, notice{no: "3", firm: tianjinFirm, home: tianjin})
	tj.cut(must[[]exchange.Pending](t)(tj.book.Pending(0, 10)))
	tj.tell(exchange.Event{Refused: &exchange.BatchRefused{Seq: 1, Code: exchange.CodeBadHeader, Item: first[1]}})
	tj.seq, tj.previous = 0, sm.Digest{}
	tj.drain()
	w.everyoneFollows()
	bj.bind(beijingFirm)
	tj.bind(tianjinFirm)
	bj.acknowledge(bj.feed(0)[0].ID, exchange.AckRead)
	tj.forge(exchange.Header{Kind: "unheard-of", ID: sm.Sum([]byte("u"))}, []byte{0xa0}, []byte{0xa0}, nil)
	tj.submit("s-2", notice{no: "x", bad: "REQUIRED"}, notice{no: "1", earlier: first[0]}, notice{no: "4", firm: beijingFirm, home: beijing})
	tj.drain()
	w.everyoneFollows()
	bj.answer()
	bj.drain()
	bj.unbind(beijingFirm)
	bj.ask(beijingFirm)
	w.everyoneFollows()
	bj.acknowledge(bj.record(first[0]).ID.String()+"-issued", exchange.AckActed)
	tj.submit("s-3", notice{no: "5", firm: beijingFirm, home: beijing})
	tj.cut(must[[]exchange.Pending](t)(tj.book.Pending(0, 10)))
	return w
}

// dump writes out every bucket of a casebook file.
func dump(t testing.TB, dir string) string {
	t.Helper()
	db := must[*bolt.DB](t)(bolt.Open(filepath.Join(dir, "casebook.db"), 0o600, &bolt.Options{ReadOnly: true}))
	defer db.Close()
	var out strings.Builder
	err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(key, value []byte) error {
				_, err := fmt.Fprintf(&out, "%s %x %x\n", name, key, value)
				return err
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The file is deleted and comes back the same, byte by byte, whether it is
// built in one go or the node is stopped after every single event.
func TestDeletedCasebookComesBack(t *testing.T) {
	w := eventful(t)
	for _, name := range []peers.Region{tianjin, beijing, hebei} {
		r := w.members[name]
		last := r.journal.Last()
		r.stop()
		want := dump(t, filepath.Join(r.dir, "casebook"))
		if !strings.Contains(want, "meta") {
			t.Fatal("an empty casebook proves nothing")
		}

		book, stop := r.open("again", r.journal)
		waitFor(t, book, last)
		stop()
		if got := dump(t, filepath.Join(r.dir, "again")); got != want {
			t.Errorf("%s, built in one go, differs:\n%s", name, difference(want, got))
		}

		for at := exchange.Position(1); at <= last; at++ {
			book, stop := r.open("stepwise", prefix{r.journal, at})
			waitFor(t, book, at)
			if got := book.Position(); got != at {
				t.Fatalf("opened at event %d, the casebook stands at %d", at, got)
			}
			stop()
		}
		if got := dump(t, filepath.Join(r.dir, "stepwise")); got != want {
			t.Errorf("%s, stopped after every event, differs:\n%s", name, difference(want, got))
		}
	}
}

// A crash leaves the file as it was at its last commit. Folding goes on from
// there and comes to the same state, also past records that are erased since.
func TestWhatACrashTookIsFoldedAgain(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	bj.bind(beijingFirm)
	ids := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing}, notice{no: "2", firm: beijingFirm, home: beijing})
	tj.drain()
	for _, r := range w.members {
		if err := r.book.Copy(filepath.Join(r.dir, "crashed")); err != nil {
			t.Fatal(err)
		}
	}
	w.everyoneFollows()
	tj.order(ids[0], true)
	tj.drain()
	w.everyoneFollows()
	w.carryOutEverywhere(raftLog{})
	tj.submit("s-2", notice{no: "3", firm: beijingFirm, home: beijing})
	tj.drain()
	w.everyoneFollows()
	for name, r := range w.members {
		last := r.journal.Last()
		r.stop()
		book, stop := r.open("crashed", r.journal)
		waitFor(t, book, last)
		stop()
		want := dump(t, filepath.Join(r.dir, "casebook"))
		if got := dump(t, filepath.Join(r.dir, "crashed")); got != want {
			t.Errorf("%s differs:\n%s", name, difference(want, got))
		}
	}
}

func waitFor(t testing.TB, book *casebook.Casebook, at exchange.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := book.WaitFor(ctx, at); err != nil {
		t.Fatal(err)
	}
}

func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return a[i]
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(b), len(a))
}

// The file holds no name or code of a firm outside the registers.
func TestNoSubjectInClearText(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	tj.submit("s-1", notice{no: "津交罚〔2024〕1号", firm: beijingFirm, home: beijing}, notice{no: "津交罚〔2024〕2号", bad: "ENUM"},
		notice{no: "津交罚〔2024〕3号", firm: tianjinFirm, home: tianjin})
	tj.drain()
	w.everyoneFollows()
	bj.bind(beijingFirm)
	bj.unbind(beijingFirm)
	bj.ask(beijingFirm)
	bj.ask(tianjinFirm)
	for _, r := range []*region{tj, bj} {
		r.stop()
		files := 0
		err := fs.WalkDir(os.DirFS(r.dir), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			file := must[[]byte](t)(os.ReadFile(filepath.Join(r.dir, path)))
			for _, secret := range []string{beijingFirm, tianjinFirm, "某运输有限公司", "津交罚", "津A12345"} {
				if bytes.Contains(file, []byte(secret)) {
					t.Errorf("%s of %s holds %s", path, r.name, secret)
				}
			}
			return nil
		})
		if err != nil || files < 3 {
			t.Errorf("%d files of %s were read, %v", files, r.name, err)
		}
	}
}

// A ledger that is not the one that was read before, and a journal that has
// lost its end, stop the node with the reason.
func TestWhatStopsTheFold(t *testing.T) {
	w := newWorld(t)
	tj := w.members[tianjin]
	tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing})
	tj.drain()
	tj.follow()
	tj.stop()
	run := func(events exchange.Journal, dir string) (told error) {
		cfg := tj.config(dir, events)
		cfg.Fatal = func(err error) { told = err }
		book := must[*casebook.Casebook](t)(casebook.Open(cfg))
		defer book.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		err := book.Run(ctx)
		if err == nil || told == nil || err.Error() != told.Error() {
			t.Fatalf("Run says %v, Fatal was told %v", err, told)
		}
		return told
	}
	if err := run(prefix{tj.journal, tj.journal.Last() - 1}, "casebook"); !strings.Contains(err.Error(), "lost its end") {
		t.Errorf("a shorter journal: %v", err)
	}
	if err := run(otherRoot{tj.journal}, "fresh"); !strings.Contains(err.Error(), "not the ledger") {
		t.Errorf("another root: %v", err)
	}
	must[exchange.Position](t)(tj.journal.Append(t.Context(), exchange.Event{Reread: &exchange.LedgerReread{}}))
	if err := run(tj.journal, "casebook"); !strings.Contains(err.Error(), "takes back") {
		t.Errorf("leaves that are folded already: %v", err)
	}

	cfg := tj.config("casebook", tj.journal)
	cfg.Region = beijing
	if _, err := casebook.Open(cfg); err == nil || !strings.Contains(err.Error(), "120000") {
		t.Errorf("another region's casebook: %v", err)
	}
}

// otherRoot is a journal that followed another ledger.
type otherRoot struct{ exchange.Journal }

func (o otherRoot) Read(from exchange.Position, visit func(exchange.Position, exchange.Event) error) error {
	return o.Journal.Read(from, func(at exchange.Position, e exchange.Event) error {
		if e.Followed != nil {
			e.Followed.Root[0] ^= 1
		}
		return visit(at, e)
	})
}

// A region has read the last leaves of a forked ledger. With that taken back, its
// casebook is built on the ledger of the others, and reads what they hold there;
// what it had accepted itself is known as before.
func TestNotesOfAForkedLedgerAreTakenBack(t *testing.T) {
	w := newWorld(t)
	tj, bj := w.members[tianjin], w.members[beijing]
	first := tj.submit("s-1", notice{no: "1", firm: beijingFirm, home: beijing})[0]
	tj.drain()
	bj.follow()
	common := bj.book.Followed()
	own := bj.submit("s-2", notice{no: "2", firm: tianjinFirm, home: tianjin})[0]
	bj.drain()
	second := tj.submit("s-3", notice{no: "3", firm: beijingFirm, home: beijing})[0]
	tj.drain()
	forkedAt := bj.journal.Last()
	bj.follow() // to the casebook that is built below, another ledger
	after := bj.submit("s-4", notice{no: "4", firm: tianjinFirm, home: tianjin})[0]
	bj.stop()

	forked := forkedAfter{bj.journal, forkedAt}
	cfg := bj.config("refused", forked)
	cfg.Fatal = func(error) {}
	book := must[*casebook.Casebook](t)(casebook.Open(cfg))
	if err := book.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not the ledger") {
		t.Errorf("a forked note: %v", err)
	}
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}

	at := must[exchange.Position](t)(bj.journal.Append(t.Context(), exchange.Event{Reread: &exchange.LedgerReread{From: common}}))
	again, stop := bj.open("again", forked)
	defer stop()
	waitFor(t, again, at)
	if again.Followed() != common {
		t.Errorf("it has read %d leaves, and %d are common", again.Followed(), common)
	}
	bj.book = again
	bj.follow()
	for id, want := range map[exchange.EntryID]exchange.State{
		first: exchange.StateCommitted, own: exchange.StateCommitted, second: exchange.StateCommitted, after: exchange.StateAccepted,
	} {
		if r := bj.record(id); r.State != want {
			t.Errorf("record %s is %q, want %q", id, r.State, want)
		}
	}
}

// forkedAfter is a journal whose next note behind a position is of another ledger.
type forkedAfter struct {
	exchange.Journal
	after exchange.Position
}

func (j forkedAfter) Read(from exchange.Position, visit func(exchange.Position, exchange.Event) error) error {
	return j.Journal.Read(from, func(at exchange.Position, e exchange.Event) error {
		if e.Followed != nil && at == j.after+1 {
			e.Followed.Root[0] ^= 1
		}
		return visit(at, e)
	})
}

// WaitFor gives up with its context.
func TestWaitForGivesUp(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.members[tianjin].book.WaitFor(ctx, 1); err != context.Canceled {
		t.Errorf("WaitFor says %v", err)
	}
}

// prefix is a journal of which only the first events are there.
type prefix struct {
	exchange.Journal
	last exchange.Position
}

func (p prefix) Last() exchange.Position { return p.last }

func (p prefix) Read(from exchange.Position, visit func(exchange.Position, exchange.Event) error) error {
	done := errors.New("end of the prefix")
	err := p.Journal.Read(from, func(at exchange.Position, e exchange.Event) error {
		if at > p.last {
			return done
		}
		return visit(at, e)
	})
	if err == done {
		return nil
	}
	return err
}

func (p prefix) Wait(ctx context.Context, at exchange.Position) error {
	if at <= p.last {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}
