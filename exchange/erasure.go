package exchange

import (
	"time"

	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// The kinds of docs/formats/erasure.md.
const (
	KindErasure          = "erasure"           // the origin's order, a follow-up of the record
	KindStopped          = "stopped"           // a region's word: not served here any more
	KindErasureStatement = "erasure-statement" // a region's word: erased here
)

// ErasureReason says why a record has to go.
type ErasureReason string

const (
	ReasonRepaired  ErasureReason = "repaired"  // 信用修复
	ReasonWithdrawn ErasureReason = "withdrawn" // 撤回
	ReasonExpired   ErasureReason = "expired"   // 公示期满且已履行
)

// Known reports whether r is one of the reasons.
func (r ErasureReason) Known() bool {
	return r == ReasonRepaired || r == ReasonWithdrawn || r == ReasonExpired
}

// Order is the body of an entry of kind erasure.
type Order struct {
	Reason ErasureReason `cbor:"1,keyasint"`
	At     int64         `cbor:"2,keyasint"`           // Unix seconds, the origin's claim
	Now    bool          `cbor:"3,keyasint,omitempty"` // do not wait for the next round
}

// Marshal gives the body's one spelling.
func (o *Order) Marshal() ([]byte, error) { return detcbor.Marshal(o) }

// ParseOrder reads an order's body strictly.
func ParseOrder(raw []byte) (Order, error) {
	var o Order
	if err := decodeCanonical(raw, MaxBody, &o); err != nil {
		return o, err
	}
	if !o.Reason.Known() || o.At < 0 {
		return o, Malformed("erasure order")
	}
	return o, nil
}

// IsOrder reports whether a header is an order to erase the entry whose header
// is target. It needs no body: every region can act on it.
func (h *Header) IsOrder(target *Header) bool {
	return h.Kind == KindErasure && h.Class == ClassFollowUp && target.Class == ClassRecord && target.Origin == h.Origin
}

// MaxErasures bounds one statement's list.
const MaxErasures = 256

// Report is the body of a region's statement on records that it has taken
// down: stopped without a scope, erasure-statement with one.
type Report struct {
	Records []Ref         `cbor:"1,keyasint"` // ascending
	At      int64         `cbor:"2,keyasint"` // Unix seconds, the region's claim
	Scope   *ErasureScope `cbor:"3,keyasint,omitempty"`
}

// ErasureScope is what an erasure statement speaks of.
type ErasureScope struct {
	Node    string `cbor:"1,keyasint"`           // that has erased
	Log     uint64 `cbor:"2,keyasint"`           // first Raft index that its log still holds
	Backups string `cbor:"3,keyasint,omitempty"` // ISO date on which the last backup expires
}

// Kind is the kind of entry that carries the report.
func (r *Report) Kind() string {
	if r.Scope == nil {
		return KindStopped
	}
	return KindErasureStatement
}

// Marshal gives the body's one spelling.
func (r *Report) Marshal() ([]byte, error) { return detcbor.Marshal(r) }

// ParseReport reads the body of an entry of this kind strictly.
func ParseReport(kind string, raw []byte) (Report, error) {
	var r Report
	if err := decodeCanonical(raw, MaxBody, &r); err != nil {
		return r, err
	}
	if r.Kind() != kind || r.At < 0 || len(r.Records) == 0 || len(r.Records) > MaxErasures {
		return r, Malformed("%s", kind)
	}
	for i := 1; i < len(r.Records); i++ {
		if r.Records[i-1].Index >= r.Records[i].Index {
			return r, Malformed("%s: order of records", kind)
		}
	}
	if s := r.Scope; s != nil && !s.valid() {
		return r, Malformed("%s: scope", kind)
	}
	return r, nil
}

func (s *ErasureScope) valid() bool {
	if len(s.Node) == 0 || len(s.Node) > 64 {
		return false
	}
	_, err := time.Parse(time.DateOnly, s.Backups)
	return s.Backups == "" || err == nil
}

// ErasedItem is one record that is about to be erased here, with what the fold
// of the casebook has to know of it when it can't be read again.
type ErasedItem struct {
	Place   uint64   `cbor:"1,keyasint"` // its leaf; for a home record the casebook's own number
	Local   bool     `cbor:"2,keyasint,omitempty"`
	ID      EntryID  `cbor:"3,keyasint"`
	Slots   []uint64 `cbor:"4,keyasint,omitempty"` // of private copies
	Code    string   `cbor:"5,keyasint,omitempty"` // why it was parked
	Subject []byte   `cbor:"6,keyasint,omitempty"` // its firm, as the casebook names it, if it was reminded
}

// RecordsErased is durable before the first of its records is overwritten.
type RecordsErased struct {
	Items []ErasedItem `cbor:"1,keyasint"`
}

// LocalOrder takes down a home record, which no entry of the ledger speaks of.
type LocalOrder struct {
	Record EntryID `cbor:"1,keyasint"`
	Order  Order   `cbor:"2,keyasint"`
}

// LocalErased says that home records are erased, in which scope.
type LocalErased struct {
	Records []EntryID    `cbor:"1,keyasint"`
	At      int64        `cbor:"2,keyasint"`
	Scope   ErasureScope `cbor:"3,keyasint"`
}

// PendingErasure is a record that is taken down and not yet stated to be
// erased here.
type PendingErasure struct {
	ErasedItem
	Now     bool
	Stopped bool // stated
	Settled bool // the order is on the ledger, or needs none
	Kept    bool // its RecordsErased is in the journal
}

// ErasureView is what the regions say of the end of a record.
type ErasureView struct {
	Reason    ErasureReason   `json:"reason"`
	OrderedAt time.Time       `json:"ordered_at"`
	Now       bool            `json:"now"`
	Index     *uint64         `json:"index,omitempty"` // the order's leaf, once it has one
	Regions   []ErasureRegion `json:"regions"`
}

// ErasureState is how far a region has come, by its own word.
type ErasureState string

const (
	ErasurePending ErasureState = "pending" // has said nothing yet
	ErasureStopped ErasureState = "stopped" // 已停止共享和使用
	ErasureDone    ErasureState = "erased"  // 已清除
)

// ErasureRegion is one region's word on one record.
type ErasureRegion struct {
	Region       peers.Region `json:"region"`
	State        ErasureState `json:"state"`
	Held         bool         `json:"held"` // it could read the record; others stored ciphertext only
	StoppedAt    *time.Time   `json:"stopped_at,omitempty"`
	ErasedAt     *time.Time   `json:"erased_at,omitempty"`
	Node         string       `json:"node,omitempty"`
	LogFirst     uint64       `json:"log_first,omitempty"`
	BackupsUntil string       `json:"backups_until,omitempty"`
}
