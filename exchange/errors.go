package exchange

import (
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/schemas"
)

// Code names a deterministic judgement of Apply: docs/formats/batch.md.
type Code string

const (
	CodeMalformed     Code = "MALFORMED"
	CodeWrongLedger   Code = "WRONG_LEDGER"
	CodeUnknownOrigin Code = "UNKNOWN_ORIGIN"
	CodeUnknownKey    Code = "UNKNOWN_KEY"
	CodeBadSignature  Code = "BAD_SIGNATURE"
	CodeBatchFork     Code = "BATCH_FORK"
	CodeSeqGap        Code = "SEQ_GAP"
	CodeBadRoot       Code = "BAD_ROOT"
	CodeBadWraps      Code = "BAD_WRAPS"
	CodeBadBody       Code = "BAD_BODY"
	CodeBadHeader     Code = "BAD_HEADER"
	CodeBadRef        Code = "BAD_REF"
	CodeNotActive     Code = "NOT_ACTIVE"
)

// Rejection is a refusal that every node reaches alike. It leaves nothing.
type Rejection struct {
	Code     Code
	Item     int    // first bad item, -1 when the batch as a whole is refused
	Expected uint64 // SEQ_GAP: the seq that would be taken
	Detail   string // for people; never compared, never personal data
}

func (r *Rejection) Error() string { return string(r.Code) + ": " + r.Detail }

// Malformed is a rejection of bytes that are not what they claim to be.
func Malformed(format string, args ...any) *Rejection {
	return &Rejection{Code: CodeMalformed, Item: -1, Detail: fmt.Sprintf(format, args...)}
}

// ErrorKind sorts what can go wrong for a caller; httpapi maps each to one
// HTTP status and each has one stable type URI.
type ErrorKind string

const (
	KindInvalid     ErrorKind = "invalid"     // the request itself is wrong
	KindUnreadable  ErrorKind = "unreadable"  // the file can't be read as what it claims
	KindUnsupported ErrorKind = "unsupported" // a format we don't take
	KindTooLarge    ErrorKind = "too-large"   // over a published limit
	KindForbidden   ErrorKind = "forbidden"   // known, but not allowed
	KindNotFound    ErrorKind = "not-found"   // no such thing, or not yours to see
	KindConflict    ErrorKind = "conflict"    // contradicts what stands
	KindGone        ErrorKind = "gone"        // a cursor that has expired
	KindBusy        ErrorKind = "busy"        // try again, see RetryAfter
	KindUnavailable ErrorKind = "unavailable" // a part of the system is out of reach
	KindInternal    ErrorKind = "internal"    // our fault; the log knows more
)

// Error is what Service returns: a kind for programs, a stable code, and text
// for people that says what, where and how to mend it. Text never holds
// personal data. Wrap adds a cause for the log only.
type Error struct {
	Kind   ErrorKind
	Code   string // e.g. UNKNOWN_KIND
	Text   schemas.Text
	Hint   schemas.Text
	Status int // HTTP status when the kind's own does not fit; 0 otherwise
	Cause  error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Text.EN + ": " + e.Cause.Error()
	}
	return e.Code + ": " + e.Text.EN
}

func (e *Error) Unwrap() error { return e.Cause }

// Fail builds an Error.
func Fail(kind ErrorKind, code, zh, en string) *Error {
	return &Error{Kind: kind, Code: code, Text: schemas.Text{ZH: zh, EN: en}}
}

// ErrNotFound is what ports return on a miss.
var ErrNotFound = errors.New("not found")
