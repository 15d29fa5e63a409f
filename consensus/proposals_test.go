package consensus

import (
	"crypto/rand"
	"slices"
	"testing"
)

func sent(items []proposed) (texts []string) {
	for _, p := range items {
		texts = append(texts, string(p.item))
	}
	return texts
}

func TestProposalsAreSentInOrderAndAgainInOrder(t *testing.T) {
	q := newProposals(rand.Reader)
	var all []*proposal
	for _, text := range []string{"a", "b", "c", "d"} {
		p, err := q.add([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if got := sent(q.take(false)); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Fatalf("sent %v", got)
	}
	if got := q.take(false); len(got) != 0 {
		t.Errorf("sent twice: %v", sent(got))
	}
	q.deliver(7, []proposalID{all[1].id}, [][]byte{[]byte("b")}, []any{"done"})
	if o := <-all[1].done; o.Index != 7 || o.Result != "done" {
		t.Errorf("outcome %+v", o)
	}
	q.drop(all[2]) // its caller has given up
	if _, err := q.add([]byte("e")); err != nil {
		t.Fatal(err)
	}
	if got := sent(q.take(true)); !slices.Equal(got, []string{"a", "d", "e"}) {
		t.Errorf("sent again: %v", got)
	}
	q.deliver(8, []proposalID{all[0].id, all[3].id}, [][]byte{[]byte("a"), []byte("d")}, []any{1, 2})
	if len(q.queue) != 1 || len(q.byID) != 1 {
		t.Errorf("%d queued, %d known, only e is left", len(q.queue), len(q.byID))
	}
}

// A leader could put an item's id beside another item, and have the proposer
// believe that its own was taken.
func TestAnIDBesideOtherBytesIsNoAnswer(t *testing.T) {
	q := newProposals(rand.Reader)
	p, err := q.add([]byte("mine"))
	if err != nil {
		t.Fatal(err)
	}
	q.deliver(3, []proposalID{p.id}, [][]byte{[]byte("theirs")}, []any{"accepted"})
	select {
	case o := <-p.done:
		t.Errorf("answered with %+v", o)
	default:
	}
	q.deliver(4, []proposalID{p.id}, [][]byte{[]byte("mine")}, []any{"accepted"})
	select {
	case o := <-p.done:
		if o.Index != 4 {
			t.Errorf("answered with %+v", o)
		}
	default:
		t.Error("its own bytes are not answered")
	}
}
