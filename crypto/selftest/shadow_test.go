package selftest

import (
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"

	"github.com/xinqiao/creditgw/crypto/sm"
)

type signed struct {
	key *sm.BatchPublic
	msg []byte
	sig []byte
}

func newSigned(t *testing.T) signed {
	t.Helper()
	key, err := sm.Generate[sm.Batch](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("preamble")
	sig, err := key.Sign(sm.LabelBatch, sm.Digest{}, msg)
	if err != nil {
		t.Fatal(err)
	}
	return signed{key.Public(), msg, sig}
}

// shadowed runs a shadow while observe feeds it, until it has nothing to do.
func shadowed(t *testing.T, share float64, observe func(*Shadow)) (counts ShadowCounts, alarms []Disagreement) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := NewShadow(share, func(d Disagreement) { alarms = append(alarms, d) })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		observe(s)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		counts = s.Counts()
	})
	return counts, alarms
}

func TestShadowAgreesOnGoodAndBadSignatures(t *testing.T) {
	v := newSigned(t)
	counts, alarms := shadowed(t, 1, func(s *Shadow) {
		s.Observe(v.key, sm.LabelBatch, sm.Digest{}, v.msg, v.sig, true)
		s.Observe(v.key, sm.LabelTicket, sm.Digest{}, v.msg, v.sig, false)
		s.Observe(v.key, sm.LabelBatch, sm.Digest{}, v.msg, []byte("junk"), false)
		// A padded r: refused here, read by the second implementation.
		padded := append([]byte{0x30, v.sig[1] + 1, 2, v.sig[3] + 1, 0}, v.sig[4:]...)
		s.Observe(v.key, sm.LabelBatch, sm.Digest{}, v.msg, padded, v.key.Verify(sm.LabelBatch, sm.Digest{}, v.msg, padded) == nil)
	})
	if counts != (ShadowCounts{Checked: 4}) || len(alarms) != 0 {
		t.Fatalf("%+v %+v", counts, alarms)
	}
}

func TestShadowRaisesAnAlarmAndDecidesNothing(t *testing.T) {
	v := newSigned(t)
	counts, alarms := shadowed(t, 1, func(s *Shadow) {
		s.Observe(v.key, sm.LabelBatch, sm.Digest{}, []byte("another"), v.sig, true)
		s.Observe(v.key, sm.LabelBatch, sm.Digest{}, v.msg, v.sig, false)
	})
	if counts != (ShadowCounts{Checked: 2, Disagreed: 2}) || len(alarms) != 2 {
		t.Fatalf("%+v %+v", counts, alarms)
	}
	if !alarms[0].Accepted || alarms[1].Accepted || alarms[0].Key != v.key.ID() ||
		alarms[0].Message != sm.Sum(sm.Message(sm.LabelBatch, sm.Digest{}, []byte("another"))) {
		t.Errorf("%+v", alarms)
	}
}

func TestShadowTakesItsShareAndNeverWaits(t *testing.T) {
	v := newSigned(t)
	counts, _ := shadowed(t, 0.1, func(s *Shadow) {
		for range 200 {
			s.Observe(v.key, sm.LabelBatch, sm.Digest{}, v.msg, v.sig, true)
		}
	})
	if counts.Checked+counts.Dropped != 20 {
		t.Errorf("a tenth of 200: %+v", counts)
	}

	// Nobody runs this one: its queue fills and the node goes on.
	full, err := NewShadow(1, func(Disagreement) {})
	if err != nil {
		t.Fatal(err)
	}
	for range shadowQueue + 3 {
		full.Observe(v.key, sm.LabelBatch, sm.Digest{}, v.msg, v.sig, true)
	}
	if got := full.Counts(); got.Dropped != 3 {
		t.Errorf("%+v", got)
	}

	var off *Shadow
	off.Observe(v.key, sm.LabelBatch, sm.Digest{}, v.msg, v.sig, true)
	if off.Counts() != (ShadowCounts{}) {
		t.Error("a shadow that is switched off counts")
	}
}

func TestShadowRefusesNonsense(t *testing.T) {
	nan := 0.0
	nan /= nan
	for _, share := range []float64{-0.1, 1.1, nan} {
		if _, err := NewShadow(share, func(Disagreement) {}); err == nil {
			t.Errorf("share %v", share)
		}
	}
	if _, err := NewShadow(1, nil); err == nil {
		t.Error("no callback")
	}
}
