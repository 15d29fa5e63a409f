package exchange

import "sync"

// Slots hands out vault slots. Numbers are fixed in journal events; one that
// was handed out and never named by an event is simply never used.
type Slots struct {
	mu    sync.Mutex
	next  uint64
	vault Vault
}

// NewSlots starts after the slots that the journal has named.
func NewSlots(vault Vault, next uint64) *Slots {
	return &Slots{vault: vault, next: max(next, 1)}
}

// Take returns the first of n slots whose keys are on disk.
func (s *Slots) Take(n uint64) (first uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.vault.Ensure(s.next + n); err != nil {
		return 0, err
	}
	first = s.next
	s.next += n
	return first, nil
}
