package store

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
)

// world is a genesis of three regions, called A, B and C in stories, with all
// their keys, and every batch that a story has named.
type world struct {
	t       testing.TB
	genesis peers.Genesis
	ledger  sm.Digest
	keys    map[peers.Region]*sm.BatchKey
	wraps   map[string]*sm.DecryptionPublic
	cut     map[string][]byte    // name in a story to batch
	digests map[string]sm.Digest // name to SM3 of the preamble
	agency  *sm.AgencyKey
}

var regions = map[byte]peers.Region{'A': "110000", 'B': "120000", 'C': "130000", 'X': "990000"}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c := consortium.Found(regions['A'], regions['B'], regions['C'])
	w := &world{
		t: t, genesis: c.Genesis, ledger: c.Genesis.LedgerID(), keys: c.Batch, wraps: map[string]*sm.DecryptionPublic{},
		cut: map[string][]byte{}, digests: map[string]sm.Digest{},
	}
	for r, key := range c.Decryption {
		w.wraps[string(r)] = key.Public()
	}
	// A stranger, who is no member, for forged batches.
	w.keys[regions['X']] = must[*sm.BatchKey](t)(sm.Generate[sm.Batch](rand.Reader))
	w.wraps[string(regions['X'])] = must[*sm.DecryptionKey](t)(sm.GenerateDecryption(rand.Reader)).Public()
	w.agency = must[*sm.AgencyKey](t)(sm.Generate[sm.Agency](rand.Reader))
	return w
}

// open opens a store whose storage must not fail.
func (w *world) open(dir string) *Store {
	w.t.Helper()
	return must[*Store](w.t)(Open(w.config(dir)))
}

func (w *world) config(dir string) Config {
	return Config{
		Dir: dir, Genesis: &w.genesis, Logger: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { w.t.Errorf("fatal: %v", err) },
	}
}

