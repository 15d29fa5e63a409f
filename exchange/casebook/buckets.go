package casebook

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// version of the layout. A file of another version is refused; deleting it is
// always safe.
const version = 2

// buckets are the file's buckets: docs/formats/casebook.md.
type buckets struct {
	meta        *bolt.Bucket // "state" → meta
	counts      *bolt.Bucket // name → u64
	entries     *bolt.Bucket // number → entry
	ids         *bolt.Bucket // entry id → number
	standings   *bolt.Bucket // key digest → standing
	outbox      *bolt.Bucket // number → nothing
	cuts        *bolt.Bucket // seq → cut
	deliveries  *bolt.Bucket // number ‖ region → delivery
	acks        *bolt.Bucket // ack number → pendingAck
	reminders   *bolt.Bucket // number ‖ stage → reminder
	subjects    *bolt.Bucket // subject ‖ number → nothing
	bindings    *bolt.Bucket // subject → binding
	feed        *bolt.Bucket // seq → feedItem
	submissions *bolt.Bucket // submission id → submission
	rows        *bolt.Bucket // submission id ‖ position → rowRun
	idempotency *bolt.Bucket // principal ‖ 0 ‖ key → submission id
	quarantine  *bolt.Bucket // quarantine id → quarantined
	copies      *bolt.Bucket // key digest ‖ slot → quarantine id, of rows that are no records
	erasures    *bolt.Bucket // place → erasure
	unerased    *bolt.Bucket // place → nothing: not stated to be erased here
	reports     *bolt.Bucket // place ‖ region → report
	holdings    *bolt.Bucket // subject key ‖ number → listing
	listed      *bolt.Bucket // number → subject key
	unlisted    *bolt.Bucket // position ‖ key in holdings → nothing
	anchors     *bolt.Bucket // position → anchor
	firms       *bolt.Bucket // uscc → schemas.Firm
	authorities *bolt.Bucket // region ‖ uscc → schemas.Authority
	sources     *bolt.Bucket // uscc ‖ kind → source
	sums        *bolt.Bucket // name of a bucket → sum
}

// all lists every bucket under its name.
func (b *buckets) all() map[string]**bolt.Bucket {
	return map[string]**bolt.Bucket{
		"meta": &b.meta, "counts": &b.counts, "entries": &b.entries, "ids": &b.ids,
		"standings": &b.standings, "outbox": &b.outbox, "cuts": &b.cuts, "deliveries": &b.deliveries,
		"acks": &b.acks, "reminders": &b.reminders, "subjects": &b.subjects, "bindings": &b.bindings,
		"feed": &b.feed, "submissions": &b.submissions, "rows": &b.rows, "idempotency": &b.idempotency,
		"quarantine": &b.quarantine, "copies": &b.copies, "erasures": &b.erasures, "unerased": &b.unerased,
		"reports": &b.reports, "holdings": &b.holdings, "listed": &b.listed, "unlisted": &b.unlisted, "anchors": &b.anchors,
		"firms": &b.firms, "authorities": &b.authorities, "sources": &b.sources,
		"sums": &b.sums,
	}
}

// bucketsOf finds the buckets in a transaction.
func bucketsOf(tx *bolt.Tx) (b buckets) {
	for name, place := range b.all() {
		*place = tx.Bucket([]byte(name))
	}
	// Ascending keys: full pages instead of half-empty ones. What is rewritten
	// later grows by a few bytes only.
	for _, ascending := range []*bolt.Bucket{b.entries, b.reminders, b.feed, b.outbox, b.cuts, b.acks} {
		if ascending != nil {
			ascending.FillPercent = 0.9
		}
	}
	return b
}

func createBuckets(tx *bolt.Tx) error {
	var b buckets
	for name := range b.all() {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// meta is how far the fold has come. Numbers are of the last one given out.
type meta struct {
	Version  int               `cbor:"1,keyasint"`
	Ledger   sm.Digest         `cbor:"2,keyasint"`
	Region   peers.Region      `cbor:"3,keyasint"`
	Position exchange.Position `cbor:"4,keyasint"`
	Followed uint64            `cbor:"5,keyasint"`
	Root     sm.Digest         `cbor:"6,keyasint"` // of the ledger at size Followed
	NextSlot uint64            `cbor:"7,keyasint"`
	Entry    uint64            `cbor:"8,keyasint"`
	Ack      uint64            `cbor:"9,keyasint"`
	Feed     uint64            `cbor:"10,keyasint"`

	Listed   uint64            `cbor:"11,keyasint,omitempty"` // rows of holdings in force
	Changed  exchange.Position `cbor:"12,keyasint,omitempty"` // of the last change of holdings
	Asked    exchange.Position `cbor:"13,keyasint,omitempty"` // of the last subject that was asked for
	Anchored exchange.Position `cbor:"14,keyasint,omitempty"` // which holdings the last anchor states
	Anchor   uint64            `cbor:"15,keyasint,omitempty"` // number of an anchor that is on its way
}

var metaKey = []byte("state")

// entry is one entry of this region or sealed to it. Own entries have a
// Position; those of others have an Index only.
type entry struct {
	Class      exchange.Class    `cbor:"1,keyasint"`
	Kind       string            `cbor:"2,keyasint"`
	Origin     peers.Region      `cbor:"3,keyasint"`
	State      exchange.State    `cbor:"4,keyasint"`
	Code       string            `cbor:"5,keyasint,omitempty"`  // why refused or parked
	Position   exchange.Position `cbor:"6,keyasint,omitempty"`  // event that holds it
	Row        int               `cbor:"7,keyasint,omitempty"`  // index in RowsTaken.Rows
	Submission string            `cbor:"8,keyasint,omitempty"`  // of a row
	Index      uint64            `cbor:"9,keyasint,omitempty"`  // leaf, when committed
	Slot       uint64            `cbor:"10,keyasint,omitempty"` // of another region: where Key is sealed
	Key        []byte            `cbor:"11,keyasint,omitempty"` // DEK, PurposeRecord
	To         []peers.Region    `cbor:"12,keyasint,omitempty"` // own: recipients
	Natural    []byte            `cbor:"13,keyasint,omitempty"` // key digest, of an own row or a stranger that a row repeats
	Stopped    bool              `cbor:"14,keyasint,omitempty"` // taken down
}

func (e *entry) own() bool { return e.Position > 0 }
func (e *entry) record() bool {
	return e.Class == exchange.ClassRecord || e.Class == exchange.ClassFollowUp
}
func (e *entry) parked() bool { return !e.own() && e.Code != "" }

var decoding = must(cbor.DecOptions{}.DecMode())

// must is for constant options.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// errDamaged is a value of the casebook that does not decode. The file can be
// deleted and is then built again.
var errDamaged = errors.New("casebook: damaged value; stop the node and delete the casebook, it is rebuilt from journal and ledger")

// get decodes the value at key; ok is false on a miss.
func get[T any](b *bolt.Bucket, key []byte) (v T, ok bool, err error) {
	raw := b.Get(key)
	if raw == nil {
		return v, false, nil
	}
	if err := decoding.Unmarshal(raw, &v); err != nil {
		return v, false, fmt.Errorf("%w: %v", errDamaged, err)
	}
	return v, true, nil
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

// number reads the big-endian number at the end of a key or in a value.
func number(raw []byte) uint64 {
	if len(raw) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(raw[len(raw)-8:])
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
