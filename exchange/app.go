package exchange

import (
	"context"
	"time"

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
	if len(proof) > 256 {
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
	for _, a := range acks {
		if a.State.Rank() < 0 || a.State == AckRefused {
			return nil, Fail(KindInvalid, "ACK_STATE", "state 只能是 delivered、read、acted、failed、unbound",
				"state must be delivered, read, acted, failed or unbound")
		}
		if a.At.Unix() < 0 || !validReason(a.State, a.Reason) {
			return nil, Fail(KindInvalid, "ACK_REASON", "at 早于 1970 年，或 reason 不是代码（A–Z、0–9、_，仅用于 failed 和 unbound）",
				"at is before 1970, or reason is not a code (A–Z, 0–9, _; for failed and unbound only)")
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
