package receipt

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
)

const (
	beijing = peers.Region("110000")
	tianjin = peers.Region("120000")
	hebei   = peers.Region("130000")
	shanxi  = peers.Region("140000")
)

var founders = []peers.Region{beijing, tianjin, hebei, shanxi}

// start is when the first entry of a world is claimed.
var start = time.Unix(1_790_000_000, 0)

// world is a ledger of four regions with all their keys, over a real store. The
// regions' witnesses are honest unless a test signs in their place.
type world struct {
	t         testing.TB
	genesis   peers.Genesis
	ledger    sm.Digest
	batch     map[peers.Region]*sm.BatchKey
	witness   map[peers.Region]*sm.WitnessKey
	store     *store.Store
	kept      []peers.Checkpoint
	handovers []peers.Checkpoint
	now       time.Time
	entries   int
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

func newWorld(t testing.TB) *world {
	t.Helper()
	c := consortium.Found(founders...)
	w := &world{t: t, genesis: c.Genesis, ledger: c.Genesis.LedgerID(), batch: c.Batch, witness: c.Witness, now: start}
	w.store = must[*store.Store](t)(store.Open(store.Config{
		Dir: t.TempDir(), Genesis: &w.genesis, Logger: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	}))
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) builder() *Builder { return &Builder{Ledger: w.store, Checkpoints: w} }

func (w *world) sealer(r peers.Region) *exchange.Sealer {
	secret := must[exchange.IDSecret](w.t)(exchange.NewIDSecret(make([]byte, 32)))
	return &exchange.Sealer{Ledger: w.ledger, Region: r, Secret: secret, Rand: rand.Reader}
}

// note is a record that nobody's catalogue knows, so that its content may be
// anything.
const note = "test-note"

// seal authors a record of a region to others.
func (w *world) seal(r peers.Region, record, author []byte, to ...peers.Region) exchange.Pending {
	w.t.Helper()
	w.entries++
	s := w.sealer(r)
	id := s.Secret.EntryID(note, []byte(r), uint32(w.entries))
	a, key, err := s.Seal(exchange.ClassRecord, note, id, to, w.now, record, author)
	if err != nil {
		w.t.Fatal(err)
	}
	return exchange.Pending{ID: id, Header: a.Header, Body: a.Body, Key: key}
}

// open is the content of a sealed entry.
func (w *world) open(p exchange.Pending) envelope.Opened {
	w.t.Helper()
	h := must[exchange.Header](w.t)(exchange.ParseHeader(p.Header))
	return must[envelope.Opened](w.t)(envelope.Open(p.Key, w.ledger, p.Body, *h.Commitment))
}

// byRegion is the author block of a row for which its region vouches.
func byRegion(t testing.TB) []byte {
	a := exchange.Author{Kind: exchange.AuthorRegion, Agency: "12120000000003025Y", File: &sm.Digest{1}, Row: 300}
	return must[[]byte](t)(a.Marshal())
}

// notes are n records of a region to all others.
func (w *world) notes(r peers.Region, n int) []exchange.Pending {
	w.t.Helper()
	var to []peers.Region
	for _, other := range founders {
		if other != r {
			to = append(to, other)
		}
	}
	out := make([]exchange.Pending, n)
	for i := range out {
		out[i] = w.seal(r, fmt.Appendf(nil, "note %d", i), byRegion(w.t), to...)
	}
	return out
}

// governance authors a clear entry.
func (w *world) governance(r peers.Region, kind string, body []byte) exchange.Pending {
	w.t.Helper()
	w.entries++
	s := w.sealer(r)
	id := s.Secret.EntryID(kind, body, uint32(w.entries))
	a := must[exchange.Authored](w.t)(s.Clear(kind, id, w.now, body))
	return exchange.Pending{ID: id, Header: a.Header, Body: a.Body}
}

// commit puts one batch of a region onto the ledger and returns its first leaf.
func (w *world) commit(r peers.Region, entries ...exchange.Pending) uint64 {
	w.t.Helper()
	seq, previous := w.store.LastBatch(r)
	cutter := outbox.Cutter{Ledger: w.ledger, Region: r, Keys: func() []*sm.BatchKey { return []*sm.BatchKey{w.batch[r]} }, Secrets: envelope.NewSecrets(rand.Reader)}
	b := must[exchange.Batch](w.t)(cutter.Cut(entries, seq+1, previous, w.store.Directory()))
	answer := w.store.Apply(w.store.Head().RaftIndex+1, 1, [][]byte{must[[]byte](w.t)(b.Marshal())})[0]
	result, ok := answer.(exchange.BatchResult)
	if !ok || result.Rejection != nil {
		w.t.Fatalf("batch of %s: %v %v", r, answer, result.Rejection)
	}
	return result.First
}

// checkpoint is what the ledger is now, without cosignatures.
func (w *world) checkpoint() peers.Checkpoint {
	head := w.store.Head()
	return peers.Checkpoint{Ledger: w.ledger, Size: head.Size, Root: head.Root, Directory: w.store.Directory().Root()}
}

// cosign lets regions sign a minute after what came before, a second apart.
func (w *world) cosign(c peers.Checkpoint, by ...peers.Region) peers.Checkpoint {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	for i, r := range by {
		c = c.With(must[peers.Cosignature](w.t)(c.Cosign(r, w.witness[r], w.now.Add(time.Duration(i)*time.Second))))
	}
	return c
}

// keep makes the ledger's present state a witnessed checkpoint, by all regions
// if none are named.
func (w *world) keep(by ...peers.Region) peers.Checkpoint {
	w.t.Helper()
	if len(by) == 0 {
		by = founders
	}
	c := w.cosign(w.checkpoint(), by...)
	w.kept = append(w.kept, c)
	return c
}

// Latest, Around and Handovers make the world a Checkpoints.
func (w *world) Latest() (peers.Checkpoint, bool) {
	if len(w.kept) == 0 {
		return peers.Checkpoint{}, false
	}
	return w.kept[len(w.kept)-1], true
}

func (w *world) Around(index uint64) (before, covering peers.Checkpoint, err error) {
	for _, c := range w.kept {
		if c.Size > index {
			return before, c, nil
		}
		before = c
	}
	return before, covering, exchange.ErrNotFound
}

func (w *world) Handovers() ([]peers.Checkpoint, error) { return w.handovers, nil }

// entry is the receipt of a leaf as a file.
func (w *world) entry(index uint64) []byte {
	w.t.Helper()
	r := must[Receipt](w.t)(w.builder().Entry(index))
	return must[[]byte](w.t)(r.Marshal())
}
