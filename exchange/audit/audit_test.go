package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
)

const (
	beijing = peers.Region("110000")
	tianjin = peers.Region("120000")
	hebei   = peers.Region("130000")
)

// book is a ledger as regions write it and a node shows it: honest, until a
// test changes a page.
type book struct {
	t         testing.TB
	genesis   peers.Genesis
	ledger    sm.Digest
	batch     map[peers.Region]*sm.BatchKey
	witness   map[peers.Region]*sm.WitnessKey
	tree      *ledger.Tree
	leaves    []sm.Digest
	directory *peers.Directory
	lasts     map[peers.Region]last
	pages     []page
}

// page is a batch, or a checkpoint behind one.
type page struct {
	batch      *Batch
	checkpoint *peers.Checkpoint
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newBook(t testing.TB) *book {
	t.Helper()
	c := consortium.Found(beijing, tianjin, hebei)
	return &book{
		t: t, genesis: c.Genesis, ledger: c.Genesis.LedgerID(), batch: c.Batch, witness: c.Witness,
		tree: ledger.NewTree(), directory: c.Directory(), lasts: map[peers.Region]last{},
	}
}

// clear is a governance entry.
type clear struct {
	kind string
	body []byte
}

// write signs a batch of a region: n records, and governance entries if any.
func (b *book) write(r peers.Region, n int, keys ...clear) *Batch {
	b.t.Helper()
	first := uint64(len(b.leaves))
	out := &Batch{First: first, Clear: map[int][]byte{}}
	for i := range n + len(keys) {
		h := exchange.Header{ID: sm.Sum(binary.BigEndian.AppendUint64(nil, first+uint64(i))), Origin: r, IssuedAt: 1_790_000_000}
		if i < n {
			h.Class, h.Kind, h.Commitment = exchange.ClassRecord, exchange.KindPenalty, &sm.Digest{1}
			h.Recipients = slices.DeleteFunc([]peers.Region{beijing, tianjin, hebei}, func(o peers.Region) bool { return o == r })
		} else {
			key := keys[i-n]
			h.Class, h.Kind, h.BodyDigest = exchange.ClassGovernance, key.kind, sm.Sum(key.body)
			out.Clear[i] = key.body
			// What no honest node would take is written all the same, for the
			// audit to find.
			if after, err := b.directory.With(first+uint64(i), r, h.Kind, key.body); err == nil {
				b.directory = after
			}
		}
		out.Headers = append(out.Headers, must[[]byte](b.t)(h.Marshal()))
		b.leaves = append(b.leaves, ledger.LeafHash(out.Headers[i]))
		if err := b.tree.Append(b.leaves[len(b.leaves)-1], nil); err != nil {
			b.t.Fatal(err)
		}
	}
	p := exchange.Preamble{
		Ledger: b.ledger, Origin: r, Key: b.batch[r].Public().ID(), Seq: b.lasts[r].seq + 1, Previous: b.lasts[r].digest,
		N: len(out.Headers), Root: ledger.RootOf(b.leaves[first:]),
	}
	b.sign(out, &p)
	b.lasts[r] = last{seq: p.Seq, digest: sm.Sum(out.Preamble)}
	b.pages = append(b.pages, page{batch: out})
	return out
}

func (b *book) sign(out *Batch, p *exchange.Preamble) {
	b.t.Helper()
	out.Preamble = p.Marshal()
	out.Signature = must[[]byte](b.t)(b.batch[p.Origin].Sign(sm.LabelBatch, b.ledger, out.Preamble))
}

func (b *book) stated() peers.Checkpoint {
	return peers.Checkpoint{Ledger: b.ledger, Size: b.tree.Size(), Root: b.tree.Root(), Directory: b.directory.Root()}
}

func (b *book) cosigned(c peers.Checkpoint, by ...peers.Region) *peers.Checkpoint {
	b.t.Helper()
	for _, r := range by {
		c = c.With(must[peers.Cosignature](b.t)(c.Cosign(r, b.witness[r], time.Unix(1_790_000_060, 0))))
	}
	return &c
}

func (b *book) keep() {
	b.t.Helper()
	b.pages = append(b.pages, page{checkpoint: b.cosigned(b.stated(), beijing, tianjin, hebei)})
}

// agencyKey is a new key that an agency of Tianjin claims.
func (b *book) agencyKey() clear {
	b.t.Helper()
	key := must[*sm.AgencyKey](b.t)(sm.Generate[sm.Agency](rand.Reader))
	claim := peers.AgencyClaim{Region: tianjin, USCC: "12120000000003025Y", Name: "某机关", Key: key.Public()}
	claim = must[peers.AgencyClaim](b.t)(claim.Prove(b.ledger, key))
	return clear{exchange.KindAgencyKey, must[[]byte](b.t)(claim.Encode())}
}

func anchor(t testing.TB, size uint64) clear {
	return clear{peers.KindAnchor, must[[]byte](t)(peers.Anchor{Size: size, Root: sm.Digest{1}}.Encode())}
}

// story is ten entries in five batches, one of them of governance.
func story(t testing.TB) *book {
	b := newBook(t)
	b.write(tianjin, 2)
	b.write(beijing, 1)
	b.keep()
	b.write(tianjin, 1, b.agencyKey())
	b.write(hebei, 3)
	b.keep()
	b.write(tianjin, 2)
	return b
}

// read goes through pages and names the first difference.
func read(a *Auditor, pages []page) (code string, index uint64) {
	for i, p := range pages {
		if p.batch == nil {
			continue
		}
		var stated []peers.Checkpoint
		for _, behind := range pages[i+1:] {
			if behind.checkpoint == nil {
				break
			}
			stated = append(stated, *behind.checkpoint)
		}
		var d *Difference
		if errors.As(a.Batch(p.batch, stated...), &d) {
			return d.Code, d.Index
		}
	}
	return "", 0
}

func TestAnHonestLedgerHolds(t *testing.T) {
	b := story(t)
	a := must[*Auditor](t)(New(&b.genesis))
	if code, at := read(a, b.pages); code != "" {
		t.Fatalf("%s at %d", code, at)
	}
	if want := (Counts{Entries: 10, Batches: 5, Checkpoints: 2, Governance: 1}); a.Counts() != want {
		t.Errorf("counts %+v", a.Counts())
	}
	if a.Size() != 10 || a.Directory().Root() != b.directory.Root() {
		t.Error("the auditor came to another ledger")
	}
}

// A change of the witnesses has a checkpoint of its own, also inside a batch.
func TestACheckpointInsideABatch(t *testing.T) {
	b := newBook(t)
	b.write(tianjin, 2)
	inside := newBook(t)
	inside.genesis, inside.ledger, inside.witness, inside.directory = b.genesis, b.ledger, b.witness, b.directory
	whole := b.write(tianjin, 3)
	for _, leaf := range b.leaves[:4] {
		if err := inside.tree.Append(leaf, nil); err != nil {
			t.Fatal(err)
		}
	}
	good := *inside.cosigned(inside.stated(), beijing, tianjin, hebei)
	bad := inside.stated()
	bad.Root[0] ^= 1
	for _, c := range []struct {
		checkpoint peers.Checkpoint
		code       string
	}{{good, ""}, {*inside.cosigned(bad, beijing, tianjin, hebei), CodeCheckpoint}} {
		a := must[*Auditor](t)(New(&b.genesis))
		if err := a.Batch(b.pages[0].batch); err != nil {
			t.Fatal(err)
		}
		var d *Difference
		if err := a.Batch(whole, c.checkpoint); errors.As(err, &d) != (c.code != "") || d != nil && d.Code != c.code {
			t.Errorf("%v, want %q", err, c.code)
		}
	}
}

// Whatever a node changes, leaves out or makes up, the first page of it is
// named by its entry and by what is wrong with it.
func TestTheFirstDifferenceIsNamed(t *testing.T) {
	preamble := func(b *book, batch *Batch, change func(*exchange.Preamble)) {
		p := must[exchange.Preamble](t)(exchange.ParsePreamble(batch.Preamble))
		change(&p)
		b.sign(batch, &p)
	}
	for name, c := range map[string]struct {
		code  string
		index uint64
		spoil func(*book)
	}{
		"a header of another claim": {CodeRoot, 5, func(b *book) { b.pages[4].batch.Headers[1][60] ^= 1 }},
		"a header left out":         {CodeBatch, 5, func(b *book) { b.pages[4].batch.Headers = b.pages[4].batch.Headers[:2] }},
		"a batch left out":          {CodeBatch, 3, func(b *book) { b.pages = slices.Delete(b.pages, 1, 2) }},
		"a batch left out behind":   {CodeBatch, 8, func(b *book) { b.pages = slices.Delete(b.pages, 4, 6) }},
		"two batches swapped":       {CodeBatch, 2, func(b *book) { b.pages[0], b.pages[1] = b.pages[1], b.pages[0] }},
		"a signature of a stranger": {CodeSignature, 5, func(b *book) {
			b.pages[4].batch.Signature = must[[]byte](t)(b.batch[beijing].Sign(sm.LabelBatch, b.ledger, b.pages[4].batch.Preamble))
		}},
		"a signature over something else": {CodeSignature, 2, func(b *book) { b.pages[1].batch.Signature = b.pages[0].batch.Signature }},
		"another key is named": {CodeKey, 5, func(b *book) {
			preamble(b, b.pages[4].batch, func(p *exchange.Preamble) { p.Key[0] ^= 1 })
		}},
		"signed for another ledger": {CodeBatch, 5, func(b *book) {
			preamble(b, b.pages[4].batch, func(p *exchange.Preamble) { p.Ledger[0] ^= 1 })
		}},
		"a batch that follows another": {CodeBatch, 3, func(b *book) {
			preamble(b, b.pages[3].batch, func(p *exchange.Preamble) { p.Previous[0] ^= 1 })
		}},
		"a governance body is missing": {CodeGovernance, 4, func(b *book) { b.pages[3].batch.Clear = nil }},
		"another governance body":      {CodeGovernance, 4, func(b *book) { b.pages[3].batch.Clear[1] = b.agencyKey().body }},
		"a checkpoint of another root": {CodeCheckpoint, 3, func(b *book) {
			c := *b.pages[2].checkpoint
			c.Root[0] ^= 1
			b.pages[2].checkpoint = b.cosigned(c, beijing, tianjin, hebei)
		}},
		"a checkpoint of another directory": {CodeCheckpoint, 8, func(b *book) {
			c := *b.pages[5].checkpoint
			c.Directory[0] ^= 1
			b.pages[5].checkpoint = b.cosigned(c, beijing, tianjin, hebei)
		}},
		"a checkpoint of a size passed by": {CodeCheckpoint, 4, func(b *book) { b.pages[5].checkpoint.Size = 4 }},
		"too few witnesses": {CodeWitness, 3, func(b *book) {
			c := *b.pages[2].checkpoint
			c.Cosignatures = c.Cosignatures[:2]
			b.pages[2].checkpoint = &c
		}},
		"a cosignature by another key": {CodeWitness, 3, func(b *book) {
			b.pages[2].checkpoint.Cosignatures[0].Signature = b.pages[2].checkpoint.Cosignatures[1].Signature
		}},
	} {
		b := story(t)
		c.spoil(b)
		a := must[*Auditor](t)(New(&b.genesis))
		if code, index := read(a, b.pages); code != c.code || index != c.index {
			t.Errorf("%s: %q at %d, want %s at %d", name, code, index, c.code, c.index)
		}
	}
}

// A ledger on which a region has registered another region's agency key, with
// all regions in it, is none.
func TestAnothersAgencyKey(t *testing.T) {
	b := newBook(t)
	key := b.agencyKey()
	b.write(tianjin, 1, key)
	b.write(hebei, 1, key)
	b.keep()
	a := must[*Auditor](t)(New(&b.genesis))
	if code, index := read(a, b.pages); code != CodeGovernance || index != 3 {
		t.Errorf("%q at %d, want %s at 3", code, index, CodeGovernance)
	}
}

// A region states one map for each size: two anchors for one are a difference.
func TestAnchorsMustGrow(t *testing.T) {
	for _, c := range []struct {
		sizes []uint64
		code  string
		index uint64
	}{{[]uint64{2, 3}, "", 0}, {[]uint64{2, 2}, CodeGovernance, 4}, {[]uint64{3, 2}, CodeGovernance, 4}, {[]uint64{9}, CodeGovernance, 3}} {
		b := newBook(t)
		b.write(tianjin, 3)
		for _, size := range c.sizes {
			b.write(beijing, 0, anchor(t, size))
		}
		b.keep()
		if code, index := read(must[*Auditor](t)(New(&b.genesis)), b.pages); code != c.code || index != c.index {
			t.Errorf("bound at %v: %q at %d, want %q at %d", c.sizes, code, index, c.code, c.index)
		}
	}
}

// resumed starts behind the first two batches, or behind the first four.
func resumed(b *book, size uint64, governance ...Batch) (*Auditor, error) {
	path := must[[]sm.Digest](b.t)(ledger.InclusionOf(b.leaves[:size], size-1))
	var header []byte
	for _, p := range b.pages {
		if p.batch != nil && p.batch.First+uint64(len(p.batch.Headers)) == size {
			header = p.batch.Headers[len(p.batch.Headers)-1]
		}
	}
	return Resume(&b.genesis, Start{Size: size, LastHeader: header, Inclusion: path, Governance: governance})
}

func TestAnAuditGoesOnFromALaterEntry(t *testing.T) {
	b := story(t)
	a := must[*Auditor](t)(resumed(b, 5, *b.pages[3].batch))
	if code, at := read(a, b.pages[4:]); code != "" {
		t.Fatalf("%s at %d", code, at)
	}
	if want := (Counts{Entries: 5, Batches: 2, Checkpoints: 1}); a.Counts() != want {
		t.Errorf("counts %+v", a.Counts())
	}
	// What the start was told is believed until the first checkpoint only.
	liar := must[*Auditor](t)(resumed(b, 5))
	if code, at := read(liar, b.pages[4:]); code != CodeCheckpoint || at != 8 {
		t.Errorf("without the governance before: %q at %d", code, at)
	}
	other := story(t)
	other.genesis, other.leaves[0] = b.genesis, sm.Digest{}
	other.pages[3] = b.pages[3]
	wrong := must[*Auditor](t)(resumed(other, 5, *b.pages[3].batch))
	if code, at := read(wrong, b.pages[4:]); code != CodeCheckpoint || at != 8 {
		t.Errorf("with another beginning: %q at %d", code, at)
	}
}

// Nothing that a gateway sends makes an auditor panic.
func FuzzBatch(f *testing.F) {
	b := story(f)
	for _, p := range b.pages {
		if p.batch != nil {
			f.Add(p.batch.Preamble, p.batch.Signature, bytes.Join(p.batch.Headers, nil), p.batch.Clear[1])
		}
	}
	f.Fuzz(func(t *testing.T, preamble, signature, headers, clear []byte) {
		a := must[*Auditor](t)(New(&b.genesis))
		batch := Batch{Preamble: preamble, Signature: signature, Clear: map[int][]byte{1: clear}}
		for len(headers) > 0 {
			n := min(len(headers), 200)
			batch.Headers, headers = append(batch.Headers, headers[:n]), headers[n:]
		}
		if err := a.Batch(&batch); err == nil && a.Size() == 0 {
			t.Error("took a batch of nothing")
		}
	})
}

// Entries a second on one core, by size of the batches.
func BenchmarkAudit(b *testing.B) {
	for _, n := range []int{256, 16, 1} {
		b.Run(fmt.Sprint(n, " in a batch"), func(b *testing.B) {
			book := newBook(b)
			for range 4096 / n {
				book.write(tianjin, n)
			}
			book.keep()
			for b.Loop() {
				a := must[*Auditor](b)(New(&book.genesis))
				if code, at := read(a, book.pages); code != "" {
					b.Fatalf("%s at %d", code, at)
				}
			}
			b.ReportMetric(float64(4096*b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
