package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// storedEvent is an event as it is on disk: the same keys, with times as
// integer milliseconds. A shadowed field hides the embedded one of the same
// key, so that a field added to an event is stored without a line here.
type storedEvent struct {
	At int64 `cbor:"1,keyasint"`

	Opened   *storedOpened              `cbor:"2,keyasint,omitempty"`
	Rows     *exchange.RowsTaken        `cbor:"3,keyasint,omitempty"`
	Closed   *exchange.SubmissionClosed `cbor:"4,keyasint,omitempty"`
	Register *exchange.RegisterChanged  `cbor:"5,keyasint,omitempty"`
	Bound    *storedBound               `cbor:"6,keyasint,omitempty"`
	Unbound  *exchange.FirmUnbound      `cbor:"7,keyasint,omitempty"`
	Acks     *storedAcks                `cbor:"8,keyasint,omitempty"`
	Authored *exchange.EntryAuthored    `cbor:"9,keyasint,omitempty"`
	Cut      *exchange.BatchCut         `cbor:"10,keyasint,omitempty"`
	Refused  *exchange.BatchRefused     `cbor:"11,keyasint,omitempty"`
	Followed *exchange.LedgerFollowed   `cbor:"12,keyasint,omitempty"`

	Ordered     *exchange.LocalOrder    `cbor:"13,keyasint,omitempty"`
	Erasing     *exchange.RecordsErased `cbor:"14,keyasint,omitempty"`
	LocalErased *exchange.LocalErased   `cbor:"15,keyasint,omitempty"`
	Asked       *exchange.SubjectAsked  `cbor:"16,keyasint,omitempty"`
	Reread      *exchange.LedgerReread  `cbor:"17,keyasint,omitempty"`
}

type storedOpened struct {
	exchange.SubmissionOpened
	ReceivedAt int64 `cbor:"5,keyasint"`
}

type storedBound struct {
	exchange.FirmBound
	BoundAt int64 `cbor:"2,keyasint"`
}

type storedAcks struct {
	Acks []storedAck `cbor:"1,keyasint"`
}

type storedAck struct {
	exchange.Ack
	At int64 `cbor:"3,keyasint"`
}

var (
	decoding = detcbor.Decoding(detcbor.Limits{Levels: 16, Elements: 1 << 20, Pairs: 256})
	errKinds = errors.New("an event must say exactly one thing")
)

// marshalEvent gives the event's one spelling.
func marshalEvent(e *exchange.Event) ([]byte, error) {
	s := storedEvent{
		At: e.At.UnixMilli(), Rows: e.Rows, Closed: e.Closed, Register: e.Register, Unbound: e.Unbound,
		Authored: e.Authored, Cut: e.Cut, Refused: e.Refused, Followed: e.Followed,
		Ordered: e.Ordered, Erasing: e.Erasing, LocalErased: e.LocalErased, Asked: e.Asked, Reread: e.Reread,
	}
	if e.Opened != nil {
		s.Opened = &storedOpened{*e.Opened, e.Opened.ReceivedAt.UnixMilli()}
	}
	if e.Bound != nil {
		s.Bound = &storedBound{*e.Bound, e.Bound.BoundAt.UnixMilli()}
	}
	if e.Acks != nil {
		s.Acks = &storedAcks{make([]storedAck, len(e.Acks.Acks))}
		for i, a := range e.Acks.Acks {
			s.Acks.Acks[i] = storedAck{a, a.At.UnixMilli()}
		}
	}
	if s.kinds() != 1 {
		return nil, errKinds
	}
	return detcbor.Marshal(&s)
}

// unmarshalEvent reads one event. Its times are in the zone of dates.
func unmarshalEvent(raw []byte) (exchange.Event, error) {
	var s storedEvent
	if err := decoding.Unmarshal(raw, &s); err != nil {
		// The decoder's own text may quote what it read.
		return exchange.Event{}, fmt.Errorf("event is not valid CBOR of this version (%T)", err)
	}
	if s.kinds() != 1 {
		return exchange.Event{}, errKinds
	}
	e := exchange.Event{
		At: instant(s.At), Rows: s.Rows, Closed: s.Closed, Register: s.Register, Unbound: s.Unbound,
		Authored: s.Authored, Cut: s.Cut, Refused: s.Refused, Followed: s.Followed,
		Ordered: s.Ordered, Erasing: s.Erasing, LocalErased: s.LocalErased, Asked: s.Asked, Reread: s.Reread,
	}
	if s.Opened != nil {
		e.Opened = &s.Opened.SubmissionOpened
		e.Opened.ReceivedAt = instant(s.Opened.ReceivedAt)
	}
	if s.Bound != nil {
		e.Bound = &s.Bound.FirmBound
		e.Bound.BoundAt = instant(s.Bound.BoundAt)
	}
	if s.Acks != nil {
		e.Acks = &exchange.AcksReceived{Acks: make([]exchange.Ack, len(s.Acks.Acks))}
		for i, a := range s.Acks.Acks {
			e.Acks.Acks[i] = a.Ack
			e.Acks.Acks[i].At = instant(a.At)
		}
	}
	return e, nil
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).In(exchange.Shanghai) }

// kinds counts the things that the event says.
func (s *storedEvent) kinds() int {
	n := 0
	for _, set := range []bool{s.Opened != nil, s.Rows != nil, s.Closed != nil, s.Register != nil, s.Bound != nil,
		s.Unbound != nil, s.Acks != nil, s.Authored != nil, s.Cut != nil, s.Refused != nil, s.Followed != nil,
		s.Ordered != nil, s.Erasing != nil, s.LocalErased != nil, s.Asked != nil, s.Reread != nil} {
		if set {
			n++
		}
	}
	return n
}
