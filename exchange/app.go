package exchange

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/schemas/ident"
)

// maxAckCall bounds one call of the app's server.
const maxAckCall = 1000

// Bind says that the app has a user for a firm: from now on the feed holds the
// firm's reminders, the open ones again as backfill. Binding twice is one
// binding.
func (s *Service) Bind(ctx context.Context, p Principal, uscc string, boundAt time.Time, proof string) error {
	if err := p.Require(RoleApp); err != nil {
		return err
	}
	if ident.CheckUSCC(uscc) != nil {
		return Fail(KindInvalid, "USCC_CHECK", "统一社会信用代码校验不通过，请核对后重试", "the unified social credit code fails its check")
	}
	if utf8.RuneCountInString(proof) > 256 {
		return Fail(KindInvalid, "PROOF", "proof 超过 256 个字符", "proof is over 256 characters")
	}
	if bound, err := s.Casebook.Bound(uscc); err != nil || bound {
		return err
	}
	b := &FirmBound{BoundAt: boundAt, Subject: s.Sealer.Secret.Subject(uscc)}
	if proof != "" {
		var err error
		if b.Slot, err = s.Slots.Take(1); err != nil {
			return err
		}
		if b.Proof, err = s.Vault.Seal(b.Slot, PurposeSubject, 0, []byte(proof)); err != nil {
			return err
		}
	}
	return s.append(ctx, Event{At: s.Clock(), Bound: b})
}

// AskStatement gives a subject a place in what this region states, with no
// record if it holds none, so that its next anchor answers. Asking again changes
// nothing.
func (s *Service) AskStatement(ctx context.Context, p Principal, uscc string) error {
	if err := p.Require(RoleOperator, RoleWindow); err != nil {
		return err
	}
	if ident.CheckUSCC(uscc) != nil {
		return Fail(KindInvalid, "USCC_CHECK", "统一社会信用代码校验不通过，请核对后重试", "the unified social credit code fails its check")
	}
	if placed, err := s.Casebook.Placed(uscc); err != nil || placed {
		return err
	}
	slot, err := s.Slots.Take(1)
	if err != nil {
		return err
	}
	asked, err := AskFor(s.Vault, slot, uscc)
	if err != nil {
		return err
	}
	return s.append(ctx, Event{At: s.Clock(), Asked: asked})
}

// Unbind ends a binding; a firm that is not bound stays so.
func (s *Service) Unbind(ctx context.Context, p Principal, uscc string) error {
	if err := p.Require(RoleApp); err != nil {
		return err
	}
	if bound, err := s.Casebook.Bound(uscc); err != nil || !bound {
		return err
	}
	return s.append(ctx, Event{At: s.Clock(), Unbound: &FirmUnbound{Subject: s.Sealer.Secret.Subject(uscc)}})
}

// Acknowledge takes the app's word on reminders, one answer for each. What is
// known already is not written again.
func (s *Service) Acknowledge(ctx context.Context, p Principal, acks []Ack) ([]AckAnswer, error) {
	if err := p.Require(RoleApp); err != nil {
		return nil, err
	}
	if len(acks) == 0 || len(acks) > maxAckCall {
		return nil, Fail(KindInvalid, "ACKS", "acks 应有 1 至 1000 条", "acks must hold 1 to 1000 items")
	}
	for i := range acks {
		if err := checkAck(i, &acks[i]); err != nil {
			return nil, err
		}
	}
	answers, err := s.Casebook.Judge(acks)
	if err != nil {
		return nil, err
	}
	var known []Ack
	for i, a := range acks {
		if answers[i] == AckOK {
			known = append(known, a)
		}
	}
	if len(known) == 0 {
		return answers, nil
	}
	return answers, s.append(ctx, Event{At: s.Clock(), Acks: &AcksReceived{Acks: known}})
}

// checkAck judges what the app says, not what it says it of. i is the ack's
// place in the call: of a thousand, the sender has to find it.
func checkAck(i int, a *Ack) error {
	bad := func(code, member, zh, en string) error {
		where := fmt.Sprintf("acks[%d].%s", i, member)
		return Fail(KindInvalid, code, where+" "+zh, where+" "+en)
	}
	switch {
	case a.State.Rank() < 0 || a.State == AckRefused:
		return bad("ACK_STATE", "state", "只能是 delivered、read、acted、failed、unbound", "must be delivered, read, acted, failed or unbound")
	case a.At.Unix() < 0:
		return bad("ACK_AT", "at", "早于 1970 年", "is before 1970")
	case !validReason(a.State, a.Reason):
		return bad("ACK_REASON", "reason", "应为不超过 64 个字符的代码（A–Z、0–9、_），且仅用于 failed 和 unbound",
			"must be a code of at most 64 characters (A–Z, 0–9, _), and is for failed and unbound only")
	}
	return nil
}
