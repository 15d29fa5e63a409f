package exchange

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/peers"
)

// Statements tells origins what became of their records here: it turns the
// acks that wait in the casebook into sealed statements, at most one per
// origin and interval, so that a flood of read-receipts costs the ledger one
// entry a second.
type Statements struct {
	Sealer   Sealer
	Clock    Clock
	Interval time.Duration // a real timer, not the domain clock
	Casebook Casebook
	Journal  Journal
	Vault    Vault
	Slots    *Slots
}

// Run authors statements until ctx ends or a part fails.
func (s *Statements) Run(ctx context.Context) error {
	for {
		seen := s.Casebook.Position()
		at, err := s.author(ctx)
		if err != nil {
			return err
		}
		if at > 0 {
			if err := s.Casebook.WaitFor(ctx, at); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(s.Interval):
			}
			continue
		}
		if err := s.Casebook.WaitFor(ctx, seen+1); err != nil {
			return err
		}
	}
}

// author writes one statement per origin that has acks waiting; at is 0 when
// none has.
func (s *Statements) author(ctx context.Context) (at Position, err error) {
	waiting, authored, err := s.Casebook.PendingAcks(MaxAcks)
	if err != nil || len(waiting) == 0 {
		return 0, err
	}
	var order []peers.Region
	byOrigin := map[peers.Region][]RecordAck{}
	for _, w := range waiting {
		if byOrigin[w.Origin] == nil {
			order = append(order, w.Origin)
		}
		byOrigin[w.Origin] = append(byOrigin[w.Origin], w.Ack)
	}
	events := make([]Event, 0, len(order))
	for _, origin := range order {
		e, err := s.statement(origin, authored[origin], byOrigin[origin])
		if err != nil {
			return 0, err
		}
		events = append(events, Event{At: s.Clock(), Authored: e})
	}
	return s.Journal.Append(ctx, events...)
}

func (s *Statements) statement(origin peers.Region, n uint32, acks []RecordAck) (*EntryAuthored, error) {
	body, err := (&Acknowledgement{Acks: acks}).Marshal()
	if err != nil {
		return nil, err
	}
	id := s.Sealer.Secret.EntryID(KindAcknowledgement, ackKey(origin), n)
	w := writer{Sealer: s.Sealer, Vault: s.Vault, Slots: s.Slots}
	e, err := w.write(Header{Class: ClassStatement, Kind: KindAcknowledgement, ID: id, Recipients: []peers.Region{origin}}, s.Clock(), body)
	if err != nil {
		return nil, fmt.Errorf("acknowledgement for %s: %w", origin, err)
	}
	for _, a := range acks {
		e.Acked = append(e.Acked, AckedAs{Record: a.Record, State: a.State, Code: a.Code})
	}
	return e, nil
}

// ackKey is the natural key of acknowledgements to one origin; n counts them.
func ackKey(origin peers.Region) []byte {
	var b cryptobyte.Builder
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(origin)) })
	return b.BytesOrPanic()
}
