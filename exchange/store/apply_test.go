package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

func TestStories(t *testing.T) {
	w := newWorld(t)
	for name, story := range map[string]string{
		"three origins in turn":          "A1 B1, C1 A2 B2, A3",
		"a replay is answered as before": "A1 A1=, A2, A1= A2=",
		"a gap waits":                    "A1 A3!SEQ_GAP, A2 A3",
		"the first number is 1":          "A2!SEQ_GAP, A1 A2",
		"another chain is a gap":         "A1 A2~previous!SEQ_GAP, A2",
		"a fork is refused, late too":    "A1 A1'!BATCH_FORK, A2 A1'!BATCH_FORK A2'!BATCH_FORK",
		"a forged fork is a forgery":     "A1 A1'~sig!BAD_SIGNATURE",
		"forged signature":               "A1~sig!BAD_SIGNATURE A1~stranger!BAD_SIGNATURE, A1",
		"another's key":                  "A1~key!UNKNOWN_KEY, X1!UNKNOWN_ORIGIN, A1",
		"another ledger":                 "A1~ledger!WRONG_LEDGER, A1",
		"false root":                     "A1~root!BAD_ROOT, A1",
		"false wraps":                    "A1~wraps!BAD_WRAPS A1~nowraps!BAD_WRAPS A1~badwraps!BAD_WRAPS, A1",
		"keys erased on the way":         "A1~keysgone!BAD_WRAPS, A1",
		"false body":                     "A1~body!BAD_BODY, A1",
		"second spelling of a header":    "A1~long!MALFORMED, A1",
		"one bad batch hurts no other":   "A1 B1~body!BAD_BODY C1 B1 A2",
		"forged gap":                     "A7~sig!BAD_SIGNATURE A7!SEQ_GAP, A1",
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.tell(w.temporary(), story)
		})
	}
}

func TestRefusalsNameTheItemAndTheExpectedNumber(t *testing.T) {
	w := newWorld(t)
	s := w.temporary()
	w.tell(s, "A1 A2")
	before := dump(t, s)
	result := s.Apply(9, 1, [][]byte{w.batch("A4")})[0].(exchange.BatchResult)
	if r := result.Rejection; r == nil || r.Code != exchange.CodeSeqGap || r.Expected != 3 {
		t.Errorf("gap: %+v", r)
	}
	d := w.newDraft(regions['A'], 3, w.digests["A2"])
	for _, name := range []string{"fine", "spoiled"} {
		d.add(w.entry(regions['A'], name, 50))
	}
	raw := w.seal(d, mutation{after: func(b *exchange.Batch) {
		b.Items[1].Body = append([]byte("x"), b.Items[1].Body[1:]...)
	}})
	result = s.Apply(10, 1, [][]byte{raw})[0].(exchange.BatchResult)
	if r := result.Rejection; r == nil || r.Code != exchange.CodeBadBody || r.Item != 1 {
		t.Errorf("spoiled body: %+v", r)
	}
	if after := dump(t, s); after != before {
		t.Errorf("refusals left something:\n%s", after)
	}
}

