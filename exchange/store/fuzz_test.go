package store

import (
	"bytes"
	"io"
	"testing"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// Run these with -fuzzminimizetime 10x: the writer beside Apply makes coverage
// vary, and minimising then goes on for its whole minute.

func applied(t *testing.T, s *Store, raw []byte) exchange.BatchResult {
	before := s.Head()
	result, ok := s.Apply(before.RaftIndex+1, 1, [][]byte{raw})[0].(exchange.BatchResult)
	if !ok {
		t.Fatal("no verdict")
	}
	if after := s.Head(); result.Rejection != nil && (after.Size != before.Size || after.Root != before.Root) {
		t.Error("a refusal changed the ledger")
	}
	return result
}

func FuzzApply(f *testing.F) {
	w := newWorld(f)
	for _, name := range []string{"A1", "A1~sig", "A2", "B1~root", "C1~keysgone"} {
		f.Add(w.batch(name))
	}
	f.Add([]byte{})
	s := w.temporary()
	w.tell(s, "A1")
	f.Fuzz(func(t *testing.T, raw []byte) { applied(t, s, bytes.Clone(raw)) })
}

// A member may sign anything. Here it signs whatever parses, with every digest
// put right, so that the rules behind the signature are reached.
func FuzzApplySigned(f *testing.F) {
	w := newWorld(f)
	a := regions['A']
	for _, name := range []string{"A1", "B1", "A1~keysgone"} {
		f.Add(w.batch(name))
	}
	d := w.newDraft(a, 1, sm.Digest{})
	w.addGovernance(d, exchange.KindAgencyKey, []byte("no key"))
	f.Add(w.seal(d, mutation{}))
	s := w.temporary()
	w.tell(s, "A1 B1")
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := exchange.ParseBatch(bytes.Clone(raw))
		if err != nil {
			return
		}
		seq, previous := s.LastBatch(a)
		p := &b.Preamble
		p.Ledger, p.Origin, p.Key, p.Seq, p.Previous = w.ledger, a, w.keys[a].Public().ID(), seq+1, previous
		leaves := make([]sm.Digest, len(b.Items))
		for i, item := range b.Items {
			// The body's digest is the header's last field.
			if n := len(item.Header) - sm.DigestSize; n > 0 {
				digest := sm.Sum(item.Body)
				copy(item.Header[n:], digest[:])
			}
			leaves[i] = ledger.LeafHash(item.Header)
		}
		p.Root, p.WrapsDigest = ledger.RootOf(leaves), sm.Digest{}
		if wraps, err := envelope.ParseWraps(b.Wraps); err == nil {
			p.WrapsDigest = wraps.Digest()
		}
		b.RawPreamble = p.Marshal()
		if b.Signature, err = w.keys[a].Sign(sm.LabelBatch, w.ledger, b.RawPreamble); err != nil {
			t.Fatal(err)
		}
		if raw, err = b.Marshal(); err != nil {
			return
		}
		result := applied(t, s, raw)
		if result.Rejection == nil {
			if got := s.Head().Size; got != result.First+uint64(result.N) {
				t.Errorf("%d leaves after a batch of %d at %d", got, result.N, result.First)
			}
		}
	})
}

// The stream of a snapshot comes from a peer: nothing in it may do more than be
// refused.
func FuzzSnapshotStream(f *testing.F) {
	f.Add(fixture(f, "snapshot-v1.bin"))
	f.Add([]byte(streamMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bytes.NewReader(bytes.Clone(raw))
		head := make([]byte, streamHeader)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		if _, err := parseStreamHead(head); err != nil {
			return
		}
		for {
			raw, err := readStreamed(r)
			if err != nil {
				return
			}
			if c := parse(raw, true); c.malformed == nil {
				c.checkContents()
			}
		}
	})
}

// What bbolt gives back may be anything.
func FuzzRows(f *testing.F) {
	r := row{first: 7, origin: "120000", seq: 3, n: 9, length: 100, erased: bitmap{1, 0}}
	f.Add(key64(7), r.marshal())
	f.Add(keyState, (&position{size: 5}).marshal(sm.Digest{}))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		got, err := parseRow(key, sealed(key, value))
		if err == nil && !bytes.Equal(got.marshal(), value) {
			t.Error("a second spelling of a row")
		}
		if p, err := parsePosition(value, sm.Digest{}); err == nil && len(value) != len(p.marshal(sm.Digest{})) {
			t.Error("a second spelling of the state")
		}
	})
}
