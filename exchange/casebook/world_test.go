package casebook_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/outbox"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
	"github.com/xinqiao/creditgw/schemas"
)

const (
	beijing = peers.Region("110000")
	tianjin = peers.Region("120000")
	hebei   = peers.Region("130000")
	shanxi  = peers.Region("140000")
)

// Firms of the sample register, by home.
const (
	beijingFirm = "91110101MA0124H40Q"
	tianjinFirm = "91120116MA05FK4B3L"
	agency      = "12120000000003025Y"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// world is four regions over one ledger. What lies between them, consensus, is
// one store to which batches are applied directly.
type world struct {
	t       testing.TB
	genesis peers.Genesis
	ledger  *store.Store
	raft    uint64
	now     time.Time
	members map[peers.Region]*region
}

// region is one gateway without its network: journal, vault and casebook are
// the real ones.
type region struct {
	*world
	name       peers.Region
	dir        string
	batch      *sm.BatchKey
	decryption *sm.DecryptionKey
	secret     exchange.IDSecret
	sealer     exchange.Sealer
	journal    *journal.Journal
	vault      *vault.Vault
	slots      *exchange.Slots
	book       *casebook.Casebook
	stop       func()
	witnessed  witnessed
	seq        uint64 // of the last batch cut
	previous   sm.Digest
}

// witnessed is a ledger of which the first size leaves are under a witnessed
// checkpoint.
type witnessed struct {
	exchange.Checkpoints
	size uint64
}

func (w *witnessed) Latest() (peers.Checkpoint, bool) {
	return peers.Checkpoint{Size: w.size}, w.size > 0
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, members: map[peers.Region]*region{}, now: time.Date(2024, 11, 5, 9, 0, 0, 0, exchange.Shanghai)}
	c := consortium.Found(beijing, tianjin, hebei, shanxi)
	w.genesis = c.Genesis
	for name, batch := range c.Batch {
		w.members[name] = &region{
			world: w, name: name, dir: filepath.Join(t.TempDir(), string(name)), batch: batch, decryption: c.Decryption[name],
		}
	}
	w.ledger = must[*store.Store](t)(store.Open(store.Config{
		Dir: filepath.Join(t.TempDir(), "ledger"), Genesis: &w.genesis, Logger: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { t.Error(err) },
	}))
	t.Cleanup(func() { _ = w.ledger.Close() })
	for _, r := range w.members {
		r.start()
	}
	return w
}

func (r *region) start() {
	t := r.t
	secret := sm.Sum([]byte(r.name))
	r.secret = must[exchange.IDSecret](t)(exchange.NewIDSecret(secret[:]))
	r.sealer = exchange.Sealer{Ledger: r.genesis.LedgerID(), Region: r.name, Secret: r.secret, Rand: rand.Reader}
	fatal := func(err error) { t.Error(err) }
	r.journal = must[*journal.Journal](t)(journal.Open(journal.Config{
		Dir: filepath.Join(r.dir, "journal"), Logger: slog.New(slog.DiscardHandler), Fatal: fatal,
	}))
	r.vault = must[*vault.Vault](t)(vault.Open(vault.Config{
		Path: filepath.Join(r.dir, "vault"), Secret: r.secret, Rand: rand.Reader, Fatal: fatal,
	}))
	r.slots = exchange.NewSlots(r.vault, 1)
	r.book, r.stop = r.open("casebook", r.journal)
	t.Cleanup(func() {
		r.stop()
		_ = r.journal.Close()
		_ = r.vault.Close()
	})
}

func (r *region) config(dir string, events exchange.Journal) casebook.Config {
	return casebook.Config{
		Dir: filepath.Join(r.dir, dir), Region: r.name, LedgerID: r.genesis.LedgerID(), Ledger: r.ledger, Checkpoints: &r.witnessed,
		Journal: events, Vault: r.vault, Decryptions: holding(r.decryption), IDSecret: r.secret,
		Catalogue: schemas.Default(), Logger: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { r.t.Error(err) },
	}
}