func TestHeadersAndRefs(t *testing.T) {
	w := newWorld(t)
	a, b, c := regions['A'], regions['B'], regions['C']
	s := w.temporary()
	w.tell(s, "A1") // leaves 0 and 1, to B and C
	followUp := func(origin peers.Region, ref exchange.Ref) (exchange.Header, []byte) {
		h, body := w.entry(origin, "follow-up", 50)
		h.Class, h.Ref = exchange.ClassFollowUp, &ref
		return h, body
	}
	first := must[[]exchange.Entry](t)(s.Entries(0, 1))[0]
	good := exchange.Ref{Index: 0, ID: first.Header.ID}

	narrow := w.newDraft(a, 2, w.digests["A1"]) // leaf 2, to B only
	h, body := w.entry(a, "narrow", 50)
	h.Recipients = []peers.Region{b}
	narrow.add(h, body)
	if got := s.Apply(2, 1, [][]byte{w.seal(narrow, mutation{})})[0].(exchange.BatchResult); got.Rejection != nil {
		t.Fatal(got.Rejection)
	}

	for name, test := range map[string]struct {
		origin peers.Region
		build  func(*draft)
		want   exchange.Code
	}{
		"header of another origin": {b, func(d *draft) { d.add(w.entry(c, "x", 50)) }, exchange.CodeBadHeader},
		"recipient is no member": {b, func(d *draft) {
			h, body := w.entry(b, "x", 50)
			h.Recipients = append(h.Recipients, "990000")
			d.add(h, body)
			d.readers[0] = d.readers[0][:3]
		}, exchange.CodeBadHeader},
		"home record": {b, func(d *draft) {
			h, body := w.entry(b, "x", 50)
			h.Recipients = nil
			d.add(h, body)
		}, exchange.CodeBadHeader},
		"wraps for too few": {b, func(d *draft) {
			d.add(w.entry(b, "x", 50))
			d.readers[0] = d.readers[0][1:]
		}, exchange.CodeBadHeader},
		"wraps for too many": {b, func(d *draft) {
			h, body := w.entry(b, "x", 50)
			h.Recipients = h.Recipients[:1]
			d.add(h, body)
			d.readers[0] = []string{string(a), string(b), string(c)}
		}, exchange.CodeBadHeader},
		"ref to a leaf of this batch": {b, func(d *draft) {
			d.add(w.entry(b, "x", 50))
			d.add(followUp(b, exchange.Ref{Index: s.Head().Size, ID: sm.Sum([]byte("x"))}))
		}, exchange.CodeBadRef},
		"ref to another id": {b, func(d *draft) { d.add(followUp(b, exchange.Ref{Index: 1, ID: good.ID})) }, exchange.CodeBadRef},
		"ref by a stranger": {c, func(d *draft) {
			d.add(followUp(c, exchange.Ref{Index: 2, ID: sm.Sum([]byte("narrow"))}))
		}, exchange.CodeBadRef},
		"ref by a recipient": {c, func(d *draft) { d.add(followUp(c, good)) }, ""},
		"governance that is not active": {b, func(d *draft) {
			w.addGovernance(d, "member-add", []byte{0xa0})
		}, exchange.CodeNotActive},
		"governance nobody can read": {b, func(d *draft) {
			w.addGovernance(d, exchange.KindAgencyKey, []byte("not cbor"))
		}, peers.CodeBodyMalformed},
		"an agency key that another region was given": {b, func(d *draft) {
			claim := peers.AgencyClaim{Region: regions['A'], USCC: "91110000600037341L", Name: "交通委", Key: w.agency.Public()}
			claim = must[peers.AgencyClaim](t)(claim.Prove(w.ledger, w.agency))
			w.addGovernance(d, exchange.KindAgencyKey, must[[]byte](t)(claim.Encode()))
		}, peers.CodeProof},
		"wraps of a clear body": {b, func(d *draft) {
			w.addGovernance(d, exchange.KindAgencyKey, []byte("clear"))
			d.readers[0] = []string{string(b)}
		}, exchange.CodeBadHeader},
	} {
		t.Run(name, func(t *testing.T) {
			seq, digest := s.LastBatch(test.origin)
			d := w.newDraft(test.origin, seq+1, digest)
			test.build(d)
			got := s.Apply(s.Head().RaftIndex+1, 1, [][]byte{w.seal(d, mutation{})})[0].(exchange.BatchResult)
			if verdict(&got) != string(test.want) {
				t.Errorf("answered %q, want %q (%v)", verdict(&got), test.want, got.Rejection)
			}
		})
	}

	// On disk the same refs are judged the same way.
	if err := s.Sync(s.Head().RaftIndex); err != nil {
		t.Fatal(err)
	}
	d := w.newDraft(b, 1, sm.Digest{})
	d.add(followUp(b, good))
	if got := s.Apply(s.Head().RaftIndex+1, 1, [][]byte{w.seal(d, mutation{})})[0].(exchange.BatchResult); got.Rejection != nil {
		t.Error(got.Rejection)
	}
}

