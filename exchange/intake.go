package exchange

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// Submission is a file or a list of records as an agency sends it.
type Submission struct {
	Kind        string
	Body        io.Reader
	Wait        Wait
	DryRun      bool
	Idempotency string // "" without one
	Signature   []byte // the agency's own over the file, "" without one
	Declared    int    // rows that the sender says it sent, 0 if it does not say
	Sequence    uint64 // the sender's own number of the file, 0 if it gave none
}

// A run of rows that are judged, sealed and made durable together has at most
// so many rows, and is cut when its cells and their names pass so many bytes: a
// row is kept up to three times in its event, and the journal takes 8 MiB at once.
const (
	chunk      = 256
	chunkBytes = 1 << 20
)

// maxShown bounds the findings and row states inside one answer; the rest is
// read by page.
const maxShown = 1000

// Submit takes a file in: every row is accepted, quarantined or a duplicate,
// and nothing is lost. When it returns, all of it is durable; an error before
// the first row has stored nothing, and one after it leaves the rows taken so
// far, which a second try reports as duplicates.
func (s *Service) Submit(ctx context.Context, p Principal, sub Submission) (SubmissionView, error) {
	if err := s.admit(p, sub); err != nil {
		return SubmissionView{}, err
	}
	file, err := s.spool(p, sub.Body)
	if err != nil {
		return SubmissionView{}, err
	}
	defer file.Close()
	if sub.Idempotency != "" {
		if v, ok, err := s.answered(p, sub.Idempotency, file.digest); ok || err != nil {
			return v, err
		}
	}
	signer, err := s.checkFileSignature(p, file.digest, sub.Signature)
	if err != nil {
		return SubmissionView{}, err
	}
	kind, ok := s.Catalogue.Kind(sub.Kind)
	if !ok {
		return SubmissionView{}, Fail(KindInvalid, "UNKNOWN_KIND", "未知的信息类别，可用：administrative-penalty",
			"unknown kind; known: administrative-penalty")
	}
	rows, err := tabular.Open(file, kind.Dictionary(), tabular.Limits{Rows: MaxRows})
	if err != nil {
		return SubmissionView{}, err
	}
	in := &intake{Service: s, sub: sub, principal: p, kind: kind, rows: rows, file: file.digest, signer: signer}
	in.at = s.Clock()
	in.checker = kind.NewChecker(in.environment())
	return in.run(ctx)
}

func (s *Service) admit(p Principal, sub Submission) error {
	if err := p.Require(RoleAgencyEntry); err != nil {
		return err
	}
	if p.Submitter() == "" {
		return Fail(KindForbidden, "NO_UNIT", "此令牌没有报送单位", "this token names no submitting unit")
	}
	if err := s.writes(); err != nil {
		return err
	}
	switch sub.Wait {
	case WaitNone, WaitCommitted, WaitWitnessed:
		return nil
	}
	return Fail(KindInvalid, "WAIT", "wait 只能是 committed 或 witnessed", "wait must be committed or witnessed")
}

// answered finds the answer already given under an idempotency key.
func (s *Service) answered(p Principal, key string, digest sm.Digest) (SubmissionView, bool, error) {
	id, had, err := s.Casebook.SubmissionByIdempotency(p.ID, key)
	if errors.Is(err, ErrNotFound) {
		return SubmissionView{}, false, nil
	}
	if err != nil {
		return SubmissionView{}, false, err
	}
	if had != digest {
		return SubmissionView{}, false, &Error{Kind: KindInvalid, Status: 422, Code: "IDEMPOTENCY_KEY_REUSED",
			Text: schemas.Text{ZH: "同一 Idempotency-Key 已用于另一份内容", EN: "this Idempotency-Key was used with another body"}}
	}
	v, err := s.Casebook.Submission(id)
	// One that was cut off is taken again: its rows come as duplicates, and
	// those that were not reached are taken now.
	return v, err == nil && v.Complete, err
}

// intake is one submission on its way in.
type intake struct {
	*Service
	sub       Submission
	principal Principal
	kind      *schemas.Kind
	rows      *tabular.Reader
	file      sm.Digest
	signer    *sm.KeyID // the agency's key that signed the file, nil if none did
	checker   *schemas.Checker
	id        string
	at        time.Time
	view      SubmissionView
	previous  uint64  // the sender's last number
	held      []Event // written with the next rows
	ended     bool    // the rows at hand are the last
	closed    bool    // the end is written
	last      Position
	waits     []commitWait
	refusals  []schemas.Finding // at most maxShown each
	warnings  []schemas.Finding
	dry       map[sm.Digest]found // a dry run's own accepted rows
}