// open starts a casebook in dir and returns it with a function that stops it.
func (r *region) open(dir string, events exchange.Journal) (*casebook.Casebook, func()) {
	r.t.Helper()
	book := must[*casebook.Casebook](r.t)(casebook.Open(r.config(dir, events)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = book.Run(ctx)
	}()
	stopped := false
	return book, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		<-ended
		_ = book.Close()
	}
}

// tell appends an event and waits until the casebook knows it.
func (r *region) tell(e exchange.Event) exchange.Position {
	r.t.Helper()
	r.now = r.now.Add(time.Second)
	e.At = r.now
	at := must[exchange.Position](r.t)(r.journal.Append(r.t.Context(), e))
	r.await(at)
	return at
}

func (r *region) await(at exchange.Position) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	if err := r.book.WaitFor(ctx, at); err != nil {
		r.t.Fatalf("casebook of %s stands at %d, waiting for %d: %v", r.name, r.book.Position(), at, err)
	}
}

// notice is one row of a file as a story tells it.
type notice struct {
	no      string
	firm    string
	home    peers.Region // "" = no reminder
	fine    int64
	bad     string // rule: quarantined
	earlier exchange.EntryID
	change  func(*schemas.Penalty)
}

func penalty(n notice) *schemas.Penalty {
	p := &schemas.Penalty{
		Version: 1, SubjectName: "某运输有限公司", SubjectCategory: "法人及非法人组织", SubjectUSCC: n.firm,
		DecisionNo: n.no, ViolationType: "超限运输", PenaltyTypes: []string{"罚款"}, FineFen: n.fine,
		DecisionDate: "2024-11-01", AuthorityName: "某交通运输执法总队", AuthorityUSCC: agency, SourceUSCC: agency,
		PublicationUntil: "2025-11-01", PaymentCode: "12010000240000000018",
		Plates: []schemas.Plate{{Number: "津A12345", Colour: "黄色"}},
	}
	if n.change != nil {
		n.change(p)
	}
	return p
}

// submit takes a file of notices in and returns the accepted records' ids.
func (r *region) submit(id string, notices ...notice) []exchange.EntryID {
	r.t.Helper()
	file := sm.Sum([]byte(id))
	r.tell(exchange.Event{Opened: &exchange.SubmissionOpened{
		ID: id, Kind: exchange.KindPenalty, Submitter: agency, Principal: "token-1", ReceivedAt: r.now,
		FileDigest: file, Idempotency: "key-" + id,
	}})
	taken := &exchange.RowsTaken{Submission: id}
	slot := must[uint64](r.t)(r.slots.Take(uint64(len(notices))))
	closed := &exchange.SubmissionClosed{ID: id, Received: len(notices)}
	var ids []exchange.EntryID
	for i, n := range notices {
		row := exchange.Row{N: i + 1, Slot: slot + uint64(i)}
		private := exchange.RowPrivate{}
		switch {
		case n.bad != "":
			row.Outcome, row.Rule = exchange.RowQuarantined, n.bad
			row.Content = sm.Sum([]byte("bad"), []byte(n.no))
			row.KeyDigest, row.Earlier = r.secret.Digest("key", []byte(n.no)), n.earlier
			row.Quarantine = "q-" + row.Content.String()[:24]
			private.Raw = []byte(n.no)
			private.Findings = []schemas.Finding{schemas.NewFinding(schemas.Code(n.bad), schemas.Row{Number: i + 1})}
			closed.Bad++
		case !n.earlier.IsZero():
			row.Outcome, row.Rule, row.Earlier = exchange.RowDuplicate, "DUPLICATE", n.earlier
			row.KeyDigest = r.secret.Digest("key", []byte(n.no))
			closed.Double++
		default:
			r.accept(&row, &private, n, file)
			ids = append(ids, must[exchange.Header](r.t)(exchange.ParseHeader(row.Entry.Header)).ID)
			closed.Accepted++
		}
		row.Private = must[[]byte](r.t)(exchange.SealRow(r.vault, row.Slot, &private))
		taken.Rows = append(taken.Rows, row)
	}
	r.tell(exchange.Event{Rows: taken})
	r.tell(exchange.Event{Closed: closed})
	return ids
}

