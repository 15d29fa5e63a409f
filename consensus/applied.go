package consensus

import (
	"context"
	"sync"
)

// appliedIndex is how far this node's state machine has come, for those who
// wait for it.
type appliedIndex struct {
	mu      sync.Mutex
	at      uint64
	waiters map[chan struct{}]uint64
}

func (a *appliedIndex) index() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at
}

func (a *appliedIndex) advance(index uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = max(a.at, index)
	for ch, want := range a.waiters {
		if want <= a.at {
			close(ch)
			delete(a.waiters, ch)
		}
	}
}

func (a *appliedIndex) wait(ctx context.Context, done <-chan struct{}, index uint64) error {
	a.mu.Lock()
	if index <= a.at {
		a.mu.Unlock()
		return nil
	}
	ch := make(chan struct{})
	if a.waiters == nil {
		a.waiters = map[chan struct{}]uint64{}
	}
	a.waiters[ch] = index
	a.mu.Unlock()
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		a.forget(ch)
		return context.Cause(ctx)
	case <-done:
		a.forget(ch)
		return ErrShutdown
	}
}

func (a *appliedIndex) forget(ch chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiters, ch)
}
