package exchange

import (
	"context"
	"sync"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Follower notes in the journal how far this region has read the ledger. The
// casebook does the reading when it folds the note, so that the order of
// ledger and private events is fixed once, durably, and a rebuilt casebook is
// the same one.
type Follower struct {
	Region  peers.Region
	Clock   Clock
	Ledger  Ledger
	Journal Journal
	Slots   *Slots
	Commits *Commits
}

// followStep bounds one note, so that folding it stays a short transaction.
const followStep = 1024

// Run follows from leaf from on until ctx ends or a part fails.
func (f *Follower) Run(ctx context.Context, from uint64) error {
	for {
		if err := f.Ledger.WaitSize(ctx, from+1); err != nil {
			return err
		}
		to := min(f.Ledger.Head().Size, from+followStep)
		next, err := f.note(ctx, from, to)
		if err != nil {
			return err
		}
		from = next
	}
}

func (f *Follower) note(ctx context.Context, from, to uint64) (next uint64, err error) {
	entries, err := f.Ledger.Entries(from, int(to-from))
	if err != nil {
		return from, err
	}
	to = from + uint64(len(entries))
	note := LedgerFollowed{From: from, To: to, Region: f.Region}
	if note.Root, err = RootAt(f.Ledger, to); err != nil {
		return from, err
	}
	var own []EntryID
	for i := range entries {
		h := &entries[i].Header
		switch {
		case h.Origin == f.Region:
			own = append(own, h.ID)
		case NeedsSlot(h, f.Region):
			note.Slots++
		}
	}
	if note.Slots > 0 {
		if note.FirstSlot, err = f.Slots.Take(note.Slots); err != nil {
			return from, err
		}
	}
	at, err := f.Journal.Append(ctx, Event{At: f.Clock(), Followed: &note})
	if err != nil {
		return from, err
	}
	f.Commits.done(own, at)
	return to, nil
}

// RootAt is the ledger's root at a size. The one that it has just come to is at
// hand; any other is computed from the tree.
func RootAt(l Ledger, size uint64) (sm.Digest, error) {
	if head := l.Head(); head.Size == size {
		return head.Root, nil
	}
	return l.RootAt(size)
}

// NeedsSlot reports whether an entry of another region is sealed to r. Follower
// and casebook must agree on it, for it numbers the vault's slots.
func NeedsSlot(h *Header, r peers.Region) bool {
	return h.Origin != r && h.Class != ClassGovernance && h.ConcernsRegion(r)
}

// Commits tells waiting submissions when their entries are on the ledger, and
// at which journal position the casebook will know.
type Commits struct {
	mu      sync.Mutex
	waiting map[EntryID]chan<- Position
}

// commitWait is one run of entries that someone waits for.
type commitWait struct {
	ids []EntryID
	ch  <-chan Position // gets one position for each id
}

// expect begins to wait. Call it before the entries can be drained.
func (c *Commits) expect(ids []EntryID) commitWait {
	ch := make(chan Position, len(ids))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = make(map[EntryID]chan<- Position)
	}
	for _, id := range ids {
		c.waiting[id] = ch
	}
	return commitWait{ids: ids, ch: ch}
}

// wait returns the position at which the casebook knows all of them to be
// committed.
func (c *Commits) wait(ctx context.Context, w commitWait) (at Position, err error) {
	for range w.ids {
		select {
		case p := <-w.ch:
			at = max(at, p)
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
	return at, nil
}

// forget ends a wait.
func (c *Commits) forget(w commitWait) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range w.ids {
		delete(c.waiting, id)
	}
}

func (c *Commits) done(ids []EntryID, at Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if ch := c.waiting[id]; ch != nil {
			ch <- at // buffered for every id it expects
			delete(c.waiting, id)
		}
	}
}
