package exchange

import (
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// An Event is something that happened in this region and nowhere else. The
// journal keeps events in the one order that counts; the casebook is a pure
// fold over them. What was known, drawn or decided at that moment is in the
// event: a fold asks no clock, no network and no random source.
//
// Exactly one of the pointers is set. Events are CBOR on disk
// (docs/formats/journal.md); field names are short integers there, so that a
// field can be added and none reused.
type Event struct {
	At time.Time `cbor:"1,keyasint"` // domain clock, whole milliseconds

	Opened   *SubmissionOpened `cbor:"2,keyasint,omitempty"`
	Rows     *RowsTaken        `cbor:"3,keyasint,omitempty"`
	Closed   *SubmissionClosed `cbor:"4,keyasint,omitempty"`
	Register *RegisterChanged  `cbor:"5,keyasint,omitempty"`
	Bound    *FirmBound        `cbor:"6,keyasint,omitempty"`
	Unbound  *FirmUnbound      `cbor:"7,keyasint,omitempty"`
	Acks     *AcksReceived     `cbor:"8,keyasint,omitempty"`
	Authored *EntryAuthored    `cbor:"9,keyasint,omitempty"`
	Cut      *BatchCut         `cbor:"10,keyasint,omitempty"`
	Refused  *BatchRefused     `cbor:"11,keyasint,omitempty"`
	Followed *LedgerFollowed   `cbor:"12,keyasint,omitempty"`

	Ordered     *LocalOrder    `cbor:"13,keyasint,omitempty"`
	Erasing     *RecordsErased `cbor:"14,keyasint,omitempty"`
	LocalErased *LocalErased   `cbor:"15,keyasint,omitempty"`

	Asked  *SubjectAsked `cbor:"16,keyasint,omitempty"`
	Reread *LedgerReread `cbor:"17,keyasint,omitempty"`
}

// NextSlot is the first vault slot behind those that the event is the first to
// name, 1 if it names none.
func (e *Event) NextSlot() uint64 {
	next := uint64(1)
	switch {
	case e.Rows != nil:
		for i := range e.Rows.Rows {
			next = max(next, e.Rows.Rows[i].Slot+1)
		}
	case e.Authored != nil:
		next = e.Authored.Slot + 1
	case e.Bound != nil:
		next = e.Bound.Slot + 1
	case e.Asked != nil:
		next = e.Asked.Slot + 1
	case e.Followed != nil && e.Followed.Slots > 0:
		next = e.Followed.FirstSlot + e.Followed.Slots
	}
	return next
}

// SubmissionOpened begins a submission. A submission without a matching
// SubmissionClosed was cut off: its rows count, and its sender was not told.
type SubmissionOpened struct {
	ID          string    `cbor:"1,keyasint"` // "s-" and 26 characters
	Kind        string    `cbor:"2,keyasint"`
	Submitter   string    `cbor:"3,keyasint"` // USCC of the agency
	Principal   string    `cbor:"4,keyasint"` // token id
	ReceivedAt  time.Time `cbor:"5,keyasint"`
	FileDigest  sm.Digest `cbor:"6,keyasint"` // of the bytes as received
	Idempotency string    `cbor:"7,keyasint,omitempty"`
	Sequence    uint64    `cbor:"8,keyasint,omitempty"` // the sender's own number, 0 if it gave none
}

// RowsTaken is a run of rows of one submission, judged. It is the moment of
// acceptance: once durable, nothing in it can be lost.
type RowsTaken struct {
	Submission string `cbor:"1,keyasint"`
	Rows       []Row  `cbor:"2,keyasint"`
}

// Outcome of a row.
type Outcome string

const (
	RowAccepted    Outcome = "accepted"
	RowQuarantined Outcome = "quarantined"
	RowDuplicate   Outcome = "duplicate"
)

// Row is one judged data row. Whatever could name a person is in Private,
// sealed under the key of Slot (vault), nonce 0: a fresh key per row, so that
// erasing the slot erases every private copy.
type Row struct {
	N          int       `cbor:"1,keyasint"` // data row, from 1
	Outcome    Outcome   `cbor:"2,keyasint"`
	Rule       string    `cbor:"3,keyasint,omitempty"` // first refusing rule, DUPLICATE included
	KeyDigest  sm.Digest `cbor:"4,keyasint,omitzero"`  // HMAC of kind ‖ natural key under the id secret; zero when the row has none
	Content    sm.Digest `cbor:"5,keyasint,omitzero"`  // HMAC of the comparison content; of the raw row in quarantine
	Entry      *Authored `cbor:"6,keyasint,omitempty"` // accepted rows
	Earlier    EntryID   `cbor:"7,keyasint,omitzero"`  // DUPLICATE, CONFLICT: the standing record
	Quarantine string    `cbor:"8,keyasint,omitempty"` // id of the quarantine item: q- and digits of Content
	Slot       uint64    `cbor:"9,keyasint,omitempty"`
	Private    []byte    `cbor:"10,keyasint,omitempty"` // RowPrivate
	Flags      []string  `cbor:"11,keyasint,omitempty"` // warnings' rules, ROUTE_… included
	Normalised []string  `cbor:"12,keyasint,omitempty"` // codes
}

// RowPrivate is what Row.Private seals.
type RowPrivate struct {
	Findings   []schemas.Finding `cbor:"1,keyasint,omitempty"`
	Comparison []byte            `cbor:"2,keyasint,omitempty"` // accepted: content for CONFLICT
	Raw        []byte            `cbor:"3,keyasint,omitempty"` // quarantined: the row as it came
	Key        []byte            `cbor:"4,keyasint,omitempty"` // accepted: DEK of the body, 16 bytes
	Body       []byte            `cbor:"5,keyasint,omitempty"` // accepted: the sealed body, so that its ciphertext goes with the slot
}

// Authored is an entry of this region as it was sealed when accepted. It can
// be drained any number of times with the same bytes.
type Authored struct {
	Header []byte       `cbor:"1,keyasint"`           // exact header bytes
	Body   []byte       `cbor:"2,keyasint,omitempty"` // ciphertext, or clear body in governance; of a row: in RowPrivate
	Local  bool         `cbor:"3,keyasint,omitempty"` // home record: never drained
	Home   peers.Region `cbor:"4,keyasint,omitempty"` // region the firm is reminded in, "" if none
}

// SubmissionClosed ends a submission with what its sender was told.
type SubmissionClosed struct {
	ID       string   `cbor:"1,keyasint"`
	Received int      `cbor:"2,keyasint"`
	Accepted int      `cbor:"3,keyasint"`
	Bad      int      `cbor:"4,keyasint"`           // quarantined
	Double   int      `cbor:"5,keyasint"`           // duplicate
	FileNote []string `cbor:"6,keyasint,omitempty"` // rules of file findings
	Skipped  int      `cbor:"7,keyasint,omitempty"` // 合计 rows, repeated headers
	Failed   string   `cbor:"8,keyasint,omitempty"` // code, when reading broke off
}

// Register names.
const (
	RegisterFirms       = "firms"
	RegisterAuthorities = "authorities"
	RegisterSources     = "sources"
)

// RegisterChanged adds or replaces rows of a register, by USCC. A large file
// becomes several events.
type RegisterChanged struct {
	Register    string               `cbor:"1,keyasint"`
	Firms       []schemas.Firm       `cbor:"2,keyasint,omitempty"`
	Authorities []schemas.Authority  `cbor:"3,keyasint,omitempty"`
	Sources     []schemas.SourcePlan `cbor:"4,keyasint,omitempty"`
}

// FirmBound says that the app has a user for this firm; its open reminders
// enter the feed again as backfill.
type FirmBound struct {
	BoundAt time.Time `cbor:"2,keyasint"`
	Subject []byte    `cbor:"4,keyasint"`           // IDSecret.Subject of the firm
	Slot    uint64    `cbor:"5,keyasint,omitempty"` // vault slot of Proof, 0 if there is none
	Proof   []byte    `cbor:"6,keyasint,omitempty"` // what the app gave as proof, sealed
}

// FirmUnbound ends a binding.
type FirmUnbound struct {
	Subject []byte `cbor:"2,keyasint"` // as in FirmBound
}

// Ack is one word of the app on one reminder.
type Ack struct {
	Reminder string    `cbor:"1,keyasint"`
	State    AckState  `cbor:"2,keyasint"`
	At       time.Time `cbor:"3,keyasint"`
	Reason   string    `cbor:"4,keyasint,omitempty"` // a code, no free text
}

// AcksReceived is durable before the app is answered.
type AcksReceived struct {
	Acks []Ack `cbor:"1,keyasint"`
}

// EntryAuthored puts an entry into the outbox that is not a row: an
// acknowledgement statement or an agency key.
type EntryAuthored struct {
	Entry Authored  `cbor:"1,keyasint"`
	Slot  uint64    `cbor:"2,keyasint,omitempty"`
	Key   []byte    `cbor:"3,keyasint,omitempty"` // DEK sealed under the slot's key; empty in governance
	Acked []AckedAs `cbor:"4,keyasint,omitempty"` // acknowledgements this statement carries

	Order  *Order  `cbor:"5,keyasint,omitempty"` // the entry is this order
	Report *Report `cbor:"6,keyasint,omitempty"` // the statement is this report

	Anchor *AnchorMade `cbor:"7,keyasint,omitempty"` // the entry states this map
}

// AckedAs is one (record, state) that a statement told the origin.
type AckedAs struct {
	Record EntryID  `cbor:"1,keyasint"`
	State  AckState `cbor:"2,keyasint"`
	Code   string   `cbor:"3,keyasint,omitempty"` // refused: why
}

// BatchCut makes a batch immutable before anyone sees it. The items are in the
// journal already; only their order is kept here.
type BatchCut struct {
	Preamble  []byte    `cbor:"1,keyasint"`
	Signature []byte    `cbor:"2,keyasint"`
	Wraps     []byte    `cbor:"3,keyasint,omitempty"` // under the slots of all its items, see SealWraps
	Items     []EntryID `cbor:"4,keyasint"`
}

// BatchRefused takes the bad item out and voids this batch and all later ones.
type BatchRefused struct {
	Seq  uint64  `cbor:"1,keyasint"`
	Code Code    `cbor:"2,keyasint"`
	Item EntryID `cbor:"3,keyasint,omitzero"` // zero when the batch itself was at fault
}

// LedgerFollowed says that the casebook read leaves [From, To). It fixes how
// ledger and journal interleave, so that a rebuilt casebook is the same one.
// Entries that concern this region take vault slots from FirstSlot on, in
// leaf order.
type LedgerFollowed struct {
	From      uint64       `cbor:"1,keyasint"`
	To        uint64       `cbor:"2,keyasint"`
	FirstSlot uint64       `cbor:"3,keyasint"`
	Slots     uint64       `cbor:"4,keyasint"`
	Root      sm.Digest    `cbor:"5,keyasint"` // at size To, checked again on start
	Region    peers.Region `cbor:"6,keyasint"`
}

// LedgerReread takes notes back: what was followed from leaf From on was another
// ledger, and counts as never read. The slots that it took stay taken.
type LedgerReread struct {
	From uint64 `cbor:"1,keyasint"`
}
