package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

const (
	segmentSize = 64 << 20  // a segment that has reached it gets no more frames
	groupSize   = 256 << 10 // calls share a frame up to this; a longer sync costs more than it saves
)

// ErrTooLarge refuses a call whose events take more than one frame can hold.
// Nothing was written.
var ErrTooLarge = fmt.Errorf("journal: the events of one call take more than %d MiB", maxFrame>>20)

var errClosed = errors.New("journal: closed")

// Config is what a journal is built from.
type Config struct {
	Dir    string       // made if it does not exist
	Logger *slog.Logger // told of a tail that was cut
	// Fatal is called once when a write or an fsync has failed. It should end
	// the process: what the disk holds is then unknown. Until it does, every
	// call fails.
	Fatal func(error)
}

// Journal implements exchange.Journal. It owns its directory: a second process
// is refused.
type Journal struct {
	cfg     Config
	dir     *os.File // holds the lock
	rollAt  int64
	chain   sm.Digest     // writer only
	wake    chan struct{} // one token: there is something in the queue
	stopped chan struct{} // the writer has ended

	mu       sync.Mutex
	queue    []*call
	closing  bool
	failed   error
	segments []*segment
	last     exchange.Position
	advanced chan struct{} // closed and replaced when last moves, or the journal fails
}

var _ exchange.Journal = (*Journal)(nil)

// Open reads the last segment, cuts a torn tail off and starts the writer.
func Open(cfg Config) (*Journal, error) { return open(cfg, segmentSize) }

func open(cfg Config, rollAt int64) (_ *Journal, err error) {
	if err := durable.MakeDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{cfg: cfg, rollAt: rollAt, wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		advanced: make(chan struct{})}
	if j.dir, err = lock(cfg.Dir); err != nil {
		return nil, err
	}
	if err := j.recover(); err != nil {
		return nil, errors.Join(err, closeSegments(j.segments), j.dir.Close())
	}
	go j.write()
	return j, nil
}

// recover brings the journal to its last whole frame.
func (j *Journal) recover() (err error) {
	if j.segments, err = listSegments(j.cfg.Dir, os.O_RDWR); err != nil {
		return err
	}
	if len(j.segments) == 0 {
		s, err := createSegment(j.cfg.Dir, segmentHeader{first: 1})
		if err != nil {
			return err
		}
		j.segments = []*segment{s}
		return nil
	}
	s := j.segments[len(j.segments)-1]
	t, err := scan(s.file, s.path, s.header, s.size, nil)
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		err = j.cut(s, t, damage)
	}
	if err != nil {
		return err
	}
	s.size, s.index = t.end, t.index
	j.last, j.chain = t.last, t.chain
	return nil
}

// cut removes a torn tail, or returns the damage if it is none. The bytes are
// overwritten before they are let go: the vault slots that they used will be
// used again, and two texts under one key and nonce must not both exist.
func (j *Journal) cut(s *segment, t tail, damage *DamageError) error {
	isTorn, err := torn(s.file, t.end, s.size, t.last+1)
	if err != nil {
		return fmt.Errorf("journal: read %s: %w", s.path, err)
	}
	if !isTorn {
		return damage
	}
	_, err = s.file.WriteAt(make([]byte, s.size-t.end), t.end)
	if err == nil {
		err = s.file.Sync()
	}
	if err == nil {
		err = s.file.Truncate(t.end)
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("journal: cut %s: %w", s.path, err)
	}
	j.cfg.Logger.Warn("journal: a frame that was never acknowledged was cut off",
		"file", s.path, "offset", t.end, "bytes", s.size-t.end, "last_position", uint64(t.last))
	return nil
}

// Last is the position of the last durable event, 0 in an empty journal.
func (j *Journal) Last() exchange.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Wait returns when Last ≥ at, or with ctx's error, or when the journal has
// failed or is closed.
func (j *Journal) Wait(ctx context.Context, at exchange.Position) error {
	for {
		j.mu.Lock()
		last, advanced, err := j.last, j.advanced, j.unusable()
		j.mu.Unlock()
		if last >= at {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close waits for the calls that are under way and lets the directory go.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return errClosed
	}
	j.closing = true
	j.announce()
	j.mu.Unlock()
	j.signal()
	<-j.stopped
	return errors.Join(closeSegments(j.segments), j.dir.Close())
}

// unusable says why no more events are taken; j.mu is held.
func (j *Journal) unusable() error {
	if j.failed == nil && j.closing {
		return errClosed
	}
	return j.failed
}

// announce wakes all that wait; j.mu is held.
func (j *Journal) announce() {
	close(j.advanced)
	j.advanced = make(chan struct{})
}

// lock takes the directory for this process. The kernel drops the lock with
// the process.
func lock(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s is in use by another process: %w", dir, err), d.Close())
	}
	return d, nil
}
