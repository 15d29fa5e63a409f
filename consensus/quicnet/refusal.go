package quicnet

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"
)

// A refusal is the reason why something was not let through. It is also the
// QUIC application error code of a connection closed for it.
type refusal uint8

const (
	refusedBusy refusal = iota + 1
	refusedHello
	refusedLedger
	refusedStranger
	refusedWrongPeer
	refusedSignature
	refusedStream
	refusedMalformed
	refusedNotVoter
	refusedTerm
	refusedSecondLeader
	refusedNotLeader
	refusedConfiguration
	refusedEntry
	refusedPayload
	refusedResponse
	refusedNews
	refusedBehind // no misdeed: older entries have to come first
	refusedCandidate
	refusalEnd
)

var refusalNames = [refusalEnd]string{
	refusedBusy:          "busy",
	refusedHello:         "hello",
	refusedLedger:        "other_ledger",
	refusedStranger:      "stranger",
	refusedWrongPeer:     "other_peer",
	refusedSignature:     "signature",
	refusedStream:        "stream",
	refusedMalformed:     "malformed",
	refusedNotVoter:      "not_voter",
	refusedTerm:          "term",
	refusedSecondLeader:  "second_leader",
	refusedNotLeader:     "not_leader",
	refusedConfiguration: "configuration",
	refusedEntry:         "entry",
	refusedPayload:       "payload",
	refusedResponse:      "response",
	refusedNews:          "news",
	refusedBehind:        "behind",
	refusedCandidate:     "candidate",
}

func (r refusal) String() string {
	if r < refusalEnd && refusalNames[r] != "" {
		return refusalNames[r]
	}
	return fmt.Sprintf("refusal %d", uint8(r))
}

// A refusedError says what was refused and why, in words for the log.
type refusedError struct {
	reason refusal
	detail string
}

func (e *refusedError) Error() string {
	return "quicnet: refused (" + e.reason.String() + "): " + e.detail
}

func refuse(reason refusal, format string, args ...any) *refusedError {
	return &refusedError{reason: reason, detail: fmt.Sprintf(format, args...)}
}

// refusals counts refusals. Each is logged, but no reason more often than the
// first three times and then once a second: a hostile peer must not fill disks.
type refusals struct {
	count [refusalEnd]atomic.Uint64
	log   [refusalEnd]rate.Sometimes
}

func (r *refusals) counts() map[string]uint64 {
	m := make(map[string]uint64, refusalEnd)
	for i := refusal(1); i < refusalEnd; i++ {
		m[i.String()] = r.count[i].Load()
	}
	return m
}

func (e *Endpoint) refuse(reason refusal, peer, detail string) {
	n := e.refusals.count[reason].Add(1)
	sometimes := &e.refusals.log[reason]
	sometimes.Do(func() {
		e.log.Warn("refused", "reason", reason.String(), "peer", peer, "detail", detail, "count", n)
	})
}

func closeConn(conn *quic.Conn, reason refusal) {
	// The error says that the connection is closed already, which is what is
	// wanted.
	_ = conn.CloseWithError(quic.ApplicationErrorCode(reason), reason.String())
}

func newRefusals() *refusals {
	r := new(refusals)
	for i := range r.log {
		r.log[i].First, r.log[i].Interval = 3, time.Second
	}
	return r
}