func (w *world) temporary() *Store {
	w.t.Helper()
	s := w.open(w.t.TempDir())
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

// draft is a batch before it is signed.
type draft struct {
	preamble exchange.Preamble
	headers  []exchange.Header
	bodies   [][]byte
	signer   *sm.BatchKey
	readers  [][]string // to be wrapped for; by default those of the header
}

// entry is a record of origin to all other members.
func (w *world) entry(origin peers.Region, name string, size int) (exchange.Header, []byte) {
	body := bytes.Repeat([]byte(name+" "), size/(len(name)+1)+1)[:size]
	commitment := sm.Sum([]byte("commitment "), body)
	h := exchange.Header{
		Class: exchange.ClassRecord, Kind: exchange.KindPenalty, ID: sm.Sum([]byte(name)), Origin: origin,
		IssuedAt: 1_790_000_000, Commitment: &commitment, BodyDigest: sm.Sum(body),
	}
	for _, letter := range []byte("ABC") {
		if r := regions[letter]; r != origin {
			h.Recipients = append(h.Recipients, r)
		}
	}
	return h, body
}

func (w *world) newDraft(origin peers.Region, seq uint64, previous sm.Digest) *draft {
	key := w.keys[origin]
	return &draft{signer: key, preamble: exchange.Preamble{
		Ledger: w.ledger, Origin: origin, Key: key.Public().ID(), Seq: seq, Previous: previous,
	}}
}

func (d *draft) add(h exchange.Header, body []byte) {
	d.headers, d.bodies = append(d.headers, h), append(d.bodies, body)
	var readers []string
	if h.Class != exchange.ClassGovernance {
		readers = append(readers, string(h.Origin))
		for _, r := range h.Recipients {
			readers = append(readers, string(r))
		}
	}
	d.readers = append(d.readers, readers)
}

func (w *world) addGovernance(d *draft, kind string, body []byte) {
	d.add(exchange.Header{
		Class: exchange.ClassGovernance, Kind: kind, ID: sm.Sum([]byte(kind), body), Origin: d.preamble.Origin,
		IssuedAt: 1_790_000_000, BodyDigest: sm.Sum(body),
	}, body)
}

// A mutation spoils a batch: before makes it lie and sign the lie, after
// changes what was signed.
type mutation struct {
	before func(*world, *draft)
	after  func(*exchange.Batch)
}

func (w *world) seal(d *draft, m mutation) []byte {
	w.t.Helper()
	b := exchange.Batch{}
	sealed := false
	leaves := make([]sm.Digest, len(d.headers))
	items := make([]envelope.Item, len(d.headers))
	for i := range d.headers {
		h := &d.headers[i]
		raw := must[[]byte](w.t)(h.Marshal())
		b.Items = append(b.Items, exchange.Item{Header: raw, Body: d.bodies[i]})
		leaves[i] = ledger.LeafHash(raw)
		sealed = sealed || len(d.readers[i]) > 0
		items[i] = envelope.Item{EntryID: h.ID, Recipients: d.readers[i]}
	}
	p := &d.preamble
	p.N, p.Root = len(d.headers), ledger.RootOf(leaves)
	if sealed {
		b.Wraps = must[[]byte](w.t)(envelope.Wrap(envelope.NewSecrets(rand.Reader), w.ledger, string(p.Origin), p.Seq, items, w.wraps))
		p.WrapsDigest = must[envelope.Wraps](w.t)(envelope.ParseWraps(b.Wraps)).Digest()
	}
	if m.before != nil {
		m.before(w, d)
	}
	b.RawPreamble = p.Marshal()
	b.Signature = must[[]byte](w.t)(d.signer.Sign(sm.LabelBatch, p.Ledger, b.RawPreamble))
	if m.after != nil {
		m.after(&b)
	}
	return must[[]byte](w.t)(b.Marshal())
}

// A step of a story is a word such as A2, for the second batch of A, or A2' for
// another one of that number. "~" and a mutation's name spoils it. What Apply
// must answer follows: nothing for accepted, "=" for a replay, or "!" and the
// code of the refusal.
type step struct {
	name string // of the batch
	want string // "", "=" or a code
}

func parseStep(word string) step {
	if name, ok := strings.CutSuffix(word, "="); ok {
		return step{name, "="}
	}
	name, code, _ := strings.Cut(word, "!")
	return step{name, code}
}

// batch returns the batch of a name, always the same.
func (w *world) batch(name string) []byte {
	w.t.Helper()
	if raw, ok := w.cut[name]; ok {
		return raw
	}
	plain, spoiled, _ := strings.Cut(name, "~")
	var letter byte
	var seq uint64
	if _, err := fmt.Sscanf(strings.Trim(plain, "'"), "%c%d", &letter, &seq); err != nil {
		w.t.Fatalf("story: %q: %v", name, err)
	}
	m, ok := mutations[spoiled]
	if !ok {
		w.t.Fatalf("story: no mutation %q", spoiled)
	}
	origin := regions[letter]
	var previous sm.Digest
	if seq > 1 {
		before := fmt.Sprintf("%c%d", letter, seq-1)
		w.batch(before)
		previous = w.digests[before]
	}
	d := w.newDraft(origin, seq, previous)
	for i := range 1 + int(seq)%3 {
		d.add(w.entry(origin, fmt.Sprintf("%s/%d", plain, i), 40+10*i))
	}
	raw := w.seal(d, m)
	w.cut[name] = raw
	w.digests[name] = sm.Sum(d.preamble.Marshal())
	return raw
}

// tell applies a story to a store, one Raft entry for each group of words
// between commas, and compares the answers. Every other entry was in the log for
// a while before it is applied.
func (w *world) tell(s *Store, story string) {
	w.t.Helper()
	for _, group := range strings.Split(story, ",") {
		var items [][]byte
		var steps []step
		for _, word := range strings.Fields(group) {
			steps = append(steps, parseStep(word))
			items = append(items, w.batch(steps[len(steps)-1].name))
		}
		index := s.Head().RaftIndex + 1
		if index%2 == 0 {
			s.Prepare(index, items)
		}
		for i, answer := range s.Apply(index, 1, items) {
			result, ok := answer.(exchange.BatchResult)
			if !ok {
				w.t.Fatalf("story: %s: %v", steps[i].name, answer)
			}
			if got := verdict(&result); got != steps[i].want {
				w.t.Errorf("story: %s: answered %q, want %q (%v)", steps[i].name, got, steps[i].want, result.Rejection)
			}
		}
	}
}

func verdict(r *exchange.BatchResult) string {
	switch {
	case r.Rejection != nil:
		return string(r.Rejection.Code)
	case r.Replayed:
		return "="
	}
	return ""
}

// dump is all that readers can see, for comparing stores.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	h := s.Head()
	var b strings.Builder
	fmt.Fprintf(&b, "size %d root %s\n", h.Size, h.Root)
	for _, e := range must[[]exchange.Entry](t)(s.Entries(0, int(h.Size))) {
		fmt.Fprintf(&b, "%d %s %s %s/%d %s %x\n", e.Index, e.Header.ID, hex.EncodeToString(e.Body),
			e.Batch.Preamble.Origin, e.Item(), sm.Sum(e.Batch.RawPreamble, e.Batch.Signature), e.Batch.First)
	}
	for _, letter := range []byte("ABC") {
		seq, digest := s.LastBatch(regions[letter])
		fmt.Fprintf(&b, "%c %d %s\n", letter, seq, digest)
	}
	for _, r := range regions {
		for _, k := range s.Directory().AgencyKeys(r) {
			fmt.Fprintf(&b, "key %s %s %d %d\n", r, k.Public.ID(), k.From, k.Until)
		}
	}
	lines := strings.Split(b.String(), "\n")
	slices.Sort(lines[len(lines)-1:])
	return b.String()
}

var mutations = map[string]mutation{
	"": {},
	"sig": {after: func(b *exchange.Batch) {
		b.RawPreamble = bytes.Clone(b.RawPreamble)
		b.RawPreamble[len(b.RawPreamble)-1] ^= 1
	}},
	"stranger": {before: func(w *world, d *draft) { d.signer = w.keys[regions['X']] }},
	"key":      {before: func(w *world, d *draft) { d.preamble.Key[0] ^= 1 }},
	"ledger":   {before: func(w *world, d *draft) { d.preamble.Ledger[0] ^= 1 }},
	"previous": {before: func(w *world, d *draft) { d.preamble.Previous[0] ^= 1 }},
	"root":     {before: func(w *world, d *draft) { d.preamble.Root[0] ^= 1 }},
	"wraps":    {before: func(w *world, d *draft) { d.preamble.WrapsDigest[0] ^= 1 }},
	"nowraps":  {after: func(b *exchange.Batch) { b.Wraps = nil }},
	"badwraps": {after: func(b *exchange.Batch) { b.Wraps = []byte("no wraps") }},
	"keysgone": {after: func(b *exchange.Batch) {
		wraps, _ := envelope.ParseWraps(b.Wraps)
		b.Wraps, _ = wraps.Erase(0)
	}},
	"body": {after: func(b *exchange.Batch) {
		b.Items[0].Body = bytes.Clone(b.Items[0].Body)
		b.Items[0].Body[3] ^= 1
	}},
	"long": {after: func(b *exchange.Batch) {
		b.Items[0].Header = append(bytes.Clone(b.Items[0].Header), 0)
	}},
}
