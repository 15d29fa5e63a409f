package store

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// govern applies one governance entry of a region, in a batch of its own.
func (w *world) govern(s *Store, origin peers.Region, kind string, body []byte) exchange.BatchResult {
	w.t.Helper()
	seq, _ := s.LastBatch(origin)
	d := w.newDraft(origin, seq+1, w.last(s, origin))
	w.addGovernance(d, kind, body)
	answer := s.Apply(s.Head().RaftIndex+1, 1, [][]byte{w.seal(d, mutation{})})[0]
	result, ok := answer.(exchange.BatchResult)
	if !ok {
		w.t.Fatal(answer)
	}
	return result
}

// decide has all three regions want a change.
func (w *world) decide(s *Store, c peers.Change) {
	w.t.Helper()
	body := must[[]byte](w.t)(peers.EncodeProposal(c))
	at := s.Head().Size
	if r := w.govern(s, regions['A'], exchange.KindPropose, body); r.Rejection != nil {
		w.t.Fatal(r.Rejection)
	}
	approve := must[[]byte](w.t)(peers.EncodeApproval(at, sm.Sum(body)))
	for _, letter := range []byte("BC") {
		if r := w.govern(s, regions[letter], exchange.KindApprove, approve); r.Rejection != nil {
			w.t.Fatal(r.Rejection)
		}
	}
}

// A rotated key signs from its entry on, the retired one up to its own, and
// whoever replays the ledger comes to the same root. A check years later still
// takes what the retired key has signed for sound.
func TestBatchKeyIsJudgedByTheEntrysPlace(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.open(dir)
	a := regions['A']
	old, fresh := w.keys[a], must[*sm.BatchKey](t)(sm.Generate[sm.Batch](rand.Reader))
	record := func(key *sm.BatchKey) string {
		seq, _ := s.LastBatch(a)
		d := w.newDraft(a, seq+1, w.last(s, a))
		d.signer, d.preamble.Key = key, key.Public().ID()
		d.add(w.entry(a, "record", 50))
		r := s.Apply(s.Head().RaftIndex+1, 1, [][]byte{w.seal(d, mutation{})})[0].(exchange.BatchResult)
		return verdict(&r)
	}
	add := must[peers.Change](t)(peers.Change{
		Change: peers.ChangeKeyAdd, Region: a, Purpose: "batch", Key: fresh.Public().Bytes(),
	}.Prove(w.ledger, fresh))
	id := old.Public().ID()
	retire := peers.Change{Change: peers.ChangeKeyRetire, Region: a, Purpose: "batch", KeyID: id[:]}

	for _, step := range []struct {
		before  func()
		key     *sm.BatchKey
		verdict string
	}{
		{nil, old, ""},
		{nil, fresh, "UNKNOWN_KEY"},
		{func() { w.decide(s, add) }, fresh, ""},
		{nil, old, ""},
		{func() { w.keys[a] = fresh; w.decide(s, retire) }, old, "UNKNOWN_KEY"},
		{nil, fresh, ""},
	} {
		if step.before != nil {
			step.before()
		}
		if got := record(step.key); got != step.verdict {
			t.Errorf("at leaf %d: %q, want %q", s.Head().Size, got, step.verdict)
		}
	}
	if r := w.govern(s, a, exchange.KindPropose, must[[]byte](t)(peers.EncodeProposal(retire))); verdict(&r) != peers.CodeKeyRetired {
		t.Errorf("retired twice: %q", verdict(&r))
	}

	point := pointOf(s)
	stream, _ := exported(t, s, point.Size)
	other := w.temporary()
	must[sm.Digest](t)(other.Stage(point, bytes.NewReader(stream)))
	if err := other.Install(point); err != nil {
		t.Fatal(err)
	}
	if other.Directory().Root() != s.Directory().Root() {
		t.Error("the replayed directory is another")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report := must[Report](t)(Check(dir, &w.genesis, nil)); !report.OK() {
		t.Errorf("batches of a key that was retired since are said to be damaged: %v", report.Damage)
	}
}

// A binary that lacks a format in force ends rather than judge differently,
// and does not start again.
func TestFormatInForceStopsABinaryWithoutIt(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	config := w.config(dir)
	var fatal error
	config.Fatal = func(err error) { fatal = err }
	s := must[*Store](t)(Open(config))
	body := must[[]byte](t)(peers.EncodeProposal(peers.Change{Change: peers.ChangeActivate, Format: "header-2"}))
	at := s.Head().Size
	approve := must[[]byte](t)(peers.EncodeApproval(at, sm.Sum(body)))
	w.govern(s, regions['A'], exchange.KindPropose, body)
	w.govern(s, regions['B'], exchange.KindApprove, approve)
	if fatal != nil {
		t.Fatalf("ended before all had approved: %v", fatal)
	}
	seq, _ := s.LastBatch(regions['C'])
	d := w.newDraft(regions['C'], seq+1, w.last(s, regions['C']))
	w.addGovernance(d, exchange.KindApprove, approve)
	if _, ok := s.Apply(s.Head().RaftIndex+1, 1, [][]byte{w.seal(d, mutation{})})[0].(error); !ok || fatal == nil ||
		!strings.Contains(fatal.Error(), "header-2") {
		t.Errorf("goes on: %v", fatal)
	}
	_ = s.Close() // says again what has ended it
}
