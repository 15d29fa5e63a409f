package consensus

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// disk is a log store whose writes can hang or fail.
type disk struct {
	*raft.InmemStore
	hang <-chan struct{}
	err  error
}

func (d *disk) StoreLogs(logs []*raft.Log) error {
	if d.hang != nil {
		<-d.hang
	}
	if d.err != nil {
		return d.err
	}
	return d.InmemStore.StoreLogs(logs)
}

// faults remembers the last error that should have ended the process.
type faults struct {
	mu   sync.Mutex
	last error
}

func (f *faults) record(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = err
}

func (f *faults) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.last
	f.last = nil
	return err
}

func newChecked(d *disk) (*checkedLog, *faults) {
	f := new(faults)
	return &checkedLog{LogStore: d, limit: 5 * time.Second, appended: func() {}, fatal: f.record}, f
}

func command(t *testing.T, index uint64) *raft.Log {
	t.Helper()
	data, err := marshalPayload(nil, vectorItems())
	if err != nil {
		t.Fatal(err)
	}
	return &raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: data}
}

func TestADiskThatHangsEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, fatal := newChecked(&disk{InmemStore: raft.NewInmemStore(), hang: release})
		stored := make(chan error, 1)
		go func() { stored <- c.StoreLogs([]*raft.Log{command(t, 1)}) }()
		time.Sleep(5*time.Second - time.Nanosecond) // the bubble's clock
		synctest.Wait()
		if err := fatal.take(); err != nil {
			t.Fatalf("too early: %v", err)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := fatal.take(); err == nil || !strings.Contains(err.Error(), "has not answered for 5s") {
			t.Errorf("fatal: %v", err)
		}
		close(release)
		<-stored
	})
}

func TestAFailedWriteEndsTheProcess(t *testing.T) {
	full := errors.New("no space left on device")
	c, fatal := newChecked(&disk{InmemStore: raft.NewInmemStore(), err: full})
	err := c.StoreLog(command(t, 1))
	if fatal := fatal.take(); !errors.Is(err, full) || !errors.Is(fatal, full) {
		t.Errorf("error %v, fatal %v", err, fatal)
	}
}

func TestDamageIsNeitherStoredNorRead(t *testing.T) {
	d := &disk{InmemStore: raft.NewInmemStore()}
	c, fatal := newChecked(d)
	if err := c.StoreLogs([]*raft.Log{command(t, 1), {Index: 2, Term: 1, Type: raft.LogNoop}}); err != nil {
		t.Fatal(err)
	}
	var l raft.Log
	if err := c.GetLog(1, &l); err != nil || l.Extensions != nil {
		t.Fatalf("%+v, %v", l, err)
	}

	rotten := command(t, 3)
	rotten.Data[9] ^= 1
	err := c.StoreLog(rotten)
	if fatal := fatal.take(); !errors.Is(err, errChecksum) || !errors.Is(fatal, errChecksum) {
		t.Errorf("stored: %v, fatal %v", err, fatal)
	}

	for name, alter := range map[string]func(l *raft.Log){
		"data": func(l *raft.Log) { l.Data[0] ^= 1 },
		"term": func(l *raft.Log) { l.Term++ },
		"kind": func(l *raft.Log) { l.Type = raft.LogNoop },
	} {
		var on raft.Log
		if err := d.GetLog(1, &on); err != nil {
			t.Fatal(err)
		}
		sound := on
		sound.Data = append([]byte(nil), on.Data...)
		alter(&on)
		if err := d.StoreLog(&on); err != nil {
			t.Fatal(err)
		}
		err := c.GetLog(1, &l)
		if fatal := fatal.take(); !errors.Is(err, errRecord) || !errors.Is(fatal, errRecord) {
			t.Errorf("%s altered: read gives %v, fatal %v", name, err, fatal)
		}
		if err := d.StoreLog(&sound); err != nil {
			t.Fatal(err)
		}
	}
}

// A leader that is not one may ask to have a suffix replaced; what has been
// applied is not up for that.
func TestAppliedEntriesAreNotDropped(t *testing.T) {
	c, fatal := newChecked(&disk{InmemStore: raft.NewInmemStore()})
	for i := uint64(1); i <= 9; i++ {
		if err := c.StoreLog(command(t, i)); err != nil {
			t.Fatal(err)
		}
	}
	c.applied.Store(6)
	if c.DeleteRange(6, 9) == nil {
		t.Error("an applied entry has been dropped")
	}
	if err := c.DeleteRange(7, 9); err != nil {
		t.Errorf("a suffix that nobody has seen: %v", err)
	}
	if err := c.DeleteRange(1, 4); err != nil {
		t.Errorf("the log's beginning: %v", err)
	}
	if err := fatal.take(); err != nil {
		t.Error(err)
	}
}

func TestTermAndVoteAreChecked(t *testing.T) {
	store := raft.NewInmemStore()
	fatal := new(faults)
	s := &checkedStable{StableStore: store, limit: time.Second, fatal: fatal.record}
	if v, err := s.GetUint64([]byte("CurrentTerm")); v != 0 || err != nil && err.Error() != "not found" {
		t.Fatalf("never set: %d, %v", v, err)
	}
	if err := s.SetUint64([]byte("CurrentTerm"), 300); err != nil {
		t.Fatal(err)
	}
	if v, err := s.GetUint64([]byte("CurrentTerm")); v != 300 || err != nil {
		t.Fatalf("%d, %v", v, err)
	}
	raw, err := store.Get([]byte("CurrentTerm"))
	if err != nil {
		t.Fatal(err)
	}
	raw[7] ^= 1
	_, err = s.GetUint64([]byte("CurrentTerm"))
	if fatal := fatal.take(); !errors.Is(err, errRecord) || !errors.Is(fatal, errRecord) {
		t.Errorf("a flipped bit: %v, fatal %v", err, fatal)
	}
}
