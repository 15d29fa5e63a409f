package receipt

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/xinqiao/creditgw/peers"
)

// SM2 signatures differ each time: the vectors are made once, and again only
// when the format changes before its release.
var update = flag.Bool("update", false, "make the vectors of docs/formats/receipt.md anew")

func TestVectors(t *testing.T) {
	if *update {
		makeVectors(t)
	}
	g := must[peers.Genesis](t)(peers.ParseGenesis(vector(t, "genesis.json")))
	for name, want := range map[string]struct {
		state State
		final bool
	}{
		"witnessed.json": {Witnessed, true}, "provisional.json": {Provisional, false},
		"ticket.json": {Ticket, true}, "rotated.json": {Witnessed, true},
	} {
		v, err := Verify(vector(t, name), &g)
		if err != nil || v.State != want.state || v.Final() != want.final {
			t.Errorf("%s: %v, %s", name, err, v.State)
		}
	}
}

func TestStatementVector(t *testing.T) {
	g := must[peers.Genesis](t)(peers.ParseGenesis(vector(t, "genesis.json")))
	v, err := VerifyStatement(vector(t, "statement.json"), &g)
	if err != nil || v.Subject != firm || len(v.Records) != 2 {
		t.Errorf("%v %+v", err, v)
	}
}

func vector(t *testing.T, name string) []byte {
	t.Helper()
	return must[[]byte](t)(os.ReadFile(filepath.Join("testdata", name)))
}

func makeVectors(t *testing.T) {
	t.Helper()
	w, raw := witnessed(t)
	home := w.seal(tianjin, []byte("home"), byRegion(t))
	save := func(name string, raw []byte, err error) {
		t.Helper()
		if err == nil {
			err = os.WriteFile(filepath.Join("testdata", name), raw, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	genesis, err := w.genesis.MarshalFile()
	save("genesis.json", genesis, err)
	save("witnessed.json", raw, nil)
	provisional, err := must[Receipt](t)(w.builder().Provisional(5)).Marshal()
	save("provisional.json", provisional, err)
	ticket, err := must[Receipt](t)(w.builder().Ticket(tianjin, w.batch[tianjin], w.ledger, home.Header)).Marshal()
	save("ticket.json", ticket, err)

	h := newHolds(w, 300)
	save("statement.json", w.statement(h, w.anchor(beijing, h.tree.Root()), firm), nil)

	changes(w)
	sent := w.seal(tianjin, []byte("a record"), byRegion(t), beijing)
	index := w.commit(tianjin, sent)
	w.keep(beijing, tianjin, hebei)
	rotated := must[Receipt](t)(w.builder().Entry(index))
	if err := w.builder().Disclose(&rotated, tianjin, w.open(sent)); err != nil {
		t.Fatal(err)
	}
	raw, err = rotated.Marshal()
	save("rotated.json", raw, err)
}
