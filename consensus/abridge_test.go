package consensus

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
)

// twoPeers is an entry with items of two peers and of the leader's own, as it
// stands under way, and the queues that they came by.
func twoPeers(t *testing.T) (b *batcher, data []byte, north, south *source, items []proposed) {
	t.Helper()
	b = newBatcher(1, nil, nil, nil)
	north, south = b.source("north", 0, func() {}), b.source("south", 0, func() {})
	own := b.source("", 0, func() {})
	for i, from := range []*source{north, south, own, north} {
		p := numberedItem(1, i, 100+i)
		p.from = from
		items = append(items, p)
	}
	data, err := marshalPayload([]byte("mark"), items)
	if err != nil {
		t.Fatal(err)
	}
	b.depart(items)
	return b, data, north, south, items
}

// waiting are proposals as they stand at the node that made them.
func waiting(items ...proposed) *proposals {
	q := newProposals(rand.Reader)
	for _, p := range items {
		q.byID[p.id] = &proposal{proposed: p, done: make(chan Outcome, 1)}
	}
	return q
}

func TestAPeerIsNotSentWhatItProposed(t *testing.T) {
	b, data, _, _, items := twoPeers(t)
	abridged := bytes.Join(b.abridge("north", data), nil)
	if want := len(data) - 100 - 103; len(abridged) != want {
		t.Errorf("%d bytes, want %d", len(abridged), want)
	}
	if CheckPayload(abridged) == nil {
		t.Error("what is abridged passes for an entry")
	}
	got, err := waiting(items[0], items[3]).restore(abridged, 203)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("restored %x (%v), want %x", got, err, data)
	}
	if got := b.abridge("west", data); len(got) != 1 || &got[0][0] != &data[0] {
		t.Error("a peer without an item in it is sent something else")
	}
}

// Whoever has not what is left out has to be sent it: a node that has started
// again, or has given up waiting.
func TestWhatIsNotThereIsNotRestored(t *testing.T) {
	b, data, _, _, items := twoPeers(t)
	abridged := bytes.Join(b.abridge("north", data), nil)
	if _, err := waiting(items[0]).restore(abridged, 1<<20); !errors.Is(err, errNotOurs) {
		t.Errorf("one of two is missing: %v", err)
	}
	all := waiting(items[0], items[3])
	all.drop(all.byID[items[0].id])
	if _, err := all.restore(abridged, 1<<20); !errors.Is(err, errNotOurs) {
		t.Errorf("one was taken back: %v", err)
	}
	if _, err := waiting(items[0], items[3]).restore(abridged, 202); !errors.Is(err, errNotOurs) {
		t.Errorf("more than there is room for: %v", err)
	}
	if got, err := all.restore(data, 0); err != nil || &got[0] != &data[0] {
		t.Errorf("a whole entry is copied, or refused: %v", err)
	}
}

// A lane that has broken has taken its node's memory of the items with it.
func TestNothingIsLeftOutForAPeerWhoseLaneBroke(t *testing.T) {
	b, data, north, _, _ := twoPeers(t)
	b.leave(north)
	if got := b.abridge("north", data); len(got) != 1 {
		t.Errorf("sent in %d pieces", len(got))
	}
	if got := b.abridge("south", data); len(got) == 1 {
		t.Error("the other peer is sent its own item")
	}
}

// A leader that leaves out one item and means another is found out: the checksum
// is over what it put into the log.
func TestAnotherItemUnderTheSameIDIsNoticed(t *testing.T) {
	b, data, _, _, items := twoPeers(t)
	other := numberedItem(1, 0, 100)
	other.item[0] = 1
	got, err := waiting(other, items[3]).restore(bytes.Join(b.abridge("north", data), nil), 1<<20)
	if err != nil || CheckPayload(got) == nil {
		t.Errorf("passes: %v", err)
	}
}

func FuzzRestore(f *testing.F) {
	var known proposalID
	q := waiting(proposed{id: known, item: []byte("own")})
	for _, items := range [][]proposed{{{id: known}}, {{id: known, item: []byte("x")}, {id: known}}, vectorItems()} {
		if data, err := marshalPayload(nil, items); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const room = 6
		got, err := q.restore(data, room)
		if err == nil && len(got) > len(data)+room {
			t.Errorf("%d bytes became %d", len(data), len(got))
		}
	})
}
