package exchange

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

func TestIDSecretNeverPrints(t *testing.T) {
	secret := testSecret()
	hidden := struct{ inner IDSecret }{secret}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{secret, &secret, hidden, &hidden, Sealer{Secret: secret}, []IDSecret{secret}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.Info("secret", "plain", secret, "hidden", hidden, "sealer", Sealer{Secret: secret}.Secret)
	}
	key := bytes.Repeat([]byte{0xa7}, 3)
	for _, spelling := range []string{hex.EncodeToString(key), "167 167", "0xa7, 0xa7", "a7 a7", string(key)} {
		if strings.Contains(strings.ToLower(out.String()), spelling) {
			t.Errorf("the secret is told as %q", spelling)
		}
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := NewIDSecret(make([]byte, n)); err == nil {
			t.Errorf("a secret of %d bytes is taken", n)
		}
	}
}

// Names must differ wherever anything that they name differs.
func TestEntryIDsDiffer(t *testing.T) {
	s := testSecret()
	seen := map[sm.Digest]string{}
	for name, id := range map[string]sm.Digest{
		"first":             s.EntryID("a", []byte("bc"), 0),
		"second of the key": s.EntryID("a", []byte("bc"), 1),
		"moved boundary":    s.EntryID("ab", []byte("c"), 0),
		"other kind":        s.EntryID("b", []byte("bc"), 0),
		"digest":            s.Digest("a", []byte("bc")),
		"two parts":         s.Digest("a", []byte("b"), []byte("c")),
		"two other parts":   s.Digest("a", []byte(""), []byte("bc")),
	} {
		if other, ok := seen[id]; ok {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[id] = name
	}
	if s.EntryID("a", []byte("bc"), 0) != testSecret().EntryID("a", []byte("bc"), 0) {
		t.Error("an id is not the same again")
	}
}

func TestWhatIsAuthoredReads(t *testing.T) {
	s := Sealer{Ledger: filled(9), Region: testTianjin, Secret: testSecret(), Rand: rand.Reader}
	at := time.Date(2025, 11, 5, 9, 0, 0, 999, Shanghai)
	sealed, key, err := s.Seal(ClassRecord, KindPenalty, filled(1), []peers.Region{testBeijing, testHebei}, at, []byte("record"), []byte("author"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHeader(sealed.Header)
	if err != nil || h.Class != ClassRecord || h.Kind != KindPenalty || h.ID != filled(1) || h.Origin != testTianjin ||
		!slices.Equal(h.Recipients, []peers.Region{testBeijing, testHebei}) || h.IssuedAt != at.Unix() ||
		h.Commitment == nil || h.BodyDigest != sm.Sum(sealed.Body) || key == (sm.ContentKey{}) || bytes.Contains(sealed.Body, []byte("record")) {
		t.Errorf("sealed: %+v: %v", h, err)
	}
	again, otherKey, err := s.Seal(ClassRecord, KindPenalty, filled(1), nil, at, []byte("record"), []byte("author"))
	if err != nil || otherKey == key || bytes.Equal(again.Body, sealed.Body) {
		t.Errorf("two seals share their randomness: %v", err)
	}

	open, err := s.Clear(KindAgencyKey, filled(2), at, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	h, err = ParseHeader(open.Header)
	if err != nil || h.Class != ClassGovernance || h.Kind != KindAgencyKey || h.Commitment != nil || len(h.Recipients) != 0 ||
		h.BodyDigest != sm.Sum([]byte("body")) || string(open.Body) != "body" {
		t.Errorf("clear: %+v: %v", h, err)
	}
	for _, to := range [][]peers.Region{{testTianjin}, {testHebei, testBeijing}, {testBeijing, testBeijing}} {
		if _, _, err := s.Seal(ClassRecord, KindPenalty, filled(1), to, at, []byte("record"), []byte("author")); err == nil {
			t.Errorf("recipients %v are taken", to)
		}
	}
}