func (r *region) accept(row *exchange.Row, private *exchange.RowPrivate, n notice, file sm.Digest) {
	r.t.Helper()
	record := must[[]byte](r.t)(penalty(n).Encode())
	author := must[[]byte](r.t)((&exchange.Author{Kind: exchange.AuthorRegion, Agency: agency, File: &file, Row: row.N}).Marshal())
	var to []peers.Region
	if n.home != r.name && n.home != "" {
		to = []peers.Region{n.home}
	}
	local := to == nil
	natural := []byte(n.no)
	entry, key, err := r.sealer.Seal(exchange.ClassRecord, exchange.KindPenalty, r.secret.EntryID(exchange.KindPenalty, natural, 0), to, r.now, record, author)
	if err != nil {
		r.t.Fatal(err)
	}
	entry.Local = local
	entry.Home = n.home
	row.Outcome, row.Entry = exchange.RowAccepted, &entry
	row.KeyDigest, row.Content = r.secret.Digest("key", natural), r.secret.Digest("content", record)
	private.Key, private.Comparison, private.Body = key[:], record, entry.Body
	entry.Body = nil
}

// drain cuts what waits into batches and proposes them, as the outbox does.
// spoil may change a batch's entries between cutting and signing.
func (r *region) drain(spoil ...func([]exchange.Pending)) {
	r.t.Helper()
	for {
		pending := must[[]exchange.Pending](r.t)(r.book.Pending(0, exchange.MaxBatchItems))
		if len(pending) == 0 {
			return
		}
		pending = pending[:outbox.Fit(pending)]
		for _, s := range spoil {
			s(pending)
		}
		r.propose(r.cut(pending))
	}
}

// sign makes the region's next batch, of which nobody knows yet.
func (r *region) sign(entries []exchange.Pending) exchange.Batch {
	r.t.Helper()
	cutter := outbox.Cutter{Ledger: r.genesis.LedgerID(), Region: r.name, Keys: holding(r.batch), Secrets: envelope.NewSecrets(rand.Reader)}
	return must[exchange.Batch](r.t)(cutter.Cut(entries, r.seq+1, r.previous, r.ledger.Directory()))
}

// cut makes a batch and keeps it in the journal.
func (r *region) cut(entries []exchange.Pending) exchange.Batch {
	r.t.Helper()
	b := r.sign(entries)
	kept := &exchange.BatchCut{Preamble: b.RawPreamble, Signature: b.Signature}
	kept.Wraps = must[[]byte](r.t)(exchange.SealWraps(r.vault, b.RawPreamble, b.Wraps, entries))
	for _, e := range entries {
		kept.Items = append(kept.Items, e.ID)
	}
	r.tell(exchange.Event{Cut: kept})
	r.seq, r.previous = b.Preamble.Seq, sm.Sum(b.RawPreamble)
	return b
}

func (r *region) propose(b exchange.Batch) {
	r.t.Helper()
	if rejection := r.apply(b); rejection != nil {
		r.t.Fatal(rejection)
	}
}

func (w *world) apply(b exchange.Batch) *exchange.Rejection {
	w.t.Helper()
	w.raft++
	raw := must[[]byte](w.t)(b.Marshal())
	result, ok := w.ledger.Apply(w.raft, 1, [][]byte{raw})[0].(exchange.BatchResult)
	if !ok {
		w.t.Fatal("the ledger did not take the batch")
	}
	return result.Rejection
}

