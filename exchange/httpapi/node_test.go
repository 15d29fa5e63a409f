package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
	"github.com/xinqiao/creditgw/schemas"
)

// Codes with right check characters, of nobody.
const (
	agencyUSCC = "12120000000003025Y"
	otherUSCC  = "111100000000030173"
	firmUSCC   = "91110101MA8H84F153"
	bureauUSCC = agencyUSCC
	submission = "s-abcdefghijklmnopqrstuvwxyz"
)

var (
	received = time.Date(2026, 4, 2, 9, 0, 0, 0, exchange.Shanghai)
	recordID = sm.Sum([]byte("record"))
)

// node is an API over fakes that keep the ports' contracts as far as a test
// looks. The zero behaviour of each is to succeed.
type node struct {
	api    *httpapi.API
	config httpapi.Config
	log    *bytes.Buffer

	service  *service
	casebook *casebook
	ledger   *memoryLedger
	feed     *feed
	ready    []string
	stopped  *exchange.Error

	checkpoints checkpoints
}

func newNode(t *testing.T, change ...func(*httpapi.Config)) *node {
	t.Helper()
	n := &node{
		log: new(bytes.Buffer), service: &service{}, casebook: &casebook{folded: make(chan struct{})},
		ledger: newLedger(t, 5), feed: &feed{more: make(chan struct{})},
	}
	n.casebook.followed = 5
	n.checkpoints.kept = []peers.Checkpoint{witnessedAt(2), witnessedAt(5)}
	n.config = httpapi.Config{
		Region: "120000", Service: n.service, Casebook: n.casebook, Ledger: n.ledger, Feed: n.feed, Receipts: receipts{}, Tokens: tokens{}, Checks: checks{},
		Catalogue: schemas.Default(),
		Clock:     func() time.Time { return received },
		Linearize: func(context.Context) error { return nil },
		Status: func() httpapi.NodeStatus {
			lag := uint64(3)
			return httpapi.NodeStatus{Node: "120000-1", Leader: "120000-1", StartedAt: received, Now: received, Term: 2, Deposed: 1,
				Peers: []httpapi.Peer{{Node: "110000-1", Region: "110000", Lag: &lag}}}
		},
		Checkpoints: &n.checkpoints,
		Stopped:     func() *exchange.Error { return n.stopped },
		Ready:       func() []string { return n.ready },
		Metrics:     prometheus.NewRegistry(),
		Logger:      slog.New(slog.NewJSONHandler(n.log, nil)),
	}
	for _, c := range change {
		c(&n.config)
	}
	api, err := httpapi.New(n.config)
	if err != nil {
		t.Fatal(err)
	}
	n.api = api
	return n
}

// request as the role; "" is nobody.
func request(role exchange.Role, method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+string(role))
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (n *node) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	n.api.Handler().ServeHTTP(w, r)
	return w
}

func (n *node) get(role exchange.Role, target string, header ...string) *httptest.ResponseRecorder {
	return n.do(request(role, "GET", target, "", header...))
}

// tokens take a role's name for its token.
type tokens struct{}

func (tokens) Lookup(token string) (exchange.Principal, bool) {
	for _, role := range exchange.Roles {
		if token == string(role) {
			p := exchange.Principal{ID: "t-" + token, Role: role}
			if role == exchange.RoleAgencyEntry || role == exchange.RoleAgencyReview {
				p.Scope.Units = []string{agencyUSCC}
			}
			return p, true
		}
	}
	return exchange.Principal{}, false
}

type service struct {
	mu      sync.Mutex
	view    *exchange.SubmissionView // nil: one accepted row
	err     error
	began   chan struct{} // tells that Submit runs, and
	release chan struct{} // holds it until closed
	taken   []byte
	sub     exchange.Submission
	acks    []exchange.Ack
	bound   []string
	firms   []schemas.Firm
	sources []schemas.SourcePlan
	keys    []peers.AgencyKey
}

func oneRow() exchange.SubmissionView {
	return exchange.SubmissionView{
		ID: submission, Kind: exchange.KindPenalty, Submitter: agencyUSCC, ReceivedAt: received, Complete: true,
		Received: 2, Accepted: 1, Quarantined: 1, ByRule: map[string]int{"DATE_FUTURE": 1},
		Findings: []schemas.Finding{schemas.NewFinding(schemas.DateFuture, schemas.Row{Number: 2})},
		Records: []exchange.RowView{
			{Row: 1, Outcome: exchange.RowAccepted, ID: &recordID, State: exchange.StateAccepted, Home: "110000", Subject: firmUSCC},
			{Row: 2, Outcome: exchange.RowQuarantined, Rule: "DATE_FUTURE", Quarantine: "q-1"},
		},
	}
}

