package exchange

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func rowWanted(key, content byte) wanted {
	return wanted{key: filled(key), content: filled(content), comparison: []byte{content}}
}

func idOf(name byte) func(int, uint32) EntryID {
	return func(i int, withdrawn uint32) EntryID { return filled(name + byte(i) + byte(withdrawn)*16) }
}

type claimed struct {
	found []found
	claim *claim
	err   error
}

func claimInBackground(r *reservations, ctx context.Context, id byte, rows ...wanted) <-chan claimed {
	out := make(chan claimed, 1)
	go func() {
		f, c, err := r.claim(ctx, rows, idOf(id))
		out <- claimed{f, c, err}
	}()
	return out
}

// Two agencies send the same decision at once. The second is not told that it
// is a duplicate while the first may still be lost.
func TestADuplicateWaitsForTheFirstToBeDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reservations{casebook: newFakeBook()}
		first, c, err := r.claim(t.Context(), []wanted{rowWanted(1, 1)}, idOf(0x10))
		if err != nil || !first[0].ID.IsZero() {
			t.Fatalf("the first finds %v: %v", first[0].ID, err)
		}
		second := claimInBackground(r, t.Context(), 0x20, rowWanted(2, 2), rowWanted(1, 9))
		synctest.Wait()
		select {
		case <-second:
			t.Fatal("the second was answered before the first was durable")
		default:
		}
		r.land(c, 5)
		got := <-second
		if got.err != nil || !got.found[0].ID.IsZero() || got.found[1].ID != filled(0x10) ||
			got.found[1].Content != filled(1) || string(got.found[1].comparison) != "\x01" {
			t.Errorf("the second finds %+v: %v", got.found, got.err)
		}
	})
}

// The first could not be written: its keys are free, as if it had never come.
func TestAClaimGivenUpFreesItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reservations{casebook: newFakeBook()}
		_, c, err := r.claim(t.Context(), []wanted{rowWanted(1, 1), rowWanted(2, 2)}, idOf(0x10))
		if err != nil {
			t.Fatal(err)
		}
		second := claimInBackground(r, t.Context(), 0x20, rowWanted(1, 1), rowWanted(2, 2))
		synctest.Wait()
		r.land(c, 0)
		if got := <-second; got.err != nil || !got.found[0].ID.IsZero() || !got.found[1].ID.IsZero() {
			t.Errorf("the second finds %+v: %v", got.found, got.err)
		}
	})
}

func TestAClaimsOwnRowsSeeEachOther(t *testing.T) {
	r := &reservations{casebook: newFakeBook()}
	got, _, err := r.claim(t.Context(), []wanted{rowWanted(1, 1), rowWanted(1, 2), rowWanted(3, 3)}, idOf(0x10))
	if err != nil || !got[0].ID.IsZero() || got[1].ID != filled(0x10) || got[1].Content != filled(1) || !got[2].ID.IsZero() {
		t.Errorf("%+v: %v", got, err)
	}
}

// Once the casebook has folded a claim, it alone answers: nothing is kept for
// ever, and a record withdrawn since makes room for the next of its key.
func TestTheCasebookTakesOver(t *testing.T) {
	book := newFakeBook()
	r := &reservations{casebook: book}
	_, c, err := r.claim(t.Context(), []wanted{rowWanted(1, 1), rowWanted(2, 2)}, idOf(0x10))
	if err != nil {
		t.Fatal(err)
	}
	at, err := book.Append(t.Context(), Event{})
	if err != nil {
		t.Fatal(err)
	}
	r.land(c, at)
	book.standings[filled(1)] = Standing{ID: filled(0x10), Content: filled(1), At: at}
	book.standings[filled(2)] = Standing{Withdrawn: 1}
	got, c, err := r.claim(t.Context(), []wanted{rowWanted(1, 1), rowWanted(2, 2)}, idOf(0x20))
	if err != nil || got[0].ID != filled(0x10) || got[0].At != at || got[0].comparison != nil {
		t.Errorf("a known key: %+v: %v", got[0], err)
	}
	if !got[1].ID.IsZero() || got[1].withdrawn != 1 || r.taken[filled(2)].ID != filled(0x20+1+16) {
		t.Errorf("a withdrawn key: %+v", got[1])
	}
	r.land(c, 0)
	if len(r.taken) != 0 || len(r.landed) != 0 {
		t.Errorf("%d keys and %d claims are kept", len(r.taken), len(r.landed))
	}
}

// The lost node has sent the record, the journal does not know it: it stands under
// the id that it would get here.
func TestARecordThatOnlyTheLedgerHasIsNotTakenAgain(t *testing.T) {
	b := newFakeBook()
	b.strangers = map[EntryID]bool{filled(0x11): true}
	r := &reservations{casebook: b}
	got, _, err := r.claim(t.Context(), []wanted{rowWanted(1, 1), rowWanted(2, 2)}, idOf(0x10))
	if err != nil || !got[0].ID.IsZero() || got[1].ID != filled(0x11) || !got[1].Stranger {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestASenderWhoGoesAwayWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reservations{casebook: newFakeBook()}
		if _, _, err := r.claim(t.Context(), []wanted{rowWanted(1, 1)}, idOf(0x10)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		second := claimInBackground(r, ctx, 0x20, rowWanted(2, 2), rowWanted(1, 1))
		synctest.Wait()
		cancel()
		if got := <-second; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%v", got.err)
		}
		if _, _, err := r.claim(t.Context(), []wanted{rowWanted(2, 2)}, func(int, uint32) EntryID { return sm.Digest{1} }); err != nil {
			t.Errorf("the keys of one who went away are taken: %v", err)
		}
	})
}
