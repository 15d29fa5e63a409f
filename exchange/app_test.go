package exchange

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Of many acks the sender is told which one is wrong in what, and none is taken.
func TestABadAckIsNamed(t *testing.T) {
	s := &Service{Config: Config{Casebook: newFakeBook()}} // judges nothing: no call gets so far
	app := Principal{Role: RoleApp}
	good := Ack{Reminder: "r", State: AckRead, At: time.Unix(1730768400, 0)}
	for want, change := range map[string]func(*Ack){
		"ACK_STATE: acks[2].state must":         func(a *Ack) { a.State = "opened" },
		"ACK_STATE: acks[2].state must be":      func(a *Ack) { a.State = AckRefused },
		"ACK_AT: acks[2].at is before 1970":     func(a *Ack) { a.At = time.Time{} },
		"ACK_REASON: acks[2].reason must":       func(a *Ack) { a.State, a.Reason = AckFailed, "no-push" },
		"ACK_REASON: acks[2].reason must be":    func(a *Ack) { a.Reason = "OK" }, // for failed and unbound only
		"ACK_REASON: acks[2].reason must be a ": func(a *Ack) { a.State, a.Reason = AckFailed, strings.Repeat("X", 65) },
	} {
		acks := []Ack{good, good, good}
		change(&acks[2])
		_, err := s.Acknowledge(t.Context(), app, acks)
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindInvalid || !strings.HasPrefix(e.Error(), want) || !strings.HasPrefix(e.Text.ZH, "acks[2].") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The app's own reference is as long as the document says: in characters.
func TestABindingsProofIsBounded(t *testing.T) {
	s := &Service{Config: Config{Casebook: boundAlready{}}}
	for proof, ok := range map[string]bool{strings.Repeat("证", 256): true, strings.Repeat("x", 257): false} {
		err := s.Bind(t.Context(), Principal{Role: RoleApp}, "91110101MA8H84F153", time.Unix(0, 0), proof)
		if (err == nil) != ok {
			t.Errorf("a proof of %d bytes: %v", len(proof), err)
		}
	}
}

type boundAlready struct{ Casebook }

func (boundAlready) Bound(string) (bool, error) { return true, nil }
