package httpapi

import (
	"context"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Service is the write door: *exchange.Service. It checks roles again itself,
// and when a method returns, what it promises is durable.
type Service interface {
	Submit(ctx context.Context, p exchange.Principal, s exchange.Submission) (exchange.SubmissionView, error)
	Bind(ctx context.Context, p exchange.Principal, uscc string, boundAt time.Time, proof string) error
	Erase(ctx context.Context, p exchange.Principal, id exchange.EntryID, reason exchange.ErasureReason, now bool) (exchange.ErasureView, error)
	AskStatement(ctx context.Context, p exchange.Principal, uscc string) error
	Unbind(ctx context.Context, p exchange.Principal, uscc string) error
	Acknowledge(ctx context.Context, p exchange.Principal, acks []exchange.Ack) ([]exchange.AckAnswer, error)
	ImportFirms(ctx context.Context, p exchange.Principal, firms []schemas.Firm) error
	ImportAuthorities(ctx context.Context, p exchange.Principal, authorities []schemas.Authority) error
	ImportSources(ctx context.Context, p exchange.Principal, sources []schemas.SourcePlan) error
	RegisterKey(ctx context.Context, p exchange.Principal, c peers.AgencyClaim) (exchange.EntryID, error)
	RetireKey(ctx context.Context, p exchange.Principal, uscc string, key sm.KeyID) (exchange.EntryID, error)
	Propose(ctx context.Context, p exchange.Principal, c peers.Change) (exchange.EntryID, error)
	Approve(ctx context.Context, p exchange.Principal, index uint64, digest sm.Digest) (exchange.EntryID, error)
	// AgencyKeys lists an agency's keys, retired ones included.
	AgencyKeys(uscc string) []peers.AgencyKey
}

// Casebook is the part of exchange.Casebook that people read.
type Casebook interface {
	WaitFor(ctx context.Context, at exchange.Position) error
	Position() exchange.Position
	Followed() uint64
	Submission(id string) (exchange.SubmissionView, error)
	Rows(submission, cursor string, limit int) (exchange.Page[exchange.RowView], error)
	Record(id exchange.EntryID) (exchange.RecordView, error)
	Records(filter exchange.RecordFilter, cursor string, limit int) (exchange.Page[exchange.RecordView], error)
	Quarantine(filter exchange.RecordFilter, cursor string, limit int) (exchange.Page[exchange.QuarantineItem], error)
	Reminders(cursor string, limit int) (exchange.Page[exchange.Reminder], error)
	Sources(cursor string, limit int) (exchange.Page[exchange.Source], error)
	Counts() (exchange.Counts, error)
}

// Ledger is the part of exchange.Ledger that anyone may check.
type Ledger interface {
	Head() exchange.Head
	Entries(from uint64, limit int) ([]exchange.Entry, error)
	Directory() *peers.Directory
	WaitSize(ctx context.Context, size uint64) error
	RootAt(size uint64) (sm.Digest, error)
	Inclusion(index, size uint64) ([]sm.Digest, error)
	Consistency(from, to uint64) ([]sm.Digest, error)
}

// Checkpoints is the part of exchange.Checkpoints that anyone may check.
type Checkpoints interface {
	Latest() (peers.Checkpoint, bool)
	Around(index uint64) (before, covering peers.Checkpoint, err error)
}

// Receipts makes receipt files: docs/formats/receipt.md.
type Receipts interface {
	// Receipt is the file of an entry that this region authored or was sent:
	// witnessed if it is, else provisional, or the region's own ticket. With
	// disclose its content is in it, or the error is exchange.ErrErased.
	Receipt(id exchange.EntryID, disclose bool) ([]byte, error)
	// Statement is what this region's newest witnessed anchor says of a
	// subject; exchange.ErrNotFound when it says nothing of it yet.
	Statement(uscc string) ([]byte, error)
	// Members shows who takes part and by which keys, as of the newest witnessed
	// checkpoint, to whoever has the genesis: docs/formats/evidence.md.
	// exchange.ErrNotFound while there is none.
	Members() ([]byte, error)
}

// Feed is what the app's server reads: *feed.Feed. A cursor is opaque; one
// that has expired is exchange.KindGone.
type Feed interface {
	// Pull waits up to wait for a first item. The page's Next is never "".
	Pull(ctx context.Context, cursor string, limit int, wait time.Duration) (exchange.Page[exchange.Reminder], error)
	// Stream calls send for each item, with the cursor behind it, until ctx
	// ends or send fails. It never calls send concurrently.
	Stream(ctx context.Context, cursor string, send func(item exchange.Reminder, cursor string) error) error
	// Latest is the cursor behind the last item there is.
	Latest() (string, error)
}

// Tokens knows who a bearer token is: *access.Store. A token that is unknown,
// expired or revoked is false.
type Tokens interface {
	Lookup(token string) (exchange.Principal, bool)
}
