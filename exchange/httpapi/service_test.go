package httpapi_test

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

type service struct {
	mu      sync.Mutex
	view    *exchange.SubmissionView // nil: one accepted row
	err     error
	began   chan struct{} // tells that Submit runs, and
	release chan struct{} // holds it until closed
	taken   []byte
	sub     exchange.Submission
	acks    []exchange.Ack
	bound   []string
	firms   []schemas.Firm
	sources []schemas.SourcePlan
	keys    []peers.AgencyKey
}

func oneRow() exchange.SubmissionView {
	return exchange.SubmissionView{
		ID: submission, Kind: exchange.KindPenalty, Submitter: agencyUSCC, ReceivedAt: received, Complete: true,
		Received: 2, Accepted: 1, Quarantined: 1, ByRule: map[string]int{"DATE_FUTURE": 1},
		Findings: []schemas.Finding{schemas.NewFinding(schemas.DateFuture, schemas.Row{Number: 2})},
		Records: []exchange.RowView{
			{Row: 1, Outcome: exchange.RowAccepted, ID: &recordID, State: exchange.StateAccepted, Home: "110000", Subject: firmUSCC},
			{Row: 2, Outcome: exchange.RowQuarantined, Rule: "DATE_FUTURE", Quarantine: "q-1"},
		},
	}
}

func (s *service) Submit(_ context.Context, _ exchange.Principal, sub exchange.Submission) (exchange.SubmissionView, error) {
	if s.began != nil {
		s.began <- struct{}{}
		<-s.release
	}
	taken, err := io.ReadAll(sub.Body)
	if err != nil {
		return exchange.SubmissionView{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken, s.sub = taken, sub
	if s.view != nil {
		return *s.view, s.err
	}
	return oneRow(), s.err
}

func (s *service) Bind(_ context.Context, _ exchange.Principal, uscc string, at time.Time, _ string) error {
	s.bound = append(s.bound, uscc+" "+at.Format(time.DateOnly))
	return s.err
}
func (s *service) Erase(_ context.Context, _ exchange.Principal, id exchange.EntryID, reason exchange.ErasureReason, now bool) (exchange.ErasureView, error) {
	if id != recordID {
		return exchange.ErasureView{}, exchange.ErrNotFound
	}
	at, index := received, uint64(9)
	return exchange.ErasureView{Reason: reason, OrderedAt: at, Now: now, Index: &index, Regions: []exchange.ErasureRegion{
		{Region: "110000", State: exchange.ErasurePending},
		{Region: "120000", State: exchange.ErasureDone, Held: true, StoppedAt: &at, ErasedAt: &at, Node: "120000-1", LogFirst: 7, BackupsUntil: "2026-12-31"},
	}}, s.err
}
func (s *service) Unbind(context.Context, exchange.Principal, string) error       { return s.err }
func (s *service) AskStatement(context.Context, exchange.Principal, string) error { return s.err }
func (s *service) Acknowledge(_ context.Context, _ exchange.Principal, acks []exchange.Ack) ([]exchange.AckAnswer, error) {
	s.acks = acks
	answers := make([]exchange.AckAnswer, len(acks))
	for i := range acks {
		answers[i] = exchange.AckOK
	}
	return answers, s.err
}
func (s *service) ImportFirms(_ context.Context, _ exchange.Principal, firms []schemas.Firm) error {
	s.firms = append(s.firms, firms...)
	return s.err
}
func (s *service) ImportAuthorities(context.Context, exchange.Principal, []schemas.Authority) error {
	return s.err
}
func (s *service) ImportSources(_ context.Context, _ exchange.Principal, sources []schemas.SourcePlan) error {
	s.sources = append(s.sources, sources...)
	return s.err
}
func (s *service) RegisterKey(_ context.Context, _ exchange.Principal, c peers.AgencyClaim) (exchange.EntryID, error) {
	s.keys = append(s.keys, peers.AgencyKey{Region: "120000", USCC: c.USCC, Name: c.Name, Label: c.Label, Public: c.Key, Validity: peers.Validity{From: 3}})
	return recordID, s.err
}
func (s *service) RetireKey(context.Context, exchange.Principal, string, sm.KeyID) (exchange.EntryID, error) {
	return recordID, s.err
}
func (s *service) Propose(context.Context, exchange.Principal, peers.Change) (exchange.EntryID, error) {
	return recordID, s.err
}
func (s *service) Approve(context.Context, exchange.Principal, uint64, sm.Digest) (exchange.EntryID, error) {
	return recordID, s.err
}
func (s *service) AgencyKeys(string) []peers.AgencyKey { return s.keys }