// follow notes how far this region has read, as the follower does.
func (r *region) follow() {
	r.t.Helper()
	from, to := r.book.Followed(), r.ledger.Head().Size
	if from == to {
		return
	}
	note := &exchange.LedgerFollowed{From: from, To: to, Region: r.name, Root: must[sm.Digest](r.t)(r.ledger.RootAt(to))}
	for at := from; at < to; {
		entries := must[[]exchange.Entry](r.t)(r.ledger.Entries(at, 100))
		for i := range entries {
			if exchange.NeedsSlot(&entries[i].Header, r.name) {
				note.Slots++
			}
		}
		at += uint64(len(entries))
	}
	if note.Slots > 0 {
		note.FirstSlot = must[uint64](r.t)(r.slots.Take(note.Slots))
	}
	r.tell(exchange.Event{Followed: note})
}

// everyoneFollows lets every region read to the end.
func (w *world) everyoneFollows() {
	for _, name := range []peers.Region{beijing, tianjin, hebei, shanxi} {
		w.members[name].follow()
	}
}

// answer authors a statement with the acks that wait.
func (r *region) answer() {
	r.t.Helper()
	waiting, authored, err := r.book.PendingAcks(exchange.MaxAcks)
	if err != nil {
		r.t.Fatal(err)
	}
	by := map[peers.Region][]exchange.RecordAck{}
	for _, w := range waiting {
		by[w.Origin] = append(by[w.Origin], w.Ack)
	}
	for origin, acks := range by {
		body := must[[]byte](r.t)((&exchange.Acknowledgement{Acks: acks}).Marshal())
		author := must[[]byte](r.t)((&exchange.Author{Kind: exchange.AuthorRegion, Agency: string(r.name)}).Marshal())
		id := r.secret.EntryID(exchange.KindAcknowledgement, []byte(origin), authored[origin])
		r.author(exchange.ClassStatement, exchange.KindAcknowledgement, id, origin, body, author, acks)
	}
}

// author puts a sealed entry that is not a row into the outbox.
func (r *region) author(class exchange.Class, kind string, id exchange.EntryID, to peers.Region, body, author []byte, acks []exchange.RecordAck) {
	r.t.Helper()
	entry, key, err := r.sealer.Seal(class, kind, id, []peers.Region{to}, r.now, body, author)
	if err != nil {
		r.t.Fatal(err)
	}
	e := &exchange.EntryAuthored{Entry: entry, Slot: must[uint64](r.t)(r.slots.Take(1))}
	e.Key = must[[]byte](r.t)(r.vault.Seal(e.Slot, exchange.PurposeKey, 0, key[:]))
	for _, a := range acks {
		e.Acked = append(e.Acked, exchange.AckedAs{Record: a.Record, State: a.State, Code: a.Code})
	}
	r.tell(exchange.Event{Authored: e})
}

func (r *region) record(id exchange.EntryID) exchange.RecordView {
	r.t.Helper()
	return must[exchange.RecordView](r.t)(r.book.Record(id))
}

func (r *region) counts() exchange.Counts {
	r.t.Helper()
	return must[exchange.Counts](r.t)(r.book.Counts())
}

func (r *region) feed(after uint64) []exchange.Reminder {
	r.t.Helper()
	items, _, err := r.book.Feed(after, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	return items
}

func (r *region) bind(firm string) {
	r.t.Helper()
	r.tell(exchange.Event{Bound: &exchange.FirmBound{Subject: r.secret.Subject(firm), BoundAt: r.now}})
}

func (r *region) unbind(firm string) {
	r.t.Helper()
	r.tell(exchange.Event{Unbound: &exchange.FirmUnbound{Subject: r.secret.Subject(firm)}})
}

func (r *region) ask(firm string) {
	r.t.Helper()
	asked := must[*exchange.SubjectAsked](r.t)(exchange.AskFor(r.vault, must[uint64](r.t)(r.slots.Take(1)), firm))
	r.tell(exchange.Event{Asked: asked})
}

func (r *region) acknowledge(id string, state exchange.AckState) {
	r.t.Helper()
	r.tell(exchange.Event{Acks: &exchange.AcksReceived{Acks: []exchange.Ack{{Reminder: id, State: state, At: r.now}}}})
}

// holding is a node whose keys stay.
func holding[K any](keys ...K) func() []K { return func() []K { return keys } }
