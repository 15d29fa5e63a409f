package receipt

import (
	"bytes"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// witnessed is a world in which Tianjin sent three batches, and the receipt of
// entry 5, the second one of the middle batch.
func witnessed(t testing.TB) (*world, []byte) {
	t.Helper()
	w := newWorld(t)
	w.commit(tianjin, w.notes(tianjin, 4)...)
	w.keep()
	w.commit(tianjin, w.notes(tianjin, 7)...)
	w.keep()
	w.commit(hebei, w.notes(hebei, 3)...)
	w.keep()
	return w, w.entry(5)
}

// failed is the code of the check that a receipt fails, "" if it holds.
func failed(t testing.TB, raw []byte, g *peers.Genesis) string {
	t.Helper()
	_, err := Verify(raw, g)
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("not a failure: %v", err)
	}
	if f == nil {
		return ""
	}
	return f.Code
}

// changed verifies a receipt after a change that keeps its spelling.
func changed(t testing.TB, w *world, raw []byte, change func(*Receipt)) string {
	t.Helper()
	r := must[Receipt](t)(Parse(raw))
	change(&r)
	return failed(t, must[[]byte](t)(r.Marshal()), &w.genesis)
}

func TestWitnessedReceiptSaysWhoWhenAndWhoSawIt(t *testing.T) {
	w, raw := witnessed(t)
	v, err := Verify(raw, &w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	if v.State != Witnessed || !v.Final() || v.Index != 5 || v.Header.Origin != tianjin || v.Of != 4 {
		t.Errorf("verdict %+v", v)
	}
	if len(v.Witnesses) != 3 {
		t.Errorf("witnesses %v, a quorum is what a receipt needs", v.Witnesses)
	}
	// Cosigned a minute and two minutes after the start, by clocks a second apart.
	if v.After != start.Unix()+61 || v.By != start.Unix()+121 {
		t.Errorf("between %d and %d", v.After-start.Unix(), v.By-start.Unix())
	}
	var codes []string
	for _, c := range v.Checks {
		codes = append(codes, c.Code)
	}
	if got := strings.Join(codes, " "); got != "FORM GENESIS CHECKPOINT LEDGER BEFORE KEY BATCH" {
		t.Errorf("checks %s", got)
	}
}

func TestReceiptIsItsOwnCanonicalForm(t *testing.T) {
	_, raw := witnessed(t)
	canonical, err := jcs.Transform(raw)
	if err != nil || !bytes.Equal(canonical, raw) {
		t.Errorf("RFC 8785 form differs: %v\n%s\n%s", err, raw, canonical)
	}
}

func TestReceiptIsShort(t *testing.T) {
	w, raw := witnessed(t)
	// What grows with the ledger is the path: 30 hashes at 10⁹ entries. A batch
	// has up to 8.
	r := must[Receipt](t)(Parse(raw))
	r.Leaf.Path, r.Batch.Path = make(Path, 30), make(Path, 8)
	if got := must[[]byte](t)(r.Marshal()); len(got) > 4<<10 {
		t.Errorf("%d bytes at 10⁹ entries", len(got))
	}
	if code := failed(t, raw, &w.genesis); code != "" || len(raw) > 3<<10 {
		t.Errorf("%s, %d bytes", code, len(raw))
	}
}

func TestEveryCheckRefusesWhatItIsFor(t *testing.T) {
	w, raw := witnessed(t)
	other := must[Receipt](t)(w.builder().Entry(12))
	ours := w.commit(tianjin, w.notes(tianjin, 1)...)
	lonely := w.cosign(w.checkpoint(), beijing, tianjin)
	pair := w.cosign(w.checkpoint(), founders...)
	w.kept = append(w.kept, pair)
	// A region that uses its keys on two ledgers does not mix them up.
	twin := w.checkpoint()
	twin.Ledger[0] ^= 1
	elsewhere := string(w.cosign(twin, beijing, tianjin, hebei).Marshal())
	stranger := newWorld(t)
	stranger.commit(tianjin, stranger.notes(tianjin, 6)...)
	foreign := string(must[peers.Checkpoint](t)(stranger.keep().Trim(must[*peers.Directory](t)(peers.NewDirectory(&stranger.genesis)).Witnesses())).Marshal())

	for name, c := range map[string]struct {
		want   string
		change func(*Receipt)
	}{
		"no part at all":                {"FORM", func(r *Receipt) { *r = Receipt{Format: Format, Entry: r.Entry} }},
		"another format":                {"FORM", func(r *Receipt) { r.Format = "xinqiao/receipt/2" }},
		"a leaf without a checkpoint":   {"FORM", func(r *Receipt) { r.Checkpoint, r.Before = "", "" }},
		"ticket and batch":              {"FORM", func(r *Receipt) { r.Ticket = []byte{1} }},
		"a header with a trailing byte": {"FORM", func(r *Receipt) { r.Entry = append(r.Entry, 0) }},
		"two of four cosigned":          {"CHECKPOINT", func(r *Receipt) { r.Checkpoint = string(lonely.Marshal()) }},
		"four where three are needed":   {"CHECKPOINT", func(r *Receipt) { r.Checkpoint = string(pair.Marshal()) }},
		"by the same keys, of another":  {"CHECKPOINT", func(r *Receipt) { r.Checkpoint = elsewhere }},
		"another ledger's checkpoint":   {"CHECKPOINT", func(r *Receipt) { r.Checkpoint = foreign }},
		"another leaf":                  {"LEDGER", func(r *Receipt) { r.Leaf.Index++ }},
		"another entry":                 {"LEDGER", func(r *Receipt) { r.Entry = other.Entry }},
		"a longer path":                 {"LEDGER", func(r *Receipt) { r.Leaf.Path = append(r.Leaf.Path, sm.Digest{}) }},
		"before has it already":         {"BEFORE", func(r *Receipt) { r.Before = r.Checkpoint }},
		"another region's batch":        {"BATCH", func(r *Receipt) { r.Batch = other.Batch }},
		"another place in the batch":    {"BATCH", func(r *Receipt) { r.Batch.Item++ }},
		"a negative place":              {"BATCH", func(r *Receipt) { r.Batch.Item = -1 }},
		"a signature of something else": {"BATCH", func(r *Receipt) { r.Batch.Signature = other.Batch.Signature }},
		"a key of another region":       {"KEY", func(r *Receipt) { r.Key = key(t, w, other) }},
		"another region signs for it": {"KEY", func(r *Receipt) {
			by := w.batch[must[exchange.Header](t)(exchange.ParseHeader(other.Entry)).Origin]
			p := must[exchange.Preamble](t)(exchange.ParsePreamble(r.Batch.Preamble))
			p.Key = by.Public().ID()
			r.Batch.Preamble = p.Marshal()
			r.Batch.Signature = must[[]byte](t)(by.Sign(sm.LabelBatch, w.ledger, r.Batch.Preamble))
			r.Key = key(t, w, other)
		}},
	} {
		if got := changed(t, w, raw, c.change); got != c.want {
			t.Errorf("%s: fails %q, want %s", name, got, c.want)
		}
	}
	if code := failed(t, raw, &stranger.genesis); code == "" {
		t.Error("accepted under another genesis")
	}
	half := w.genesis
	half.Signatures = map[peers.Region][]byte{}
	if code := failed(t, raw, &half); code != "GENESIS" {
		t.Errorf("under an unsigned genesis: %q", code)
	}
	if code := failed(t, w.entry(ours), &w.genesis); code != "" {
		t.Errorf("an honest one fails %s", code)
	}
}

// key shows the batch key of another receipt's origin under the directory of
// that receipt, which is the same in this world.
func key(t testing.TB, w *world, r Receipt) *Key {
	t.Helper()
	h := must[exchange.Header](t)(exchange.ParseHeader(r.Entry))
	p := must[peers.Proof](t)(w.store.Directory().Prove(h.Origin, peers.PurposeBatch, w.batch[h.Origin].Public().ID()))
	return newKey(p)
}

// What a batch says of itself must fit the entry: a region can't sign for
// another, nor with a key that it does not name, nor for another ledger.
func TestABatchOfAnotherOriginOrLedgerShowsNothing(t *testing.T) {
	w := newWorld(t)
	entry := w.seal(tianjin, []byte("a note"), byRegion(t), beijing)
	for name, c := range map[string]struct {
		want   string
		change func(*exchange.Preamble)
		by     peers.Region
	}{
		"as it should be":    {"", func(*exchange.Preamble) {}, tianjin},
		"of another region":  {"BATCH", func(p *exchange.Preamble) { p.Origin, p.Key = hebei, w.batch[hebei].Public().ID() }, hebei},
		"for another ledger": {"BATCH", func(p *exchange.Preamble) { p.Ledger[0] ^= 1 }, tianjin},
		"naming another key": {"KEY", func(p *exchange.Preamble) { p.Key = w.batch[hebei].Public().ID() }, tianjin},
	} {
		p := exchange.Preamble{
			Ledger: w.ledger, Origin: tianjin, Key: w.batch[tianjin].Public().ID(), Seq: 1, N: 1, Root: ledger.LeafHash(entry.Header),
		}
		c.change(&p)
		raw := p.Marshal()
		r := Receipt{Format: Format, Entry: entry.Header, Batch: &Batch{
			Preamble: raw, Signature: must[[]byte](t)(w.batch[c.by].Sign(sm.LabelBatch, w.ledger, raw)),
		}}
		if got := failed(t, must[[]byte](t)(r.Marshal()), &w.genesis); got != c.want {
			t.Errorf("%s: fails %q, want %q", name, got, c.want)
		}
	}
}

// A cosignature that does not count must not hide behind enough that do.
func TestEveryLineOfACheckpointCounts(t *testing.T) {
	w, raw := witnessed(t)
	for i := range 3 {
		got := changed(t, w, raw, func(r *Receipt) {
			c := must[peers.Checkpoint](t)(peers.ParseCheckpoint([]byte(r.Checkpoint)))
			c.Cosignatures[i].Time++
			r.Checkpoint = string(c.Marshal())
		})
		if got != "CHECKPOINT" {
			t.Errorf("line %d: fails %q", i, got)
		}
	}
}

func TestProvisionalSaysSo(t *testing.T) {
	w := newWorld(t)
	w.commit(tianjin, w.notes(tianjin, 3)...)
	if _, err := w.builder().Entry(1); !errors.Is(err, exchange.ErrNotFound) {
		t.Errorf("a witnessed receipt of what nobody witnessed: %v", err)
	}
	raw := must[[]byte](t)(must[Receipt](t)(w.builder().Provisional(1)).Marshal())
	v, err := Verify(raw, &w.genesis)
	if err != nil || v.State != Provisional || v.Final() {
		t.Errorf("%v %+v", err, v)
	}
}

func TestTicketIsTheRegionsWord(t *testing.T) {
	w := newWorld(t)
	home := w.seal(tianjin, []byte("home"), byRegion(t))
	sent := w.seal(tianjin, []byte("sent"), byRegion(t), beijing)
	for _, c := range []struct {
		entry exchange.Pending
		final bool
	}{{home, true}, {sent, false}} {
		r := must[Receipt](t)(w.builder().Ticket(tianjin, w.batch[tianjin], w.ledger, c.entry.Header))
		raw := must[[]byte](t)(r.Marshal())
		v, err := Verify(raw, &w.genesis)
		if err != nil || v.State != Ticket || v.Final() != c.final {
			t.Errorf("%v %+v", err, v)
		}
		if got := changed(t, w, raw, func(r *Receipt) { r.Entry = w.seal(tianjin, []byte("x"), byRegion(t)).Header }); got != "TICKET" {
			t.Errorf("a ticket of another entry fails %q", got)
		}
	}
}

func TestDisclosedContent(t *testing.T) {
	w := newWorld(t)
	sent := w.seal(tianjin, []byte("the record"), byRegion(t), beijing)
	index := w.commit(tianjin, sent)
	w.keep()
	r := must[Receipt](t)(w.builder().Entry(index))
	if err := w.builder().Disclose(&r, tianjin, w.open(sent)); err != nil {
		t.Fatal(err)
	}
	raw := must[[]byte](t)(r.Marshal())
	v, err := Verify(raw, &w.genesis)
	if err != nil || string(v.Record) != "the record" || v.Author.Agency != "12120000000003025Y" {
		t.Fatalf("%v %+v", err, v)
	}
	for name, change := range map[string]func(*Receipt){
		"another record": func(r *Receipt) { r.Disclosed.Record = []byte("another") },
		"another author": func(r *Receipt) { r.Disclosed.Author[5] ^= 1 },
		"another salt":   func(r *Receipt) { r.Disclosed.Salt[0] ^= 1 },
	} {
		if got := changed(t, w, raw, change); got != "CONTENT" {
			t.Errorf("%s: fails %q", name, got)
		}
	}
}

// An agency's own signature is shown with the proof of its key, and holds for
// entries between the key's two entries only.
func TestDisclosedRecordOfAnAgency(t *testing.T) {
	w := newWorld(t)
	agency := must[*sm.AgencyKey](t)(sm.Generate[sm.Agency](crand.Reader))
	const uscc = "12120000000003025Y"
	author := func(record string) []byte {
		id := agency.Public().ID()
		sig := must[[]byte](t)(agency.Sign(sm.LabelAuthor, w.ledger, []byte(record)))
		return must[[]byte](t)((&exchange.Author{Kind: exchange.AuthorAgency, Agency: uscc, Key: &id, Signature: sig}).Marshal())
	}
	early := w.seal(tianjin, []byte("early"), author("early"), beijing)
	good := w.seal(tianjin, []byte("good"), author("good"), beijing)
	forged := w.seal(tianjin, []byte("forged"), author("another"), beijing)
	at := map[string]uint64{"early": w.commit(tianjin, early)}
	claim := must[peers.AgencyClaim](t)(peers.AgencyClaim{Region: tianjin, USCC: uscc, Name: "某机关", Key: agency.Public()}.Prove(w.ledger, agency))
	w.commit(tianjin, w.governance(tianjin, peers.KindAgencyKey, must[[]byte](t)(claim.Encode())))
	at["good"] = w.commit(tianjin, good)
	at["forged"] = w.commit(tianjin, forged)
	w.keep()

	for name, c := range map[string]struct {
		entry exchange.Pending
		want  string
	}{"early": {early, "AUTHOR"}, "good": {good, ""}, "forged": {forged, "AUTHOR"}} {
		r := must[Receipt](t)(w.builder().Entry(at[name]))
		if err := w.builder().Disclose(&r, tianjin, w.open(c.entry)); err != nil {
			t.Fatal(err)
		}
		if got := failed(t, must[[]byte](t)(r.Marshal()), &w.genesis); got != c.want {
			t.Errorf("%s: fails %q, want %q", name, got, c.want)
		}
	}
}

// None of ten thousand damaged receipts passes, and none makes Verify panic.
func TestDamagedReceiptsAreRefused(t *testing.T) {
	w, raw := witnessed(t)
	rng := rand.New(rand.NewPCG(20261125, 3))
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	for range n {
		bad := damage(rng, raw)
		if bytes.Equal(bad, raw) {
			continue
		}
		if v, err := Verify(bad, &w.genesis); err == nil {
			t.Fatalf("accepted as %s:\n%s\nof\n%s", v.State, bad, raw)
		}
	}
}

// damage spoils a file as disks, people and programs do: a bit, a byte, a run,
// a piece lost, doubled or moved, letters for letters.
func damage(rng *rand.Rand, raw []byte) []byte {
	b := slices.Clone(raw)
	for range 1 + rng.IntN(3) {
		i, j := rng.IntN(len(b)), rng.IntN(len(b))
		i, j = min(i, j), max(i, j)
		short := min(j, i+1+rng.IntN(64))
		switch rng.IntN(7) {
		case 0:
			b[i] ^= 1 << rng.IntN(8)
		case 1:
			b[i] = byte(rng.IntN(256))
		case 2:
			b[i] = "ABCDEFGHabcdefgh0123456789+/=\"{}[],:"[rng.IntN(36)]
		case 3:
			b = slices.Delete(b, i, short)
		case 4:
			b = slices.Insert(b, j, slices.Clone(b[i:short])...)
		case 5:
			b[i], b[j] = b[j], b[i]
		case 6:
			b = b[:j+1]
		}
		if len(b) == 0 {
			return b
		}
	}
	return b
}

func FuzzVerify(f *testing.F) {
	w, raw := witnessed(f)
	f.Add(raw)
	f.Add(must[[]byte](f)(must[Receipt](f)(w.builder().Provisional(5)).Marshal()))
	f.Add(must[[]byte](f)(must[Receipt](f)(w.builder().Ticket(tianjin, w.batch[tianjin], w.ledger, w.seal(tianjin, []byte("home"), byRegion(f)).Header)).Marshal()))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Verify(b, &w.genesis)
		if err != nil {
			return
		}
		r, err := Parse(b)
		if err != nil || v.State == "" || r.State() != v.State {
			t.Errorf("accepted in no form: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	w, raw := witnessed(b)
	for b.Loop() {
		if _, err := Verify(raw, &w.genesis); err != nil {
			b.Fatal(err)
		}
	}
}
