package exchange

import (
	"context"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// SubmissionView is what a submission's sender is told. Findings are of all
// rows, in row order, cut off at a thousand; the rest by RowViews.
type SubmissionView struct {
	ID          string            `json:"submission"`
	Kind        string            `json:"kind"`
	Submitter   string            `json:"submitter"`
	ReceivedAt  time.Time         `json:"received_at"`
	Complete    bool              `json:"complete"` // false: cut off while reading
	Received    int               `json:"received"`
	Accepted    int               `json:"accepted"`
	Quarantined int               `json:"quarantined"`
	Duplicate   int               `json:"duplicate"`
	ByRule      map[string]int    `json:"by_rule"` // first rule of rows, DUPLICATE included
	Skipped     int               `json:"skipped"`
	Findings    []schemas.Finding `json:"-"` // localised by the caller
	Records     []RowView         `json:"records"`
	DryRun      bool              `json:"dry_run,omitempty"`
}

// RowView is one row of a submission.
type RowView struct {
	Row        int               `json:"row"`
	Outcome    Outcome           `json:"result"`
	Rule       string            `json:"rule,omitempty"`
	ID         *EntryID          `json:"id,omitempty"` // accepted; DUPLICATE: the standing record
	State      State             `json:"state,omitempty"`
	Quarantine string            `json:"quarantine,omitempty"`
	Normalised []string          `json:"normalised,omitempty"`
	Flags      []string          `json:"flags,omitempty"`
	Home       peers.Region      `json:"home_region,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Findings   []schemas.Finding `json:"-"`
}

// RecordView is a record with all that this region may say of it.
type RecordView struct {
	ID         EntryID          `json:"id"`
	Kind       string           `json:"kind"`
	Class      Class            `json:"class"`
	Origin     peers.Region     `json:"origin"`
	Recipients []peers.Region   `json:"recipients"`
	IssuedAt   time.Time        `json:"issued_at"` // the origin's claim
	State      State            `json:"state"`
	Code       string           `json:"code,omitempty"` // refused or parked: why
	Index      *uint64          `json:"index,omitempty"`
	Commitment *sm.Digest       `json:"commitment,omitempty"`
	BodyDigest sm.Digest        `json:"body_digest"`
	Submission string           `json:"submission,omitempty"`
	Row        int              `json:"row,omitempty"`
	Deliveries []Delivery       `json:"deliveries"`
	Author     *AuthorView      `json:"author,omitempty"`
	Body       *schemas.Penalty `json:"body,omitempty"`       // only if held and the role may
	Erasure    *ErasureView     `json:"erasure,omitempty"`    // once it is taken down; body and author are gone then
	Dishonesty *schemas.Class   `json:"dishonesty,omitempty"` // 失信程度, with the body
	Submitter  string           `json:"-"`
}

// AuthorView is the author block as shown. Signatures are verified by the directory
// as of the entry's index.
type AuthorView struct {
	Kind     AuthorKind `json:"kind"`
	Agency   string     `json:"agency"`
	File     *sm.Digest `json:"file,omitempty"`
	Row      int        `json:"row,omitempty"`
	KeyID    *sm.KeyID  `json:"key_id,omitempty"`
	Verified bool       `json:"verified"` // kind agency: the agency has signed the record
	// FileSignature is the agency's over the file. That the record is this row of
	// it, the region says alone.
	FileSignature *FileSignatureView `json:"file_signature,omitempty"`
}

// FileSignatureView is an agency's signature over the SM3 of a file.
type FileSignatureView struct {
	KeyID    sm.KeyID `json:"key_id"`
	Verified bool     `json:"verified"`
}

// QuarantineItem is a bad row kept for repair.
type QuarantineItem struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind"`
	Submitter  string            `json:"submitter"`
	Rule       string            `json:"rule"`
	FirstAt    time.Time         `json:"first_at"`
	LastAt     time.Time         `json:"last_at"`
	Times      int               `json:"times"`      // how often the same row came
	Submission string            `json:"submission"` // the last one
	Row        int               `json:"row"`
	Findings   []schemas.Finding `json:"-"`
	Raw        []byte            `json:"-"` // schemas' encoding of the row as it came
}

// RecordFilter narrows a list of records; zero fields don't.
type RecordFilter struct {
	Kind      string
	Origin    peers.Region
	State     State
	Submitter string
}

// Counts are the casebook's totals for status, metrics and the demo's report.
type Counts struct {
	Records     map[State]int  `json:"records"`     // of this region, by state
	Opened      int            `json:"opened"`      // records of other regions opened here
	Parked      map[string]int `json:"parked"`      // by code
	Reminders   map[Stage]int  `json:"reminders"`   // made here, bound or not
	Quarantined map[string]int `json:"quarantined"` // items by rule
	Outbox      int            `json:"outbox"`      // entries not yet committed
	Bound       int            `json:"bound"`       // firms with an app user
	PendingAcks int            `json:"pending_acks"`
	Erasing     int            `json:"erasing"` // taken down, not yet stated to be erased here
}

// AckAnswer is one ack's fate.
type AckAnswer string

const (
	AckOK      AckAnswer = "ok"
	AckUnknown AckAnswer = "unknown"
	AckStale   AckAnswer = "stale" // a later state stands already
)

// PendingAck waits to be told to its record's origin.
type PendingAck struct {
	Origin peers.Region
	Ack    RecordAck
}

// Casebook is the fold of journal and ledger: what this region knows. Reads
// are monotone; to read one's own write, WaitFor its position first. All
// methods are safe for concurrent use. A miss is ErrNotFound.
type Casebook interface {
	// WaitFor returns when the fold has passed at, or ctx's error.
	WaitFor(ctx context.Context, at Position) error
	// Position is how far the fold has come; Followed the ledger size it has
	// read; NextSlot the first vault slot that no folded event names.
	Position() Position
	Followed() uint64
	NextSlot() uint64

	// Standings answers for each key digest; a zero ID means none stands.
	Standings(keys []sm.Digest) ([]Standing, error)
	// Strangers tells of n ids which are those of own entries on the ledger that
	// the journal does not know. id is asked only if there are such entries.
	Strangers(n int, id func(i int) EntryID) ([]bool, error)
	// Stranger opens the record of one of them as it was sealed on the ledger, and
	// keeps nothing of it: ErrErased when it is taken down, ErrUnreadable when it
	// does not open to this region.
	Stranger(id EntryID) (record []byte, err error)
	Registers() schemas.Registers

	// Pending returns entries that wait to be cut, after order, in order.
	Pending(after uint64, limit int) ([]Pending, error)
	// Cuts returns batches that are cut, not void and not yet followed on the
	// ledger, by seq.
	Cuts() ([]BatchCut, error)
	// Authored returns the entry as it was sealed when accepted, with its DEK.
	Authored(id EntryID) (Pending, error)
	// PendingAcks returns up to limit acks not yet authored, oldest first,
	// and per origin the number of statements authored so far.
	PendingAcks(limit int) ([]PendingAck, map[peers.Region]uint32, error)
	// PendingErasures returns up to limit records that are wanted of those that
	// are taken down and not yet stated to be erased here, by place; home
	// records come last.
	PendingErasures(limit int, wanted func(*PendingErasure) bool) ([]PendingErasure, error)
	// Reports is the number of statements of this kind authored so far.
	Reports(kind string) (uint32, error)
	// Orders is the number of this region's orders to erase a record so far,
	// whether the ledger refused the last one, and whether one of them says now.
	Orders(id EntryID) (n uint32, refused, now bool, err error)

	// Source is what is known of one source of records of one kind; Sources
	// lists all.
	Source(submitter, kind string) (Source, error)
	Sources(cursor string, limit int) (Page[Source], error)

	Submission(id string) (SubmissionView, error)
	SubmissionByIdempotency(principal, key string) (id string, digest sm.Digest, err error)
	Rows(submission, cursor string, limit int) (Page[RowView], error)
	Record(id EntryID) (RecordView, error)
	Records(filter RecordFilter, cursor string, limit int) (Page[RecordView], error)
	Quarantine(filter RecordFilter, cursor string, limit int) (Page[QuarantineItem], error)

	// Feed returns items after seq, in order, with the last seq of the feed.
	Feed(after uint64, limit int) ([]Reminder, uint64, error)
	// Reminders lists bound firms' open reminders, for a client whose cursor
	// has expired.
	Reminders(cursor string, limit int) (Page[Reminder], error)
	// Judge says what an ack would do, without doing it.
	Judge(acks []Ack) ([]AckAnswer, error)
	Bound(uscc string) (bool, error)
	// Placed reports whether an anchor of this region that is made, or is due
	// now, says something of a subject.
	Placed(uscc string) (bool, error)

	Counts() (Counts, error)
}
