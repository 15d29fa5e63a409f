package exchange

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// fakeLedger holds headers only.
type fakeLedger struct {
	Ledger
	entries []Entry
}

func (l *fakeLedger) Head() Head {
	return Head{Size: uint64(len(l.entries)), Root: filled(byte(len(l.entries)))}
}

func (l *fakeLedger) WaitSize(ctx context.Context, size uint64) error {
	if size <= uint64(len(l.entries)) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (l *fakeLedger) Entries(from uint64, limit int) ([]Entry, error) {
	return l.entries[from:min(from+uint64(limit), uint64(len(l.entries)))], nil
}

func (l *fakeLedger) RootAt(size uint64) (sm.Digest, error) { return filled(byte(size)), nil }

func (l *fakeLedger) add(id byte, class Class, origin peers.Region, to ...peers.Region) {
	l.entries = append(l.entries, Entry{Index: uint64(len(l.entries)), Header: Header{Class: class, ID: filled(id), Origin: origin, Recipients: to}})
}

// The notes cover the ledger without a gap, and every entry that is sealed to
// this region, and no other, has a slot of its own.
func TestFollowerCountsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLedger{}
		l.add(1, ClassRecord, testTianjin, testBeijing)              // own
		l.add(2, ClassRecord, testBeijing, testTianjin)              // to us
		l.add(3, ClassRecord, testBeijing, testHebei)                // to others
		l.add(4, ClassGovernance, testHebei)                         // clear
		l.add(5, ClassStatement, testHebei, testTianjin)             // to us
		l.add(6, ClassFollowUp, testBeijing, testHebei, testTianjin) // to both
		for range followStep {
			l.add(7, ClassRecord, testBeijing, testTianjin)
		}
		l.add(8, ClassRecord, testTianjin, testBeijing) // own

		book, vault := newFakeBook(), &openVault{}
		f := &Follower{Region: testTianjin, Clock: time.Now, Ledger: l, Journal: book, Slots: NewSlots(vault, 40), Commits: &Commits{}}
		first, second := f.Commits.expect([]EntryID{filled(1)}), f.Commits.expect([]EntryID{filled(1 + 7), filled(99)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx, 0) }()
		synctest.Wait()

		next, slot := uint64(0), uint64(40)
		for _, e := range book.events {
			n := e.Followed
			want := uint64(0)
			for i := n.From; i < n.To; i++ {
				if NeedsSlot(&l.entries[i].Header, testTianjin) {
					want++
				}
			}
			if n.From != next || n.To <= n.From || n.To-n.From > followStep || n.Slots != want || n.FirstSlot != slot ||
				n.Root != filled(byte(n.To)) || n.Region != testTianjin {
				t.Errorf("note %+v, want it from leaf %d with %d slots from %d", n, next, want, slot)
			}
			next, slot = n.To, slot+want
		}
		if next != uint64(len(l.entries)) || slot != 40+3+followStep || vault.ensured < slot {
			t.Errorf("followed to %d of %d, slots to %d, keys to %d", next, len(l.entries), slot, vault.ensured)
		}
		if at, err := f.Commits.wait(t.Context(), first); err != nil || at != 1 {
			t.Errorf("the first own entry is known at %d: %v", at, err)
		}
		gone, stop := context.WithCancel(t.Context())
		stop()
		if _, err := f.Commits.wait(gone, second); !errors.Is(err, context.Canceled) {
			t.Errorf("an entry that is not on the ledger is told as committed: %v", err)
		}
		f.Commits.forget(second)
		if len(f.Commits.waiting) != 0 {
			t.Errorf("%d waits are kept", len(f.Commits.waiting))
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
