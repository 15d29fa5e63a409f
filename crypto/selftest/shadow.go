package selftest

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"sync/atomic"

	secondsm2 "github.com/tjfoc/gmsm/sm2"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Shadow verifies a share of a node's signatures again with the second
// implementation, behind the node's back: it decides nothing and delays
// nothing. It sees public keys only. One verification takes it about a
// millisecond, so what comes faster than that is dropped and counted.
//
// A nil *Shadow observes nothing, which is how it is switched off.
type Shadow struct {
	share    float64
	disagree func(Disagreement)
	queue    chan observation
	seen     atomic.Uint64

	checked, disagreed, dropped, failed atomic.Uint64
}

// Disagreement is a signature that one implementation accepts and the other
// does not. It is an alarm: one of them is wrong, or the machine is.
type Disagreement struct {
	Key      sm.KeyID
	Label    sm.Label
	Message  sm.Digest // SM3 of what was signed, label and ledger included
	Accepted bool      // by the node; the second implementation said the opposite
}

// ShadowCounts are totals since the start.
type ShadowCounts struct {
	Checked   uint64 // verified a second time
	Disagreed uint64
	Dropped   uint64 // chosen, but the queue was full
	Failed    uint64 // the second implementation panicked: its fault, no verdict
}

// PublicKey is what a shadow needs to know of a key; every *sm.Public has it.
type PublicKey interface {
	Bytes() []byte
	ID() sm.KeyID
}

type observation struct {
	point    []byte
	id       sm.KeyID
	label    sm.Label
	message  []byte
	sig      []byte
	accepted bool
}

// shadowQueue bounds the memory of a shadow: bodies are the largest thing that
// is signed, so at 64 KiB each it holds 4 MiB at most.
const shadowQueue = 64

// NewShadow returns a shadow for a share from 0 to 1 of all observations. The
// callback comes from the goroutine of Run.
func NewShadow(share float64, disagree func(Disagreement)) (*Shadow, error) {
	if !(0 <= share && share <= 1) || disagree == nil {
		return nil, errors.New("selftest: a shadow needs a share from 0 to 1 and a callback")
	}
	return &Shadow{share: share, disagree: disagree, queue: make(chan observation, shadowQueue)}, nil
}

// Observe tells the shadow of a verification that the node has done and what
// came of it. It never waits. Key, message and signature are copied if the
// observation is chosen.
func (s *Shadow) Observe(key PublicKey, label sm.Label, ledger sm.Digest, msg, sig []byte, accepted bool) {
	if s == nil || !s.chosen() {
		return
	}
	o := observation{key.Bytes(), key.ID(), label, sm.Message(label, ledger, msg), bytes.Clone(sig), accepted}
	select {
	case s.queue <- o:
	default:
		s.dropped.Add(1)
	}
}

// chosen picks the share evenly: of every 1/share observations, one.
func (s *Shadow) chosen() bool {
	n := s.seen.Add(1)
	return uint64(float64(n)*s.share) != uint64(float64(n-1)*s.share)
}

// Run verifies until ctx is done, then returns nil. What is still queued is
// left alone.
func (s *Shadow) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-s.queue:
			s.verify(o)
		}
	}
}

// Counts returns the totals so far.
func (s *Shadow) Counts() ShadowCounts {
	if s == nil {
		return ShadowCounts{}
	}
	return ShadowCounts{s.checked.Load(), s.disagreed.Load(), s.dropped.Load(), s.failed.Load()}
}

func (s *Shadow) verify(o observation) {
	accepted, ok := second(o)
	if !ok {
		s.failed.Add(1)
		return
	}
	s.checked.Add(1)
	if accepted != o.accepted {
		s.disagreed.Add(1)
		s.disagree(Disagreement{o.id, o.label, sm.Sum(o.message), o.accepted})
	}
}

// second is the second implementation's verdict; ok is false if it panicked.
// It reads lax DER, so spelling is judged here: a stranger's respelled
// signature is no disagreement about SM2.
func second(o observation) (accepted, ok bool) {
	defer func() {
		if recover() != nil {
			accepted, ok = false, false
		}
	}()
	var sig signature
	rest, err := asn1.Unmarshal(o.sig, &sig)
	if err != nil || len(rest) != 0 {
		return false, true
	}
	if strict, err := asn1.Marshal(sig); err != nil || !bytes.Equal(strict, o.sig) {
		return false, true
	}
	return secondsm2.Sm2Verify(secondPublic(o.point), o.message, userID, sig.R, sig.S), true
}
