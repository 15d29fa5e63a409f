package store

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
)

// The disk is full when the first segment is to be written: the process is
// told to end, once, and nothing is answered any more.
func TestAFullDiskIsFatal(t *testing.T) {
	w := newWorld(t)
	config := w.config(t.TempDir())
	fatal := make(chan error, 2)
	config.Fatal = func(err error) { fatal <- err }
	s := must[*Store](t)(Open(config))
	w.tell(s, "A1")
	if err := s.Sync(s.Head().RaftIndex); err != nil {
		t.Fatal(err)
	}
	full := must[*os.File](t)(os.OpenFile("/dev/full", os.O_RDWR, 0))
	s.live.segments.mu.Lock()
	segment := s.live.segments.files[1]
	s.live.segments.files[1] = full
	s.live.segments.mu.Unlock()
	defer segment.Close()

	w.tell(s, "A2")
	if err := s.Sync(s.Head().RaftIndex); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("sync: %v", err)
	}
	if err := <-fatal; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("fatal: %v", err)
	}
	if err, ok := s.Apply(s.Head().RaftIndex+1, 1, [][]byte{w.batch("B1")})[0].(error); !ok || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("apply after the fault: %v", err)
	}
	if err := s.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("close: %v", err)
	}
	if len(fatal) != 0 {
		t.Error("told twice")
	}
	// What was synced before is there.
	s = w.open(config.Dir)
	if seq, _ := s.LastBatch(regions['A']); seq != 1 {
		t.Errorf("last batch %d", seq)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A ref to an entry that this node can't read any more is no verdict: other
// nodes can read theirs.
func TestDamageMetInApplyIsFatal(t *testing.T) {
	w := newWorld(t)
	config := w.config(t.TempDir())
	var fatal error
	config.Fatal = func(err error) { fatal = err }
	s := must[*Store](t)(Open(config))
	w.tell(s, "A1")
	if err := s.Sync(s.Head().RaftIndex); err != nil {
		t.Fatal(err)
	}
	target := must[[]exchange.Entry](t)(s.Entries(0, 1))[0]
	file := s.live.segments.files[1]
	if _, err := file.WriteAt([]byte{0xff}, segmentHeader+400); err != nil {
		t.Fatal(err)
	}
	d := w.newDraft(regions['B'], 1, [32]byte{})
	h, body := w.entry(regions['B'], "follow-up", 50)
	h.Class, h.Ref = exchange.ClassFollowUp, &exchange.Ref{Index: 0, ID: target.Header.ID}
	d.add(h, body)
	answer := s.Apply(s.Head().RaftIndex+1, 1, [][]byte{w.seal(d, mutation{})})[0]
	if err, ok := answer.(error); !ok || !errors.As(err, new(*DamageError)) {
		t.Errorf("answered %v", answer)
	}
	if !errors.As(fatal, new(*DamageError)) {
		t.Errorf("fatal: %v", fatal)
	}
	if err := s.Close(); err == nil {
		t.Error("closed as if nothing had happened")
	}
}
