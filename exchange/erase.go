package exchange

import (
	"context"
	"slices"

	"github.com/xinqiao/creditgw/peers"
)

// Erase orders a record of this region to be taken down and erased, everywhere.
// When it returns, the order is durable and this region serves the record no
// more; what the regions then say is in the view. Ordering again changes
// nothing, unless it says now for the first time.
func (s *Service) Erase(ctx context.Context, p Principal, id EntryID, reason ErasureReason, now bool) (ErasureView, error) {
	if err := p.Require(RoleOperator); err != nil {
		return ErasureView{}, err
	}
	if !reason.Known() {
		return ErasureView{}, Fail(KindInvalid, "ERASURE_REASON", "reason 只能是 repaired、withdrawn、expired", "reason must be repaired, withdrawn or expired")
	}
	// One order at a time on a record: their number is part of an order's id.
	orders := &s.orders[int(id[0])%len(s.orders)]
	orders.Lock()
	defer orders.Unlock()
	v, err := s.Casebook.Record(id)
	if err != nil {
		return ErasureView{}, err
	}
	if err := s.erasable(&v); err != nil {
		return ErasureView{}, err
	}
	n, refused, urgent, err := s.Casebook.Orders(id)
	if err != nil {
		return ErasureView{}, err
	}
	if n > 0 && !refused && (urgent || !now) {
		return *v.Erasure, nil
	}
	order := Order{Reason: reason, At: s.Clock().Unix(), Now: now}
	event := Event{At: s.Clock(), Ordered: &LocalOrder{Record: id, Order: order}}
	if v.Index != nil {
		if event, err = s.order(&v, n, order); err != nil {
			return ErasureView{}, err
		}
	}
	if err := s.append(ctx, event); err != nil {
		return ErasureView{}, err
	}
	if v, err = s.Casebook.Record(id); err != nil {
		return ErasureView{}, err
	}
	return *v.Erasure, nil
}

// erasable says why a record can't be erased from here.
func (s *Service) erasable(v *RecordView) error {
	switch {
	case v.Origin != s.Region:
		return Fail(KindForbidden, "NOT_ORIGIN", "只有作出地区 "+string(v.Origin)+" 可以下令清除",
			"only region "+string(v.Origin)+", which issued the record, may order its erasure")
	case v.Class != ClassRecord:
		return Fail(KindInvalid, "NOT_A_RECORD", "该条目不是记录，不能清除", "this entry is no record and is never erased")
	case v.State == StateAccepted:
		return Fail(KindConflict, "NOT_COMMITTED", "记录尚未入账，入账后再清除", "the record is not on the ledger yet; erase it once it is")
	}
	return nil
}

// order authors the follow-up that every other region can read.
func (s *Service) order(v *RecordView, n uint32, order Order) (Event, error) {
	body, err := order.Marshal()
	if err != nil {
		return Event{}, err
	}
	id := s.Sealer.Secret.EntryID(KindErasure, v.ID[:], n)
	w := writer{Sealer: s.Sealer, Vault: s.Vault, Slots: s.Slots}
	ref := Ref{Index: *v.Index, ID: v.ID}
	e, err := w.write(Header{Class: ClassFollowUp, Kind: KindErasure, ID: id, Recipients: others(s.Ledger, s.Region), Ref: &ref}, s.Clock(), body)
	if err != nil {
		return Event{}, err
	}
	e.Order = &order
	return Event{At: s.Clock(), Authored: e}, nil
}

// others are all regions but r.
func others(l Ledger, r peers.Region) []peers.Region {
	return slices.DeleteFunc(l.Directory().Regions(), func(other peers.Region) bool { return other == r })
}