func (s *service) Submit(_ context.Context, _ exchange.Principal, sub exchange.Submission) (exchange.SubmissionView, error) {
	if s.began != nil {
		s.began <- struct{}{}
		<-s.release
	}
	taken, err := io.ReadAll(sub.Body)
	if err != nil {
		return exchange.SubmissionView{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken, s.sub = taken, sub
	if s.view != nil {
		return *s.view, s.err
	}
	return oneRow(), s.err
}

func (s *service) Bind(_ context.Context, _ exchange.Principal, uscc string, at time.Time, _ string) error {
	s.bound = append(s.bound, uscc+" "+at.Format(time.DateOnly))
	return s.err
}
func (s *service) Erase(_ context.Context, _ exchange.Principal, id exchange.EntryID, reason exchange.ErasureReason, now bool) (exchange.ErasureView, error) {
	if id != recordID {
		return exchange.ErasureView{}, exchange.ErrNotFound
	}
	at, index := received, uint64(9)
	return exchange.ErasureView{Reason: reason, OrderedAt: at, Now: now, Index: &index, Regions: []exchange.ErasureRegion{
		{Region: "110000", State: exchange.ErasurePending},
		{Region: "120000", State: exchange.ErasureDone, Held: true, StoppedAt: &at, ErasedAt: &at, Node: "120000-1", LogFirst: 7, BackupsUntil: "2026-12-31"},
	}}, s.err
}
func (s *service) Unbind(context.Context, exchange.Principal, string) error       { return s.err }
func (s *service) AskStatement(context.Context, exchange.Principal, string) error { return s.err }
func (s *service) Acknowledge(_ context.Context, _ exchange.Principal, acks []exchange.Ack) ([]exchange.AckAnswer, error) {
	s.acks = acks
	answers := make([]exchange.AckAnswer, len(acks))
	for i := range acks {
		answers[i] = exchange.AckOK
	}
	return answers, s.err
}
func (s *service) ImportFirms(_ context.Context, _ exchange.Principal, firms []schemas.Firm) error {
	s.firms = append(s.firms, firms...)
	return s.err
}
func (s *service) ImportAuthorities(context.Context, exchange.Principal, []schemas.Authority) error {
	return s.err
}
func (s *service) ImportSources(_ context.Context, _ exchange.Principal, sources []schemas.SourcePlan) error {
	s.sources = append(s.sources, sources...)
	return s.err
}
func (s *service) RegisterKey(_ context.Context, _ exchange.Principal, c peers.AgencyClaim) (exchange.EntryID, error) {
	s.keys = append(s.keys, peers.AgencyKey{Region: "120000", USCC: c.USCC, Name: c.Name, Label: c.Label, Public: c.Key, Validity: peers.Validity{From: 3}})
	return recordID, s.err
}
func (s *service) RetireKey(context.Context, exchange.Principal, string, sm.KeyID) (exchange.EntryID, error) {
	return recordID, s.err
}
func (s *service) Propose(context.Context, exchange.Principal, peers.Change) (exchange.EntryID, error) {
	return recordID, s.err
}
func (s *service) Approve(context.Context, exchange.Principal, uint64, sm.Digest) (exchange.EntryID, error) {
	return recordID, s.err
}
func (s *service) AgencyKeys(string) []peers.AgencyKey { return s.keys }

type casebook struct {
	mu       sync.Mutex
	position exchange.Position
	followed uint64
	folded   chan struct{}
	err      error
	signed   map[exchange.EntryID]exchange.RecordView // beside the one record
}

// follow moves the fold on by one event, to a ledger size.
func (c *casebook) follow(size uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.position++
	c.followed = size
	close(c.folded)
	c.folded = make(chan struct{})
}

func (c *casebook) WaitFor(ctx context.Context, at exchange.Position) error {
	for {
		c.mu.Lock()
		done, folded := c.position >= at, c.folded
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-folded:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
func (c *casebook) Position() exchange.Position { c.mu.Lock(); defer c.mu.Unlock(); return c.position }
func (c *casebook) Followed() uint64            { c.mu.Lock(); defer c.mu.Unlock(); return c.followed }

func (c *casebook) Submission(id string) (exchange.SubmissionView, error) {
	v := oneRow()
	switch id {
	case submission:
	case "s-other":
		v.ID, v.Submitter = id, otherUSCC
	default:
		return exchange.SubmissionView{}, exchange.ErrNotFound
	}
	return v, c.err
}

func (c *casebook) Rows(id, cursor string, _ int) (exchange.Page[exchange.RowView], error) {
	rows := oneRow().Records
	if cursor == "" {
		return exchange.Page[exchange.RowView]{Items: rows[:1], Next: "1"}, c.err
	}
	return exchange.Page[exchange.RowView]{Items: rows[1:]}, c.err
}

func (c *casebook) Record(id exchange.EntryID) (exchange.RecordView, error) {
	if v, ok := c.signed[id]; ok {
		return v, nil
	}
	if id != recordID {
		return exchange.RecordView{}, exchange.ErrNotFound
	}
	return exchange.RecordView{ID: id, Kind: exchange.KindPenalty, Class: exchange.ClassRecord, Origin: "120000",
		IssuedAt: received, State: exchange.StateCommitted, Submitter: agencyUSCC, Body: &schemas.Penalty{Version: 1, SubjectName: "某公司"},
		Deliveries: []exchange.Delivery{{Region: "110000", State: exchange.AckRead, At: received}}}, c.err
}

func (c *casebook) Records(f exchange.RecordFilter, _ string, _ int) (exchange.Page[exchange.RecordView], error) {
	v, err := c.Record(recordID)
	if f.Submitter != "" && f.Submitter != v.Submitter {
		return exchange.Page[exchange.RecordView]{}, err
	}
	return exchange.Page[exchange.RecordView]{Items: []exchange.RecordView{v}}, err
}

// Sources are one that sent today and one that has been silent for nine days.
func (c *casebook) Sources(string, int) (exchange.Page[exchange.Source], error) {
	today, before := received, received.AddDate(0, 0, -9)
	return exchange.Page[exchange.Source]{Items: []exchange.Source{
		{USCC: agencyUSCC, Kind: exchange.KindPenalty, EveryDays: 7, PlannedAt: &before, LastAt: &today, Submissions: 1, Rows: 2},
		{USCC: otherUSCC, Kind: exchange.KindPenalty, EveryDays: 7, PlannedAt: &before},
	}}, nil
}
func (c *casebook) Quarantine(exchange.RecordFilter, string, int) (exchange.Page[exchange.QuarantineItem], error) {
	row := schemas.Row{Number: 2, SheetRow: 3, Cells: []schemas.Cell{{Field: "CF_XDR_MC", Column: "CF_XDR_MC", Value: "=1+1"}}}
	raw, err := schemas.EncodeRow(row)
	if err != nil {
		return exchange.Page[exchange.QuarantineItem]{}, err
	}
	item := exchange.QuarantineItem{ID: "q-1", Kind: exchange.KindPenalty, Submitter: agencyUSCC, Rule: "DATE_FUTURE", FirstAt: received,
		LastAt: received, Times: 1, Submission: submission, Row: 2, Raw: raw, Findings: []schemas.Finding{schemas.NewFinding(schemas.DateFuture, row)}}
	return exchange.Page[exchange.QuarantineItem]{Items: []exchange.QuarantineItem{item}}, c.err
}

func (c *casebook) Reminders(string, int) (exchange.Page[exchange.Reminder], error) {
	return exchange.Page[exchange.Reminder]{Items: []exchange.Reminder{reminder(1)}}, c.err
}

func (c *casebook) Counts() (exchange.Counts, error) {
	return exchange.Counts{Records: map[exchange.State]int{exchange.StateCommitted: 7}, Outbox: 4}, c.err
}

func reminder(seq uint64) exchange.Reminder {
	fine := int64(20000)
	return exchange.Reminder{ID: recordID.String() + "-issued", Seq: seq, Op: exchange.OpNew, Record: recordID, Stage: exchange.StageIssued,
		SubjectUSCC: firmUSCC, SubjectName: "某公司", Authority: "某总队", DecisionNo: "津交罚〔2026〕1号", FineFen: &fine, IssuedAt: received}.In("zh")
}

// receipts says what it was asked for.
type receipts struct{ err error }

func (r receipts) Receipt(id exchange.EntryID, disclose bool) ([]byte, error) {
	return fmt.Appendf(nil, `{"entry":%q,"format":"disclosed %v"}`, id, disclose), r.err
}

func (r receipts) Statement(uscc string) ([]byte, error) {
	if uscc == otherUSCC {
		return nil, exchange.ErrNotFound
	}
	return []byte(`{"format":"xinqiao/statement/1"}`), r.err
}

func (r receipts) Members() ([]byte, error) { return []byte("proof"), r.err }

// checks has found a rotten casebook.
type checks struct{}

func (checks) Start() httpapi.Check {
	return httpapi.Check{State: httpapi.CheckRunning, Started: received}
}

func (checks) Latest() httpapi.Check {
	return httpapi.Check{State: httpapi.CheckDamaged, Started: received, Finished: received, Parts: []httpapi.CheckPart{
		{Part: "ledger", Entries: 5, Erased: 1}, {Part: "casebook", Entries: 3, Damage: []string{"bucket entries"}},
	}}
}

// checkpoints are those that are kept, ascending.
type checkpoints struct{ kept []peers.Checkpoint }

func (c *checkpoints) Latest() (peers.Checkpoint, bool) {
	if len(c.kept) == 0 {
		return peers.Checkpoint{}, false
	}
	return c.kept[len(c.kept)-1], true
}

func (c *checkpoints) Around(index uint64) (before, covering peers.Checkpoint, err error) {
	for _, kept := range c.kept {
		if kept.Size > index {
			return before, kept, nil
		}
		before = kept
	}
	return before, covering, exchange.ErrNotFound
}

// feed has items 1 to last; its cursor is the last seq seen.
type feed struct {
	mu   sync.Mutex
	last uint64
	more chan struct{}
	err  error
}

func (f *feed) add() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	close(f.more)
	f.more = make(chan struct{})
}

func (f *feed) after(cursor string) (items []exchange.Reminder, more <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var seen uint64
	if cursor != "" {
		if seen, err = strconv.ParseUint(cursor, 10, 64); err != nil {
			return nil, nil, exchange.Fail(exchange.KindGone, "CURSOR_EXPIRED", "游标已失效", "the cursor has expired")
		}
	}
	for n := seen + 1; n <= f.last; n++ {
		items = append(items, reminder(n))
	}
	return items, f.more, f.err
}

func (f *feed) Pull(ctx context.Context, cursor string, limit int, wait time.Duration) (exchange.Page[exchange.Reminder], error) {
	deadline := time.After(wait)
	for {
		items, more, err := f.after(cursor)
		if err != nil || len(items) > 0 {
			items = items[:min(limit, len(items))]
			page := exchange.Page[exchange.Reminder]{Items: items}
			if len(items) > 0 {
				page.Next = strconv.FormatUint(items[len(items)-1].Seq, 10)
			}
			return page, err
		}
		select {
		case <-more:
		case <-deadline:
			return exchange.Page[exchange.Reminder]{Next: cursor}, nil
		case <-ctx.Done():
			return exchange.Page[exchange.Reminder]{}, ctx.Err()
		}
	}
}

func (f *feed) Stream(ctx context.Context, cursor string, send func(exchange.Reminder, string) error) error {
	for {
		items, more, err := f.after(cursor)
		if err != nil {
			return err
		}
		for _, item := range items {
			cursor = strconv.FormatUint(item.Seq, 10)
			if err := send(item, cursor); err != nil {
				return err
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *feed) Latest() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strconv.FormatUint(f.last, 10), f.err
}

// memoryLedger is one batch of n leaves over the real tree.
type memoryLedger struct {
	entries   []exchange.Entry
	leaves    []sm.Digest
	directory *peers.Directory
}

func newLedger(t *testing.T, n int) *memoryLedger {
	t.Helper()
	directory := consortium.Found("110000", "120000", "130000", "140000").Directory()
	l := &memoryLedger{directory: directory}
	batch := &exchange.BatchInfo{Preamble: exchange.Preamble{Origin: "120000", Seq: 1, N: n}, RawPreamble: []byte("preamble"), Signature: []byte("signature")}
	for i := range n {
		h := exchange.Header{Class: exchange.ClassRecord, Kind: exchange.KindPenalty, ID: sm.Sum([]byte{byte(i)}), Origin: "120000",
			Recipients: []peers.Region{"110000"}, IssuedAt: received.Unix(), Commitment: &recordID, BodyDigest: recordID}
		raw, err := h.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		l.entries = append(l.entries, exchange.Entry{Index: uint64(i), RawHeader: raw, Header: h, Batch: batch})
		l.leaves = append(l.leaves, ledger.LeafHash(raw))
	}
	batch.Preamble.Root = ledger.RootOf(l.leaves)
	return l
}

func (l *memoryLedger) Head() exchange.Head {
	return exchange.Head{Size: uint64(len(l.leaves)), Root: ledger.RootOf(l.leaves)}
}
func (l *memoryLedger) Entries(from uint64, limit int) ([]exchange.Entry, error) {
	from = min(from, uint64(len(l.entries)))
	return l.entries[from:min(from+uint64(limit), uint64(len(l.entries)))], nil
}
func (l *memoryLedger) Directory() *peers.Directory { return l.directory }
func (l *memoryLedger) WaitSize(ctx context.Context, size uint64) error {
	if size <= uint64(len(l.leaves)) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}
func (l *memoryLedger) RootAt(size uint64) (sm.Digest, error) {
	return ledger.RootOf(l.leaves[:size]), nil
}
func (l *memoryLedger) Inclusion(index, size uint64) ([]sm.Digest, error) {
	return ledger.InclusionOf(l.leaves[:size], index)
}
func (l *memoryLedger) node(level uint, index uint64) (sm.Digest, error) {
	first, end := index<<level, (index+1)<<level
	if end > uint64(len(l.leaves)) {
		return sm.Digest{}, errors.New("incomplete node")
	}
	return ledger.RootOf(l.leaves[first:end]), nil
}
func (l *memoryLedger) Consistency(from, to uint64) ([]sm.Digest, error) {
	return ledger.Consistency(from, to, l.node)
}
