package httpapi

import (
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Submission is what a submission's sender is told. Findings are of all rows,
// in row order, up to a thousand.
type Submission struct {
	exchange.SubmissionView
	Findings   []schemas.FindingView `json:"findings"`
	LedgerSize uint64                `json:"ledger_size"`
}

// Row is one row of a submission with what was found in it.
type Row struct {
	exchange.RowView
	Findings []schemas.FindingView `json:"findings"`
}

// QuarantineItem is a bad row that waits to be mended.
type QuarantineItem struct {
	exchange.QuarantineItem
	Findings []schemas.FindingView `json:"findings"`
}

// Record is a record with all that this region may say of it to this caller.
type Record struct {
	exchange.RecordView
	LedgerSize uint64 `json:"ledger_size"`
}

// ErasureOrder is the body that orders a record to be erased.
type ErasureOrder struct {
	Reason exchange.ErasureReason `json:"reason"`
	Now    bool                   `json:"now,omitempty"`
}

// Erasure is what the regions say of a record's end.
type Erasure struct {
	exchange.ErasureView
	LedgerSize uint64 `json:"ledger_size"`
}

// Page is one page of a list. Next is "" at the end.
type Page[T any] struct {
	Items      []T    `json:"items"`
	Next       string `json:"next"`
	LedgerSize uint64 `json:"ledger_size"`
}

// Reminders is one pull of the feed. A client goes on from Next, which is
// never "" unless open reminders are listed.
type Reminders struct {
	Items []exchange.Reminder `json:"items"`
	Next  string              `json:"next"`
	// Resume is on the first page of open reminders: the feed's cursor as of
	// just before the list, from which to pull when the list is done.
	Resume     string `json:"resume,omitempty"`
	LedgerSize uint64 `json:"ledger_size"`
}

// Ack is the app's word on one reminder.
type Ack struct {
	ID     string            `json:"id"`
	State  exchange.AckState `json:"state"`
	At     *time.Time        `json:"at,omitempty"`     // nil: now
	Reason string            `json:"reason,omitempty"` // a code
}

// Acks is the body of an acknowledgement.
type Acks struct {
	Acks []Ack `json:"acks"`
}

// AckResult answers one ack. The results come in the order of the acks.
type AckResult struct {
	ID     string             `json:"id"`
	State  exchange.AckState  `json:"state"`
	Result exchange.AckAnswer `json:"result"`
}

// AckResults answers Acks.
type AckResults struct {
	Acks       []AckResult `json:"acks"`
	LedgerSize uint64      `json:"ledger_size"`
}

// Binding is the body that binds a firm to the app. Who the person is stays
// with the app.
type Binding struct {
	BoundAt *time.Time `json:"bound_at,omitempty"` // nil: now
	Proof   string     `json:"proof,omitempty"`
}

// NewKey registers an agency's public key, as the agency claims it towards the
// region.
type NewKey struct {
	Name   string `json:"name"`
	Label  string `json:"label,omitempty"`
	Public []byte `json:"public_key"` // base64 of the 65-byte uncompressed point
	Proof  []byte `json:"proof"`      // the key's signature over its claim
}

// KeyEntry says which ledger entry will bring the change of a key into force.
type KeyEntry struct {
	Entry      exchange.EntryID `json:"entry"`
	KeyID      sm.KeyID         `json:"key_id"`
	LedgerSize uint64           `json:"ledger_size"`
}

// AgencyKey is one registered key. It is in force after leaf From and before
// leaf Until; Until 0 is still in force.
type AgencyKey struct {
	KeyID  sm.KeyID     `json:"key_id"`
	Region peers.Region `json:"region"`
	USCC   string       `json:"uscc"`
	Name   string       `json:"name"`
	Label  string       `json:"label,omitempty"`
	Public []byte       `json:"public_key"`
	From   uint64       `json:"from"`
	Until  uint64       `json:"until"`
}

// RegisterImport is what came of a register file. Rows that were refused are
// told in Findings; the others are in the register.
type RegisterImport struct {
	Register string                `json:"register"`
	Rows     int                   `json:"rows"`
	Accepted int                   `json:"accepted"`
	Findings []schemas.FindingView `json:"findings"`
}

// Source is one source with what is wrong with it today.
type Source struct {
	exchange.Source
	SilentDays int                   `json:"silent_days,omitempty"` // overdue: days since the last file
	Findings   []schemas.FindingView `json:"findings"`
}

// Checkpoint is the ledger at a size, in this node's own copy, and a witnessed
// checkpoint: the newest, or the earliest kept one that covers the size.
type Checkpoint struct {
	Ledger     sm.Digest  `json:"ledger"`
	Size       uint64     `json:"size"`
	Root       sm.Digest  `json:"root"`
	LedgerSize uint64     `json:"ledger_size"`
	Witnessed  *Witnessed `json:"witnessed,omitempty"`
}

// Witnessed is a checkpoint that enough regions have cosigned. Text is what
// can be verified; the rest is in it.
type Witnessed struct {
	Size      uint64         `json:"size"`
	Root      sm.Digest      `json:"root"`
	Directory sm.Digest      `json:"directory"`
	At        time.Time      `json:"at"` // the middle one of the witnesses' times
	Regions   []peers.Region `json:"regions"`
	Text      string         `json:"text"`
}

// WitnessStatus is what the node knows of its witnesses.
type WitnessStatus struct {
	Size       uint64     `json:"size"` // of the newest witnessed checkpoint, 0: none
	At         *time.Time `json:"at,omitempty"`
	AgeSeconds *float64   `json:"age_seconds,omitempty"`
	Marked     uint64     `json:"marked"` // size of the last mark
	Regions    []Cosigner `json:"regions"`
	Alarms     []string   `json:"alarms"`   // codes, see docs/runbook.md
	Evidence   int        `json:"evidence"` // bundles kept since the start
	Refused    uint64     `json:"refused"`  // cosignatures that nobody could use
}

// Cosigner is a region's newest cosignature.
type Cosigner struct {
	Region peers.Region `json:"region"`
	Size   uint64       `json:"size"`
	At     time.Time    `json:"at"`
}

// InclusionProof shows that a leaf is under a root.
type InclusionProof struct {
	Index      uint64      `json:"index"`
	Size       uint64      `json:"size"`
	Root       sm.Digest   `json:"root"`
	Path       []sm.Digest `json:"path"`
	LedgerSize uint64      `json:"ledger_size"`
}

// ConsistencyProof shows that one root's ledger begins with another's.
type ConsistencyProof struct {
	From       uint64      `json:"from"`
	To         uint64      `json:"to"`
	FromRoot   sm.Digest   `json:"from_root"`
	ToRoot     sm.Digest   `json:"to_root"`
	Path       []sm.Digest `json:"path"`
	LedgerSize uint64      `json:"ledger_size"`
}

// LedgerEntry is one leaf with what proves that its region signed it: the
// header is under the preamble's root by Path, and Signature signs Preamble.
// Bytes are base64 and exactly those that were signed.
type LedgerEntry struct {
	Index     uint64           `json:"index"`
	Header    []byte           `json:"header"`
	ID        exchange.EntryID `json:"id"`
	Class     exchange.Class   `json:"class"`
	Kind      string           `json:"kind"`
	Origin    peers.Region     `json:"origin"`
	To        []peers.Region   `json:"recipients"`
	IssuedAt  time.Time        `json:"issued_at"`
	Preamble  []byte           `json:"preamble"`
	Signature []byte           `json:"signature"`
	Seq       uint64           `json:"batch_seq"`
	Item      int              `json:"batch_item"`
	Path      []sm.Digest      `json:"batch_path"`
}

// NodeStatus is what the node tells of itself and the others.
type NodeStatus struct {
	Node      string    `json:"node"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Now       time.Time `json:"now"`    // domain clock
	Leader    string    `json:"leader"` // "" when none is known
	Term      uint64    `json:"term"`
	Committed uint64    `json:"committed"` // Raft indexes
	Applied   uint64    `json:"applied"`
	Journal   uint64    `json:"journal"` // position of the last durable event
	Peers     []Peer    `json:"peers"`
	// Refused counts what came from other nodes and was refused, by reason.
	Refused map[string]uint64 `json:"refused"`
	// Deposed counts the elections that this node has forced, since its start,
	// against a leader that held a region's batches back.
	Deposed uint64 `json:"deposed"`
	// LogHeldBack says that the Raft log grows: nothing is witnessed up to where
	// it could be cut.
	LogHeldBack bool `json:"log_held_back"`
	// MembershipWaits says, on the leader, why Raft's members are not the
	// directory's yet.
	MembershipWaits string `json:"membership_waits,omitempty"`
	// Check is the check under way, or the last one; nil when there was none.
	Check   *Check        `json:"check,omitempty"`
	Witness WitnessStatus `json:"witness"`
}

// Peer is one node of the directory as this node sees it.
type Peer struct {
	Node   string       `json:"node"`
	Region peers.Region `json:"region"`
	Self   bool         `json:"self,omitempty"`
	Leader bool         `json:"leader,omitempty"`
	// Acknowledged is the highest Raft index this peer has acknowledged, known
	// to the leader only; Lag is how far behind the leader that is.
	Acknowledged *uint64 `json:"acknowledged,omitempty"`
	Lag          *uint64 `json:"lag,omitempty"`
}

// Status is the node's status with the ledger's and the casebook's.
type Status struct {
	Region peers.Region `json:"region"`
	NodeStatus
	Ledger     sm.Digest       `json:"ledger"`
	Root       sm.Digest       `json:"root"`
	LedgerSize uint64          `json:"ledger_size"`
	Followed   uint64          `json:"followed"` // leaves the casebook has read
	Counts     exchange.Counts `json:"counts"`
	Ready      bool            `json:"ready"`
	Reasons    []string        `json:"reasons"`
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

// inLanguage puts findings into one language, never nil.
func inLanguage(findings []schemas.Finding, lang string) []schemas.FindingView {
	out := make([]schemas.FindingView, len(findings))
	for i, f := range findings {
		out[i] = f.In(lang)
	}
	return out
}

// listed makes an empty list of a nil one, which JSON would call null.
func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// LedgerBatch is one accepted batch for an auditor: exact bytes in base64.
// Sealed bodies are not part of it.
type LedgerBatch struct {
	First     uint64      `json:"first"` // leaf index of the first header
	Preamble  []byte      `json:"preamble"`
	Signature []byte      `json:"signature"`
	Headers   [][]byte    `json:"headers"`
	Clear     []ClearBody `json:"clear,omitempty"`
}

// ClearBody is the body of a governance entry.
type ClearBody struct {
	Item int    `json:"item"`
	Body []byte `json:"body"`
}

// KeptCheckpoint is a witnessed checkpoint: docs/formats/checkpoint.md.
type KeptCheckpoint struct {
	Size uint64 `json:"size"`
	Text string `json:"text"`
}

// StatementAsked is told while a region's next anchor has to be waited for.
type StatementAsked struct {
	Asked      bool   `json:"asked"`
	LedgerSize uint64 `json:"ledger_size"`
}
