package outbox_test

import (
	"crypto/rand"
	"testing"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
	"github.com/xinqiao/creditgw/peers"
)

func entries(n, size int, to ...peers.Region) []exchange.Pending {
	out := make([]exchange.Pending, n)
	for i := range out {
		out[i] = entry(uint64(i+1), size, to...)
	}
	return out
}

// What fits is never refused for its size, and a batch is not cut short by
// more than a tenth and one entry.
func TestFitKeepsTheLimits(t *testing.T) {
	f := founded()
	cutter := outbox.Cutter{Ledger: f.sealer.Ledger, Region: tianjin, Keys: holding(f.batch), Secrets: envelope.NewSecrets(rand.Reader)}
	for _, c := range []struct {
		name string
		of   []exchange.Pending
		want int
	}{
		{"one", entries(1, 100, beijing), 1},
		{"as many as may be", entries(300, 100, beijing), exchange.MaxBatchItems},
		{"the largest bodies", entries(6, exchange.MaxBody-200, beijing), 3},
		{"medium bodies to all", entries(300, 2000, beijing, hebei, shanxi), 0},
		{"small bodies to all", entries(300, 450, beijing, hebei, shanxi), 0},
	} {
		n := outbox.Fit(c.of)
		if c.want != 0 && n != c.want {
			t.Errorf("%s: %d of %d fit, want %d", c.name, n, len(c.of), c.want)
		}
		b, err := cutter.Cut(c.of[:n], 1, sm.Digest{}, f.directory)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		raw, err := b.Marshal()
		if err != nil {
			t.Errorf("%s: %d entries fit, but: %v", c.name, n, err)
			continue
		}
		next := len(c.of[0].Header) + len(c.of[0].Body)
		if n < len(c.of) && n < exchange.MaxBatchItems && len(raw)+next < exchange.MaxBatch*9/10 {
			t.Errorf("%s: cut at %d entries and %d bytes", c.name, n, len(raw))
		}
	}
}

// An entry that no longer reads is refused alone, not with its neighbours.
func TestFitLeavesADamagedEntryAlone(t *testing.T) {
	of := entries(4, 100, beijing)
	of[2].Header = of[2].Header[:10]
	if n := outbox.Fit(of); n != 2 {
		t.Errorf("%d fit before the damaged one", n)
	}
	if n := outbox.Fit(of[2:]); n != 1 {
		t.Errorf("%d fit from the damaged one on", n)
	}
}

// A cut is what Apply and the recipients read: signed over its root and wraps.
func TestCutReadsBack(t *testing.T) {
	f := founded()
	cutter := outbox.Cutter{Ledger: f.sealer.Ledger, Region: tianjin, Keys: holding(f.batch), Secrets: envelope.NewSecrets(rand.Reader)}
	of := append(entries(3, 100, beijing, shanxi), entry(9, 100))
	first, err := cutter.Cut(of, 7, sm.Sum([]byte("before")), f.directory)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := first.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b, err := exchange.ParseBatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	wraps, err := envelope.ParseWraps(b.Wraps)
	if err != nil || wraps.Digest() != b.Preamble.WrapsDigest {
		t.Errorf("wraps: %v", err)
	}
	var leaves []sm.Digest
	for i, item := range b.Items {
		leaves = append(leaves, ledger.LeafHash(item.Header))
		if sm.Sum(item.Body) != must(exchange.ParseHeader(item.Header)).BodyDigest {
			t.Errorf("item %d has another body", i)
		}
	}
	p := b.Preamble
	if p.Seq != 7 || p.Previous != sm.Sum([]byte("before")) || p.N != len(of) || p.Root != ledger.RootOf(leaves) || p.Origin != tianjin {
		t.Errorf("preamble %+v", p)
	}
	if err := f.batch.Public().Verify(sm.LabelBatch, f.sealer.Ledger, b.RawPreamble, b.Signature); err != nil {
		t.Error(err)
	}
	again, err := cutter.Cut(of, 7, sm.Sum([]byte("before")), f.directory)
	if err != nil || again.Preamble.WrapsDigest == p.WrapsDigest {
		t.Errorf("a second cut has the same wraps: %v", err)
	}
}
