package receipt

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Of a file that its agency has signed a receipt shows that it has, and says that
// the row is its region's word.
func TestDisclosedRowOfASignedFile(t *testing.T) {
	w := newWorld(t)
	agency := must[*sm.AgencyKey](t)(sm.Generate[sm.Agency](rand.Reader))
	const uscc = "12120000000003025Y"
	id, file := agency.Public().ID(), sm.Digest{1}
	claim := must[peers.AgencyClaim](t)(peers.AgencyClaim{Region: tianjin, USCC: uscc, Name: "某机关", Key: agency.Public()}.Prove(w.ledger, agency))
	w.commit(tianjin, w.governance(tianjin, peers.KindAgencyKey, must[[]byte](t)(claim.Encode())))
	row := func(record string, signed sm.Digest) (exchange.Pending, uint64) {
		a := exchange.Author{Kind: exchange.AuthorRegion, Agency: uscc, File: &file, Row: 7, Key: &id}
		a.FileSignature = must[[]byte](t)(agency.Sign(sm.LabelFile, w.ledger, signed[:]))
		entry := w.seal(tianjin, []byte(record), must[[]byte](t)(a.Marshal()), beijing)
		return entry, w.commit(tianjin, entry)
	}
	good, at := row("good", file)
	forged, forgedAt := row("forged", sm.Digest{2})
	provisional := must[Receipt](t)(w.builder().Provisional(at))
	w.keep()
	disclosed := func(r Receipt, entry exchange.Pending) []byte {
		t.Helper()
		if err := w.builder().Disclose(&r, tianjin, w.open(entry)); err != nil {
			t.Fatal(err)
		}
		return must[[]byte](t)(r.Marshal())
	}
	says := func(texts []schemas.Text, words string) bool {
		return slices.ContainsFunc(texts, func(t schemas.Text) bool { return strings.Contains(t.EN, words) })
	}
	const signed, rowIs, itself = "signed that file", "stands in that row", "agency itself signed"

	raw := disclosed(must[Receipt](t)(w.builder().Entry(at)), good)
	v, err := Verify(raw, &w.genesis)
	if err != nil || !says(v.Proven(), signed) || !says(v.NotProven(), rowIs) {
		t.Errorf("%v\nproven %+v\nnot proven %+v", err, v.Proven(), v.NotProven())
	}
	if got := changed(t, w, raw, func(r *Receipt) { r.Disclosed.Agency = nil }); got != "AUTHOR" {
		t.Errorf("without the agency's key it fails %q", got)
	}
	if got := failed(t, disclosed(must[Receipt](t)(w.builder().Entry(forgedAt)), forged), &w.genesis); got != "AUTHOR" {
		t.Errorf("with the signature of another file it fails %q", got)
	}
	v, err = Verify(disclosed(provisional, good), &w.genesis)
	if err != nil || says(v.Proven(), signed) || !says(v.NotProven(), itself) {
		t.Errorf("provisional: %v\nproven %+v\nnot proven %+v", err, v.Proven(), v.NotProven())
	}
}
