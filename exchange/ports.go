package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Clock is the domain clock: today's date, received_at, at. Transport timers
// never use it.
type Clock func() time.Time

// Shanghai is the one time zone of dates.
var Shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// BatchInfo is what the entries of one accepted batch share.
type BatchInfo struct {
	RawPreamble []byte
	Preamble    Preamble
	Signature   []byte
	Wraps       []byte
	First       uint64 // leaf index of item 0
}

// Entry is one leaf with all that this node holds of it.
type Entry struct {
	Index     uint64
	RawHeader []byte
	Header    Header
	Body      []byte // nil: erased
	Batch     *BatchInfo
}

// Item is the entry's position in its batch.
func (e *Entry) Item() int { return int(e.Index - e.Batch.First) }

// Head is the ledger as this node has applied it.
type Head struct {
	Size      uint64
	Root      sm.Digest
	RaftIndex uint64
}

// BatchResult is Apply's answer on one batch; Rejection nil means accepted.
type BatchResult struct {
	Origin    peers.Region
	Seq       uint64
	First     uint64
	N         int
	Replayed  bool // accepted before; First and N are of then
	Rejection *Rejection
}

// Ledger is this node's own copy of the shared ledger, for reading. All
// methods are safe for concurrent use and see what is applied, also before it
// is on disk. Every entry's hashes are checked on read: a damaged one is an
// error that names its index, never a value.
type Ledger interface {
	Head() Head
	// Entries returns up to limit entries from leaf from on, fewer at the end.
	Entries(from uint64, limit int) ([]Entry, error)
	// LastBatch is the last accepted seq of origin and the SM3 of its preamble;
	// 0 and zero when there is none.
	LastBatch(origin peers.Region) (seq uint64, preamble sm.Digest)
	// Directory is the replicated directory as of Head.
	Directory() *peers.Directory
	// WaitSize returns when Size ≥ size, or ctx's error.
	WaitSize(ctx context.Context, size uint64) error
	// RootAt, Inclusion and Consistency answer for any size ≤ Head().Size.
	RootAt(size uint64) (sm.Digest, error)
	Inclusion(index, size uint64) ([]sm.Digest, error)
	Consistency(from, to uint64) ([]sm.Digest, error)
}

// Checkpoints are the witnessed checkpoints that this node keeps: the newest,
// about one for each minute in which the ledger grew, and every handover. None
// contradicts this node's own ledger. All methods are safe for concurrent use.
type Checkpoints interface {
	// Latest is the newest one; false when nothing has been witnessed yet.
	Latest() (peers.Checkpoint, bool)
	// Around returns the earliest kept one that covers leaf index, and the
	// newest kept one that does not (zero: none). ErrNotFound: the leaf is not
	// witnessed yet.
	Around(index uint64) (before, covering peers.Checkpoint, err error)
	// Handovers are those behind a change of the witness set that the regions
	// of the set before the change have cosigned, one per change, ascending.
	Handovers() ([]peers.Checkpoint, error)
	// Wait returns when Latest covers size leaves, or ctx's error.
	Wait(ctx context.Context, size uint64) error
}

// Proposer hands a batch to the ledger. Start keeps the order of calls made
// one after another; wait returns this node's own Apply's answer. Retrying the
// same bytes is safe. ctx bounds the wait, not the proposal: after an error
// the batch may still be accepted.
type Proposer interface {
	Start(ctx context.Context, batch []byte) (wait func() (BatchResult, error))
}

// Position of an event in the journal, from 1.
type Position uint64

// Journal is the region's private events: one append-only, hash-chained,
// fsynced log.
type Journal interface {
	// Append returns when the events are durable, all or none, in this order,
	// with the position of the last. Concurrent calls share an fsync.
	Append(ctx context.Context, events ...Event) (Position, error)
	// Last is the position of the last durable event.
	Last() Position
	// Read calls visit for the durable events from position from on, in order,
	// up to Last as of the call, and stops at visit's first error.
	Read(from Position, visit func(Position, Event) error) error
	// ReadOne reads one event.
	ReadOne(at Position) (Event, error)
	// Wait returns when Last ≥ at, or ctx's error.
	Wait(ctx context.Context, at Position) error
}

// Purpose separates what is sealed under one slot's key: docs/formats/vault.md.
type Purpose uint8

const (
	PurposeRow      Purpose = 0 // Row.Private
	PurposeKey      Purpose = 1 // EntryAuthored.Key
	PurposeRecord   Purpose = 2 // the casebook's copy of an opened record
	PurposeReminder Purpose = 3 // a feed item; counter: its place among the record's items
	PurposeSubject  Purpose = 4 // SubjectAsked.USCC, FirmBound.Proof
)

// ErrErased is a slot's answer after Erase. It is an ErrNotFound.
var ErrErased = fmt.Errorf("erased: %w", ErrNotFound)

// ErrUnreadable says of an entry on the ledger that it does not open to this
// region, or to no record.
var ErrUnreadable = errors.New("unreadable")

// Vault holds one fresh SM4 key per slot; erasing a slot erases every private
// copy that was sealed under it. Slots are numbered from 1; numbers are handed
// out through journal events, keys are on disk before a number is used. All
// methods are safe for concurrent use.
type Vault interface {
	// Ensure makes the keys of all slots < next durable.
	Ensure(next uint64) error
	// Seal encrypts a private copy under the slot's key. One slot, purpose and
	// counter seal one plaintext only.
	Seal(slot uint64, purpose Purpose, counter uint64, plaintext []byte) ([]byte, error)
	// Open decrypts what Seal made, or says ErrErased.
	Open(slot uint64, purpose Purpose, counter uint64, sealed []byte) ([]byte, error)
	// SealJointly encrypts under the keys of all these slots together: what it
	// made opens only while none of them is erased. context is of this plaintext
	// and of no other.
	SealJointly(slots []uint64, context sm.Digest, plaintext []byte) ([]byte, error)
	// OpenJointly decrypts what SealJointly made, or says ErrErased.
	OpenJointly(slots []uint64, context sm.Digest, sealed []byte) ([]byte, error)
	// Erase returns when the slots' keys are overwritten on disk.
	Erase(slots ...uint64) error
}

// Standing is the live record of a natural key.
type Standing struct {
	ID        EntryID
	Content   sm.Digest // HMAC of the comparison content
	At        Position  // where its row is
	Row       int       // index in RowsTaken.Rows
	Withdrawn uint32    // earlier withdrawn records of this key
	Erased    bool      // the record was taken down; its content is not to be read
	Stranger  bool      // only the ledger has it: Casebook.Stranger reads it there
}

// Pending is an entry that waits in the outbox.
type Pending struct {
	Order  uint64 // ascending; opaque
	ID     EntryID
	Header []byte
	Body   []byte
	Key    sm.ContentKey // zero in governance
	Slot   uint64        // vault slot of its private copies; 0 in governance
}

// Page is one page of a list; Next is "" at the end.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}
