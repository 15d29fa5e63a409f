package exchange

import (
	"bytes"
	"context"
	"sync"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

const (
	testBeijing = peers.Region("110000")
	testTianjin = peers.Region("120000")
	testHebei   = peers.Region("130000")
)

// fakeBook is journal and casebook in memory; what an event does to it is the
// test's to say. It calls nothing that the test did not give it.
type fakeBook struct {
	Casebook
	Journal

	fold func(Position, Event) // under mu

	mu        sync.Mutex
	last      Position
	events    []Event
	moved     chan struct{}
	standings map[sm.Digest]Standing
	strangers map[EntryID]bool
	sealed    map[EntryID]func() ([]byte, error) // what Stranger opens
	waiting   []PendingAck
	authored  map[peers.Region]uint32
}

func newFakeBook() *fakeBook {
	return &fakeBook{moved: make(chan struct{}), standings: map[sm.Digest]Standing{}, authored: map[peers.Region]uint32{}}
}

func (b *fakeBook) Append(_ context.Context, events ...Event) (Position, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range events {
		b.last++
		b.events = append(b.events, e)
		if b.fold != nil {
			b.fold(b.last, e)
		}
	}
	close(b.moved)
	b.moved = make(chan struct{})
	return b.last, nil
}

func (b *fakeBook) Position() Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

func (b *fakeBook) WaitFor(ctx context.Context, at Position) error {
	for {
		b.mu.Lock()
		last, moved := b.last, b.moved
		b.mu.Unlock()
		if last >= at {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *fakeBook) Standings(keys []sm.Digest) ([]Standing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Standing, len(keys))
	for i, k := range keys {
		out[i] = b.standings[k]
	}
	return out, nil
}

func (b *fakeBook) Strangers(n int, id func(int) EntryID) ([]bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]bool, n)
	for i := range out {
		out[i] = b.strangers[id(i)]
	}
	return out, nil
}

func (b *fakeBook) Stranger(id EntryID) ([]byte, error) { return b.sealed[id]() }

func (b *fakeBook) PendingAcks(limit int) ([]PendingAck, map[peers.Region]uint32, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	authored := map[peers.Region]uint32{}
	for r, n := range b.authored {
		authored[r] = n
	}
	return append([]PendingAck(nil), b.waiting[:min(limit, len(b.waiting))]...), authored, nil
}

// openVault keeps what it is given in clear.
type openVault struct {
	Vault
	mu      sync.Mutex
	ensured uint64
}

func (v *openVault) Ensure(next uint64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ensured = max(v.ensured, next)
	return nil
}

func (v *openVault) Seal(_ uint64, _ Purpose, _ uint64, plaintext []byte) ([]byte, error) {
	return bytes.Clone(plaintext), nil
}

func testSecret() IDSecret {
	s, err := NewIDSecret(bytes.Repeat([]byte{0xa7}, 32))
	if err != nil {
		panic(err)
	}
	return s
}
