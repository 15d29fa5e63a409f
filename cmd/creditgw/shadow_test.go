package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/selftest"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
)

// The second implementation of SM2 is shown what the ledger verified, and comes
// to the same of it: what holds, and what does not.
func TestTheShadowAgreesWithTheLedger(t *testing.T) {
	p, _, _ := testProgram(nil)
	p.now = time.Now
	d, err := p.foundDemo(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	region := d.regions[1]
	disagreed := make(chan selftest.Disagreement, 8)
	shadow, err := selftest.NewShadow(1, func(d selftest.Disagreement) { disagreed <- d })
	if err != nil {
		t.Fatal(err)
	}
	genesis := region.cfg.Genesis
	n := &node{shadow: shadow}
	ledger, err := store.Open(store.Config{
		Dir: filepath.Join(t.TempDir(), "ledger"), Genesis: genesis, Logger: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { t.Error(err) }, Verified: n.verified(genesis.LedgerID()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })

	raw, forged := keyBatch(t, region.cfg, ledger.Directory())
	ledger.Apply(2, 1, [][]byte{forged, raw})
	if ledger.Head().Size != 1 {
		t.Fatalf("%d entries, want the one that is signed", ledger.Head().Size)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- shadow.Run(ctx) }()
	eventually(t, "both signatures have been verified again", func() bool { return shadow.Counts().Checked == 2 })
	stop()
	if err := <-ended; err != nil || len(disagreed) > 0 {
		t.Errorf("%d disagreements, %v", len(disagreed), err)
	}
}

// keyBatch is a batch that registers an agency's key, as the region signs it and
// with another signature.
func keyBatch(t *testing.T, cfg nodeConfig, directory *peers.Directory) (raw, forged []byte) {
	t.Helper()
	agency, err := sm.Generate[sm.Agency](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := peers.AgencyClaim{
		Region: cfg.Self.Region, USCC: tianjinAuthority, Name: "某机关", Key: agency.Public(),
	}.Prove(directory.Ledger(), agency)
	if err != nil {
		t.Fatal(err)
	}
	body, err := claim.Encode()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := exchange.NewIDSecret(cfg.Keys.IDSecret)
	if err != nil {
		t.Fatal(err)
	}
	sealer := exchange.Sealer{Ledger: directory.Ledger(), Region: cfg.Self.Region, Secret: secret, Rand: rand.Reader}
	id := secret.EntryID(peers.KindAgencyKey, body, 0)
	entry, err := sealer.Clear(peers.KindAgencyKey, id, time.Now(), body)
	if err != nil {
		t.Fatal(err)
	}
	cutter := outbox.Cutter{Ledger: directory.Ledger(), Region: cfg.Self.Region, Keys: cfg.Keys.batches, Secrets: envelope.NewSecrets(rand.Reader)}
	b, err := cutter.Cut([]exchange.Pending{{ID: id, Header: entry.Header, Body: entry.Body}}, 1, sm.Digest{}, directory)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = b.Marshal(); err != nil {
		t.Fatal(err)
	}
	if b.Signature, err = cfg.Keys.Batch.Sign(sm.LabelTicket, directory.Ledger(), b.RawPreamble); err != nil {
		t.Fatal(err)
	}
	if forged, err = b.Marshal(); err != nil {
		t.Fatal(err)
	}
	return raw, forged
}