func TestAgencyKeysComeIntoForceWithTheirEntry(t *testing.T) {
	w := newWorld(t)
	a := regions['A']
	dir := t.TempDir()
	s := w.open(dir)
	const uscc = "91110000600037341L"
	claim := peers.AgencyClaim{Region: a, USCC: uscc, Name: "交通委", Key: w.agency.Public()}
	claim = must[peers.AgencyClaim](t)(claim.Prove(w.ledger, w.agency))
	register := must[[]byte](t)(claim.Encode())
	id := w.agency.Public().ID()
	retire := must[[]byte](t)(peers.EncodeAgencyKeyRetire(uscc, id))

	d := w.newDraft(a, 1, sm.Digest{})
	d.add(w.entry(a, "record", 50))
	w.addGovernance(d, exchange.KindAgencyKey, register)
	d.add(w.entry(a, "signed by the agency", 50))
	first := w.seal(d, mutation{})
	twice := w.newDraft(a, 2, sm.Sum(d.preamble.Marshal()))
	w.addGovernance(twice, exchange.KindAgencyKey, register)
	for i, answer := range s.Apply(1, 1, [][]byte{first, w.seal(twice, mutation{})}) {
		if got, want := answer.(exchange.BatchResult), []exchange.Code{"", peers.CodeKeyExists}[i]; verdict(&got) != string(want) {
			t.Errorf("batch %d: %q, want %q", i, verdict(&got), want)
		}
	}
	end := w.newDraft(a, 2, w.last(s, a))
	w.addGovernance(end, exchange.KindAgencyKeyRetire, retire)
	if got := s.Apply(2, 1, [][]byte{w.seal(end, mutation{})})[0].(exchange.BatchResult); got.Rejection != nil {
		t.Fatal(got.Rejection)
	}

	for range 2 { // the second time after a restart
		for index, want := range []bool{false, false, true, true, false} { // leaf 3 retires it
			if _, ok := s.Directory().AgencyKeyAt(a, uscc, id, uint64(index)); ok != want {
				t.Errorf("in force at %d: %v", index, ok)
			}
		}
		// As of a size that ends inside a batch, too.
		for size, want := range []int{0, 0, 1, 1, 1} {
			d, err := s.DirectoryAt(uint64(size))
			if err != nil || len(d.AgencyKeys(a)) != want || d.Next() > uint64(size) {
				t.Errorf("directory at %d: %d keys, next %d, %v", size, len(d.AgencyKeys(a)), d.Next(), err)
			}
		}
		if _, err := s.DirectoryAt(5); err == nil {
			t.Error("a directory of entries that are not there")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = w.open(dir)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) last(s *Store, origin peers.Region) sm.Digest {
	_, digest := s.LastBatch(origin)
	return digest
}

func TestOneLedgerHoweverItIsSplit(t *testing.T) {
	w := newWorld(t)
	one, other := w.temporary(), w.temporary()
	w.tell(one, "A1 B1 B1= C1 A2 C1'!BATCH_FORK A3 B2 C2")
	w.tell(other, "A1, B1, C1~root!BAD_ROOT C1 A2, A3 B2, B4!SEQ_GAP, C2")
	if a, b := dump(t, one), dump(t, other); a != b {
		t.Errorf("two ledgers:\n%s\n%s", a, b)
	}
}

func TestProofsAtEverySize(t *testing.T) {
	w := newWorld(t)
	s := w.temporary()
	w.tell(s, "A1 B1, C1 A2, B2 C2, A3 B3")
	check := func() {
		size := s.Head().Size
		tree := ledger.NewTree()
		entries := must[[]exchange.Entry](t)(s.Entries(0, int(size)))
		for n := uint64(0); n <= size; n++ {
			root := must[sm.Digest](t)(s.RootAt(n))
			if root != tree.Root() {
				t.Fatalf("root at %d", n)
			}
			path := must[[]sm.Digest](t)(s.Consistency(n, size))
			if err := ledger.VerifyConsistency(n, size, path, root, s.Head().Root); err != nil {
				t.Fatal(err)
			}
			if n == size {
				break
			}
			leaf := ledger.LeafHash(entries[n].RawHeader)
			path = must[[]sm.Digest](t)(s.Inclusion(n, size))
			if err := ledger.VerifyInclusion(n, size, leaf, path, s.Head().Root); err != nil {
				t.Fatal(err)
			}
			if err := tree.Append(leaf, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.RootAt(size + 1); err == nil {
			t.Error("a root of a size that is not there")
		}
	}
	check()
	if err := s.Sync(s.Head().RaftIndex); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestWaitSize(t *testing.T) {
	w := newWorld(t)
	s := w.temporary()
	done := make(chan error)
	go func() { done <- s.WaitSize(t.Context(), 4) }()
	w.tell(s, "A1, B1")
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.WaitSize(ctx, 1000); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestVerifiedSeesEachSignatureOnce(t *testing.T) {
	w := newWorld(t)
	config := w.config(t.TempDir())
	good, bad := 0, 0
	config.Verified = func(ok bool, key *sm.BatchPublic, message, signature []byte) {
		if len(message) == 0 || len(signature) == 0 || key == nil {
			t.Error("incomplete")
		}
		if ok {
			good++
		} else {
			bad++
		}
	}
	s := must[*Store](t)(Open(config))
	w.tell(s, "A1, A1=, A2, B1~sig!BAD_SIGNATURE")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if good != 2 || bad != 1 {
		t.Errorf("%d good and %d bad signatures were seen", good, bad)
	}
}
