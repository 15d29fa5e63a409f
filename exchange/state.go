package exchange

import "time"

// State of a record as people see it.
type State string

const (
	StateAccepted  State = "accepted"  // 已受理: durable in this region's journal
	StateLocal     State = "local"     // 本地: a home record, final
	StateCommitted State = "committed" // 已入账: in this node's own copy of the ledger
	StateWitnessed State = "witnessed" // 已见证: under a checkpoint of three regions
	StateRefused   State = "refused"   // the ledger refused it; the sender is told why
)

// OnLedger says that the record is in this node's own copy of the ledger.
func (s State) OnLedger() bool { return s == StateCommitted || s == StateWitnessed }

// Wait is how long a submission's answer is held back.
type Wait string

const (
	WaitNone      Wait = ""
	WaitCommitted Wait = "committed"
	WaitWitnessed Wait = "witnessed"
)

// Pending says that a record in state s has not come as far as was waited for.
func (w Wait) Pending(s State) bool {
	return w != WaitNone && s == StateAccepted || w == WaitWitnessed && s == StateCommitted
}

// AckState is a reminder's state at the recipient; it only moves forward:
// delivered < read < acted. failed and unbound stand beside that line, and
// refused is a gateway's own word on an entry it can't open or accept.
type AckState string

const (
	AckDelivered AckState = "delivered" // 已推送
	AckRead      AckState = "read"      // 已读
	AckActed     AckState = "acted"     // 已办理
	AckFailed    AckState = "failed"    // 推送失败
	AckUnbound   AckState = "unbound"   // 未绑定
	AckRefused   AckState = "refused"   // parked at the recipient
)

// Rank orders the forward states; 0 for the others, -1 for an unknown word.
func (s AckState) Rank() int {
	switch s {
	case AckDelivered:
		return 1
	case AckRead:
		return 2
	case AckActed:
		return 3
	case AckFailed, AckUnbound, AckRefused:
		return 0
	}
	return -1
}

// Delivery is what one recipient region said of one record.
type Delivery struct {
	Region string    `json:"region" cbor:"1,keyasint"`
	State  AckState  `json:"state" cbor:"2,keyasint"`
	At     time.Time `json:"at" cbor:"3,keyasint"`
	Code   string    `json:"code,omitempty" cbor:"4,keyasint,omitempty"`
}

// Stage of a reminder. This version makes the first; the others come with the
// calendar.
type Stage string

const StageIssued Stage = "issued"

// Op says what an item does to what the app shows.
type Op string

const (
	OpNew    Op = "new"
	OpUpdate Op = "update"
	OpCancel Op = "cancel"
)

// Reminder is one item of the feed: at least once, ordered by Seq, the same ID
// however often it comes. Fields that need a calendar are nil until cases
// exist.
type Reminder struct {
	ID          string    `json:"id"`
	Seq         uint64    `json:"seq"`
	Op          Op        `json:"op"`
	Backfill    bool      `json:"backfill,omitempty"`
	Replaces    *string   `json:"replaces"`
	Record      EntryID   `json:"record"`
	Case        *string   `json:"case"`
	Stage       Stage     `json:"stage"`
	SubjectUSCC string    `json:"subject_uscc"`
	SubjectName string    `json:"subject_name"`
	Authority   string    `json:"authority"`
	DecisionNo  string    `json:"decision_no"`
	Violation   string    `json:"violation"`
	Plate       string    `json:"plate"`
	FineFen     *int64    `json:"fine_fen"`
	Surcharge   *int64    `json:"surcharge_fen"`
	Due         *string   `json:"due"`
	DueText     string    `json:"due_text"`
	Pay         *PayHint  `json:"pay"`
	Publication *Public   `json:"publication"`
	Remedies    []string  `json:"remedies"`
	Actions     []string  `json:"actions"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   *string   `json:"expires_at"`
	Lang        string    `json:"lang"`
	Title       string    `json:"title"`
	Text        string    `json:"text"`
	State       AckState  `json:"state,omitempty"` // "" = 待推送
}

// PayHint is how to pay, as far as the record says.
type PayHint struct {
	Code string `json:"code"` // 缴款识别码
}

// Public is the record's publication.
type Public struct {
	Published bool   `json:"published"`
	Until     string `json:"until,omitempty"` // ISO date
}
