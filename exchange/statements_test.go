package exchange

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// wait adds acks and wakes whoever waits for the casebook.
func (b *fakeBook) wait(acks ...PendingAck) {
	b.mu.Lock()
	b.waiting = append(b.waiting, acks...)
	b.mu.Unlock()
	_, _ = b.Append(context.Background(), Event{Acks: &AcksReceived{}})
}

// author folds statements as the casebook does.
func (b *fakeBook) author(_ Position, e Event) {
	if e.Authored == nil {
		return
	}
	h, err := ParseHeader(e.Authored.Entry.Header)
	if err != nil {
		panic(err)
	}
	b.authored[h.Recipients[0]]++
	for _, told := range e.Authored.Acked {
		b.waiting = slices.DeleteFunc(b.waiting, func(w PendingAck) bool {
			return w.Ack.Record == told.Record && w.Ack.State == told.State
		})
	}
}

func (b *fakeBook) statements() (out []*EntryAuthored) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Authored != nil {
			out = append(out, e.Authored)
		}
	}
	return out
}

func pendingAck(origin peers.Region, n byte, state AckState) PendingAck {
	return PendingAck{Origin: origin, Ack: RecordAck{Record: filled(n), State: state, At: int64(n)}}
}

// A flood of read-receipts costs the ledger one entry per origin and interval.
func TestStatementsAreOnePerOriginAndInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := newFakeBook()
		book.fold = book.author
		s := &Statements{
			Sealer: Sealer{Ledger: filled(9), Region: testTianjin, Secret: testSecret(), Rand: rand.Reader},
			Clock:  time.Now, Interval: time.Second, Casebook: book, Journal: book, Vault: &openVault{},
			Slots: NewSlots(&openVault{}, 1),
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()

		book.wait(pendingAck(testBeijing, 1, AckDelivered), pendingAck(testHebei, 2, AckDelivered), pendingAck(testBeijing, 3, AckRead))
		synctest.Wait()
		if got := book.statements(); len(got) != 2 {
			t.Fatalf("%d statements for two origins", len(got))
		}
		for n := range 90 {
			book.wait(pendingAck(testBeijing, byte(n)+10, AckRead))
			time.Sleep(10 * time.Millisecond) // the bubble's clock
		}
		synctest.Wait()
		if got := book.statements(); len(got) != 2 {
			t.Errorf("%d statements within one interval", len(got)-2)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := book.statements()
		if len(got) != 3 {
			t.Fatalf("%d statements in the next interval", len(got)-2)
		}
		want := [][]sm.Digest{{filled(1), filled(3)}, {filled(2)}, {}}
		for n := range 90 {
			want[2] = append(want[2], filled(byte(n)+10))
		}
		ids := map[EntryID]bool{}
		for i, e := range got {
			to := testBeijing
			if i == 1 {
				to = testHebei
			}
			h := wantStatement(t, e, to, want[i])
			ids[h.ID] = true
		}
		if len(ids) != len(got) {
			t.Error("two statements have one id")
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// wantStatement opens a statement as its recipient does.
func wantStatement(t *testing.T, e *EntryAuthored, to peers.Region, records []sm.Digest) Header {
	t.Helper()
	h, err := ParseHeader(e.Entry.Header)
	if err != nil {
		t.Fatal(err)
	}
	if h.Class != ClassStatement || h.Kind != KindAcknowledgement || h.Origin != testTianjin || !slices.Equal(h.Recipients, []peers.Region{to}) {
		t.Errorf("header %+v, want one to %s", h, to)
	}
	opened, err := envelope.Open(sm.ContentKey(e.Key), filled(9), e.Entry.Body, *h.Commitment)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAcknowledgement(opened.Record)
	if err != nil {
		t.Fatal(err)
	}
	var told []sm.Digest
	for _, ack := range a.Acks {
		told = append(told, ack.Record)
	}
	if !slices.Equal(told, records) || len(e.Acked) != len(records) {
		t.Errorf("%s is told of %d records, want %d", to, len(told), len(records))
	}
	return h
}
