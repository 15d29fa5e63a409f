package receipt

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gowebpki/jcs"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// A firm of the sample register, and another.
const (
	firm      = "91110101MA0124H40Q"
	otherFirm = "91110115MA494E1A0J"
)

// holds is a map of Beijing's: a firm's records, and many subjects besides.
type holds struct {
	tree    *ledger.SparseTree
	records map[string][]exchange.EntryID
}

func salt(uscc string) sm.Digest { return sm.HMAC([]byte("secret"), []byte(uscc)) }

func newHolds(w *world, subjects int) *holds {
	h := &holds{records: map[string][]exchange.EntryID{firm: {{1}, {2}}, otherFirm: nil}}
	var leaves []ledger.SparseLeaf
	for uscc, records := range h.records {
		leaves = append(leaves, ledger.SparseLeaf{
			Key: exchange.SubjectKey(w.ledger, beijing, uscc), Value: exchange.Holdings(salt(uscc), records),
		})
	}
	for i := range subjects {
		d := sm.Sum([]byte{byte(i), byte(i >> 8)})
		leaves = append(leaves, ledger.SparseLeaf{Key: d, Value: d})
	}
	slices.SortFunc(leaves, func(a, b ledger.SparseLeaf) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	h.tree = ledger.NewSparseTree(leaves, blind)
	return h
}

func blind(purpose string, place []byte) sm.Digest {
	return sm.HMAC([]byte("secret"), []byte(purpose), place)
}

// anchor puts the map onto the ledger as a region's.
func (w *world) anchor(r peers.Region, root sm.Digest) (leaf uint64) {
	w.t.Helper()
	body := must[[]byte](w.t)(peers.Anchor{Size: w.store.Head().Size, Root: root}.Encode())
	leaf = w.commit(r, w.governance(r, peers.KindAnchor, body))
	w.keep()
	return leaf
}

// statement is what the map says of a firm, as a file.
func (w *world) statement(h *holds, leaf uint64, uscc string) []byte {
	w.t.Helper()
	path, _ := h.tree.Path(exchange.SubjectKey(w.ledger, beijing, uscc))
	s := must[Statement](w.t)(w.builder().Statement(uscc, exchange.Holding{
		Anchor: leaf, Records: h.records[uscc], Salt: salt(uscc), Path: path,
	}))
	return must[[]byte](w.t)(s.Marshal())
}

func anchored(t testing.TB) (*world, *holds, uint64) {
	t.Helper()
	w := newWorld(t)
	w.commit(tianjin, w.notes(tianjin, 4)...)
	h := newHolds(w, 300)
	return w, h, w.anchor(beijing, h.tree.Root())
}

// refused is the check that a statement fails, "" if it holds.
func refused(t testing.TB, raw []byte, g *peers.Genesis) string {
	t.Helper()
	_, err := VerifyStatement(raw, g)
	var f *Failure
	if !errors.As(err, &f) {
		return ""
	}
	return f.Code
}

// A statement of records and one of their absence read alike, and each says
// what it does not prove.
func TestStatementOfPresenceAndOfAbsence(t *testing.T) {
	w, h, leaf := anchored(t)
	for uscc, records := range h.records {
		raw := w.statement(h, leaf, uscc)
		v, err := VerifyStatement(raw, &w.genesis)
		if err != nil || v.Subject != uscc || v.Bound != 4 || !slices.Equal(v.Records, records) || v.Header.Origin != beijing {
			t.Fatalf("%s: %v %+v", uscc, err, v)
		}
		if last := v.Checks[len(v.Checks)-1].Code; last != "STATEMENT" {
			t.Errorf("%s: the last check is %s", uscc, last)
		}
		if canonical, err := jcs.Transform(raw); err != nil || !bytes.Equal(canonical, raw) {
			t.Errorf("%s: RFC 8785 form differs: %v", uscc, err)
		}
		if len(v.Proven()) == 0 || len(v.NotProven()) < 3 || !IsStatement(raw) {
			t.Errorf("%s: says too little", uscc)
		}
	}
}

// Below 3 kB with a million entries on the ledger and ten thousand subjects.
func TestStatementIsShort(t *testing.T) {
	w, h, leaf := anchored(t)
	s := must[Statement](t)(ParseStatement(w.statement(h, leaf, otherFirm)))
	s.Receipt.Leaf.Path = make(Path, 20)
	s.Path = make(Path, 17)
	if raw := must[[]byte](t)(s.Marshal()); len(raw) > 3000 {
		t.Errorf("%d bytes", len(raw))
	}
}

func TestNothingElseCanBeStated(t *testing.T) {
	w, h, leaf := anchored(t)
	raw := w.statement(h, leaf, firm)
	note := must[Receipt](t)(w.builder().Entry(0))
	for name, c := range map[string]struct {
		want   string
		change func(*Statement)
	}{
		"a record is missing": {"STATEMENT", func(s *Statement) { s.Records = s.Records[:1] }},
		"all are missing":     {"STATEMENT", func(s *Statement) { s.Records = nil }},
		"a record too many":   {"STATEMENT", func(s *Statement) { s.Records = append(s.Records, exchange.EntryID{3}) }},
		"in another order":    {"STATEMENT", func(s *Statement) { s.Records[0], s.Records[1] = s.Records[1], s.Records[0] }},
		"of another firm":     {"STATEMENT", func(s *Statement) { s.Subject = otherFirm }},
		"another salt":        {"STATEMENT", func(s *Statement) { s.Salt[0] ^= 1 }},
		"another path":        {"STATEMENT", func(s *Statement) { s.Path = s.Path[1:] }},
		"another body":        {"STATEMENT", func(s *Statement) { s.Body[3] ^= 1 }},
		"of a map never anchored": {"STATEMENT", func(s *Statement) {
			leaf := ledger.SparseLeaf{Key: exchange.SubjectKey(w.ledger, beijing, firm), Value: exchange.Holdings(sm.Digest{}, nil)}
			lie := ledger.NewSparseTree([]ledger.SparseLeaf{leaf}, blind)
			s.Records, s.Salt = nil, sm.Digest{}
			s.Path, _ = lie.Path(leaf.Key)
			s.Body = must[[]byte](t)(peers.Anchor{Size: 4, Root: lie.Root()}.Encode())
		}},
		"of an entry of another":    {"STATEMENT", func(s *Statement) { s.Receipt = note }},
		"of no firm":                {"FORM", func(s *Statement) { s.Subject = "911" }},
		"provisional":               {"FORM", func(s *Statement) { s.Receipt.Leaf, s.Receipt.Checkpoint = nil, "" }},
		"with another leaf":         {"LEDGER", func(s *Statement) { s.Receipt.Leaf.Index++ }},
		"without enough witnesses":  {"CHECKPOINT", func(s *Statement) { s.Receipt.Checkpoint = s.Receipt.Checkpoint[:300] }},
		"with another's signature":  {"BATCH", func(s *Statement) { s.Receipt.Batch.Signature = note.Batch.Signature }},
		"as another region's words": {"LEDGER", func(s *Statement) { s.Receipt.Entry = note.Entry }},
	} {
		s := must[Statement](t)(ParseStatement(raw))
		c.change(&s)
		if got := refused(t, must[[]byte](t)(s.Marshal()), &w.genesis); got != c.want {
			t.Errorf("%s: fails %q, want %s", name, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(7, 20261125))
	for range 1000 {
		bad := damage(rng, raw)
		if !bytes.Equal(bad, raw) && refused(t, bad, &w.genesis) == "" {
			t.Fatalf("accepted:\n%s", bad)
		}
	}
}

func FuzzVerifyStatement(f *testing.F) {
	w, h, leaf := anchored(f)
	f.Add(w.statement(h, leaf, firm))
	f.Add(w.statement(h, leaf, otherFirm))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if v, err := VerifyStatement(raw, &w.genesis); err == nil && v.State != Witnessed {
			t.Error("accepted what is not witnessed")
		}
	})
}

func BenchmarkVerifyStatement(b *testing.B) {
	w, h, leaf := anchored(b)
	raw := w.statement(h, leaf, firm)
	for b.Loop() {
		if _, err := VerifyStatement(raw, &w.genesis); err != nil {
			b.Fatal(err)
		}
	}
}