func (in *intake) run(ctx context.Context) (SubmissionView, error) {
	in.id = "s-" + strings.ToLower(rand.Text())
	in.view = SubmissionView{
		ID: in.id, Kind: in.sub.Kind, Submitter: in.principal.Submitter(), ReceivedAt: in.at,
		ByRule: map[string]int{}, Records: []RowView{}, DryRun: in.sub.DryRun,
	}
	if source, err := in.Casebook.Source(in.principal.Submitter(), in.sub.Kind); err == nil {
		in.previous = source.Sequence
	} else if !errors.Is(err, ErrNotFound) {
		return in.view, err
	}
	in.held = []Event{in.opening()}
	failure := in.take(ctx)
	if err := in.close(ctx, failure); err != nil {
		return in.view, err
	}
	if failure != nil {
		return in.view, failure
	}
	return in.view, in.awaitCommit(ctx)
}

func (in *intake) environment() schemas.Env {
	env := schemas.Env{
		Today: schemas.DateOf(in.at), Region: string(in.Region), Members: map[string]bool{},
		Sources: map[string]bool{}, Registers: in.Casebook.Registers(),
	}
	for _, r := range in.Ledger.Directory().Regions() {
		env.Members[string(r)] = true
	}
	for _, u := range slices.Concat(in.principal.Scope.Sources, in.principal.Scope.Units) {
		env.Sources[u] = true
	}
	if len(in.principal.Scope.Authorities) > 0 {
		env.Authorities = map[string]bool{}
		for _, u := range in.principal.Scope.Authorities {
			env.Authorities[u] = true
		}
	}
	return env
}

// opening begins the submission; it is written with its first rows.
func (in *intake) opening() Event {
	return Event{At: in.at, Opened: &SubmissionOpened{
		ID: in.id, Kind: in.sub.Kind, Submitter: in.principal.Submitter(), Principal: in.principal.ID,
		ReceivedAt: in.at, FileDigest: in.file, Idempotency: in.sub.Idempotency, Sequence: in.sub.Sequence,
	}}
}

// take reads the rows chunk by chunk. Its error is what broke reading off.
func (in *intake) take(ctx context.Context) error {
	batch, size := make([]schemas.Row, 0, chunk), 0
	for {
		row, err := in.rows.Next()
		if err == nil {
			batch = append(batch, row)
			size += weight(&row)
			if len(batch) < chunk && size < chunkBytes {
				continue
			}
		}
		in.ended = errors.Is(err, io.EOF)
		if len(batch) > 0 {
			if err := in.judge(ctx, batch); err != nil {
				in.ended = false
				return err
			}
			batch, size = batch[:0], 0
		}
		if in.ended {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// weight is how many bytes are kept of a row as it came. Names count: each row
// has them again.
func weight(row *schemas.Row) int {
	n := len(row.Sheet) + len(row.Author)
	for i := range row.Cells {
		n += len(row.Cells[i].Column) + len(row.Cells[i].Value)
	}
	return n
}

// write appends rows, with the opening before the first and the end behind the
// last: a small file is one write.
func (in *intake) write(ctx context.Context, rows *RowsTaken) (Position, error) {
	events := append(in.held, Event{At: in.at, Rows: rows})
	if in.ended {
		events = append(events, in.closing(nil))
	}
	at, err := in.Journal.Append(ctx, events...)
	if err != nil {
		return 0, err
	}
	in.held, in.closed, in.last = nil, in.ended, at
	return at, nil
}

// close ends the submission, if its last rows have not, and waits until the
// casebook knows all of it.
func (in *intake) close(ctx context.Context, failure error) error {
	if in.sub.DryRun {
		in.closing(failure)
		return nil
	}
	if !in.closed {
		// The sender's patience does not decide whether the end is written.
		at, err := in.Journal.Append(context.WithoutCancel(ctx), append(in.held, in.closing(failure))...)
		if err != nil {
			return err
		}
		in.last = at
	}
	return in.Casebook.WaitFor(ctx, in.last)
}

// closing completes the answer and is the event that says the same.
func (in *intake) closing(failure error) Event {
	in.view.Complete = failure == nil
	notes := append(in.rows.Findings(), in.checker.Finish()...)
	if failure == nil {
		notes = append(notes, in.quantity()...)
	}
	for _, f := range notes {
		if f.Rule == schemas.RowSkipped {
			in.view.Skipped++
		}
	}
	in.view.Findings = append(notes, in.shown()...)
	closed := &SubmissionClosed{
		ID: in.id, Received: in.view.Received, Accepted: in.view.Accepted, Bad: in.view.Quarantined,
		Double: in.view.Duplicate, Skipped: in.view.Skipped,
	}
	for _, f := range notes {
		closed.FileNote = append(closed.FileNote, string(f.Rule))
	}
	var told *Error
	if errors.As(failure, &told) {
		closed.Failed = told.Code
	} else if failure != nil {
		closed.Failed = "INTERRUPTED"
	}
	return Event{At: in.Clock(), Closed: closed}
}
