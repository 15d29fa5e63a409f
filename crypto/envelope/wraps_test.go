package envelope_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// four regions with their keys, as every test of wraps needs them.
type regions struct {
	private map[string]*sm.DecryptionKey
	public  map[string]*sm.DecryptionPublic
}

func newRegions(t testing.TB, names ...string) regions {
	t.Helper()
	r := regions{map[string]*sm.DecryptionKey{}, map[string]*sm.DecryptionPublic{}}
	for _, name := range names {
		key, err := sm.GenerateDecryption(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		r.private[name], r.public[name] = key, key.Public()
	}
	return r
}

func newItems(t testing.TB, recipients ...[]string) []envelope.Item {
	t.Helper()
	items := make([]envelope.Item, len(recipients))
	for i, r := range recipients {
		key, err := sm.NewContentKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		items[i] = envelope.Item{EntryID: sm.Sum(fmt.Append(nil, i)), Key: key, Recipients: r}
	}
	return items
}

func wrap(t testing.TB, r regions, items []envelope.Item) envelope.Wraps {
	t.Helper()
	b, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 7, items, r.public)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, b)
}

func parse(t testing.TB, b []byte) envelope.Wraps {
	t.Helper()
	w, err := envelope.ParseWraps(b)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEachRecipientOpensItsItemsOnly(t *testing.T) {
	r := newRegions(t, "beijing", "tianjin", "hebei", "shandong")
	items := newItems(t, []string{"tianjin", "beijing"}, []string{"beijing", "hebei"}, nil, []string{"beijing"})
	w := wrap(t, r, items)
	for _, region := range []string{"beijing", "tianjin", "hebei"} {
		u, err := w.Unlock(r.private[region], ledger, "beijing", 7, region)
		if err != nil {
			t.Fatal(err)
		}
		for i, item := range items {
			key, err := u.Key(i, item.EntryID)
			switch its := slices.Contains(item.Recipients, region); {
			case its && (err != nil || key != item.Key):
				t.Errorf("%s, item %d: %v", region, i, err)
			case !its && !errors.Is(err, envelope.ErrNoKey):
				t.Errorf("%s opens item %d, which is not its own: %v", region, i, err)
			}
		}
	}
	if _, err := w.Unlock(r.private["shandong"], ledger, "beijing", 7, "shandong"); !errors.Is(err, envelope.ErrNoKey) {
		t.Errorf("a region that receives nothing: %v", err)
	}
}

// A wrap is bound to its ledger, origin, sequence number, region, position and
// entry: moved anywhere else it is worthless.
func TestWrapIsBoundToItsPlace(t *testing.T) {
	r := newRegions(t, "beijing", "tianjin")
	both := []string{"beijing", "tianjin"}
	items := newItems(t, both, both)
	w := wrap(t, r, items)
	for name, place := range map[string]struct {
		ledger sm.Digest
		origin string
		seq    uint64
	}{
		"ledger": {sm.Digest{}, "beijing", 7}, "origin": {ledger, "tianjin", 7}, "seq": {ledger, "beijing", 8},
	} {
		u, err := w.Unlock(r.private["tianjin"], place.ledger, place.origin, place.seq, "tianjin")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Key(0, items[0].EntryID); !errors.Is(err, sm.ErrDecrypt) {
			t.Errorf("other %s: %v", name, err)
		}
	}
	u, err := w.Unlock(r.private["tianjin"], ledger, "beijing", 7, "tianjin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Key(0, items[1].EntryID); !errors.Is(err, sm.ErrDecrypt) {
		t.Errorf("other entry: %v", err)
	}
	for _, index := range []int{-1, 2, 1 << 40} {
		if _, err := u.Key(index, items[0].EntryID); !errors.Is(err, envelope.ErrNoKey) {
			t.Errorf("item %d: %v", index, err)
		}
	}
	if _, err := w.Unlock(r.private["beijing"], ledger, "beijing", 7, "tianjin"); !errors.Is(err, sm.ErrDecrypt) {
		t.Errorf("another region's secret: %v", err)
	}
}

func TestErasingAnItemKeepsDigestLengthAndTheOthers(t *testing.T) {
	r := newRegions(t, "beijing", "tianjin", "hebei")
	items := newItems(t, []string{"beijing", "tianjin"}, []string{"beijing"}, []string{"beijing", "hebei", "tianjin"})
	raw, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 7, items, r.public)
	if err != nil {
		t.Fatal(err)
	}
	before := parse(t, raw)
	for i := range items {
		b, err := before.Erase(i)
		if err != nil {
			t.Fatal(err)
		}
		after := parse(t, b)
		if len(b) != len(raw) || after.Digest() != before.Digest() {
			t.Fatalf("item %d: length %d→%d, digest kept: %t", i, len(raw), len(b), after.Digest() == before.Digest())
		}
		if before.Erased(i) || !after.Erased(i) || !after.Covers(i, items[i].Recipients) {
			t.Errorf("item %d is not told as erased, or not for whom it was", i)
		}
		for region := range r.private {
			u, err := after.Unlock(r.private[region], ledger, "beijing", 7, region)
			if err != nil {
				t.Fatal(err)
			}
			for k, item := range items {
				key, err := u.Key(k, item.EntryID)
				if want := k != i && slices.Contains(item.Recipients, region); want != (err == nil) || want && key != item.Key {
					t.Errorf("item %d erased, %s reads item %d: %v", i, region, k, err)
				}
			}
		}
		again, err := after.Erase(i)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("erased twice: %v", err)
		}
		// No wrapped key of the item may be left anywhere.
		u, err := before.Unlock(r.private["beijing"], ledger, "beijing", 7, "beijing")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Key(i, items[i].EntryID); err != nil {
			t.Errorf("Erase changed the wraps it was called on: %v", err)
		}
	}
}

func TestDigestFixesSecretsRecipientsAndEveryWrap(t *testing.T) {
	r := newRegions(t, "beijing", "tianjin")
	raw, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 7, newItems(t, []string{"beijing", "tianjin"}, []string{"tianjin"}, nil), r.public)
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, raw).Digest()
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if w, err := envelope.ParseWraps(bad); err == nil && w.Digest() == want {
			t.Errorf("byte %d changed, digest did not", i)
		}
	}
}

func TestCoversIsExact(t *testing.T) {
	r := newRegions(t, "beijing", "tianjin", "hebei")
	w := wrap(t, r, newItems(t, []string{"beijing", "tianjin"}, nil, []string{"hebei"}))
	for _, c := range []struct {
		index      int
		recipients []string
		want       bool
	}{
		{0, []string{"tianjin", "beijing"}, true},
		{0, []string{"beijing"}, false},
		{0, []string{"beijing", "tianjin", "hebei"}, false},
		{0, []string{"beijing", "beijing"}, false},
		{0, []string{"beijing", "shandong"}, false},
		{0, nil, false},
		{1, nil, true},
		{1, []string{"beijing"}, false},
		{3, nil, false},
		{-1, nil, false},
	} {
		if got := w.Covers(c.index, c.recipients); got != c.want {
			t.Errorf("%d %v: %t", c.index, c.recipients, got)
		}
	}
}

func TestWrapRefusesWhatItCannotCarry(t *testing.T) {
	r := newRegions(t, "beijing")
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprint("r", i)
		r.public[many[i]] = r.public["beijing"]
	}
	for name, items := range map[string][]envelope.Item{
		"no items":        nil,
		"257 items":       make([]envelope.Item, 257),
		"33 regions":      {{Recipients: many}},
		"unknown region":  {{Recipients: []string{"atlantis"}}},
		"region twice":    {{Recipients: []string{"beijing", "beijing"}}},
		"nameless region": {{Recipients: []string{""}}},
	} {
		if _, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 1, items, r.public); err == nil {
			t.Errorf("%s: wrapped", name)
		}
	}
	big := make([]envelope.Item, 256)
	for i := range big {
		big[i].Recipients = many[:32]
	}
	if _, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 1, big, r.public); err == nil {
		t.Error("wraps beyond the size limit")
	}
	if _, err := envelope.Wrap(envelope.NewSecrets(bytes.NewReader(nil)), ledger, "beijing", 1, []envelope.Item{{Recipients: []string{"beijing"}}}, r.public); err == nil {
		t.Error("wrapped without randomness")
	}
}

func TestSameRandomnessSameWraps(t *testing.T) {
	r := newRegions(t, "beijing", "tianjin")
	items := newItems(t, []string{"tianjin", "beijing"})
	a, err := envelope.Wrap(envelope.NewSecrets(counter()), ledger, "beijing", 7, items, r.public)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(items[0].Recipients)
	b, err := envelope.Wrap(envelope.NewSecrets(counter()), ledger, "beijing", 7, items, r.public)
	if err != nil || !bytes.Equal(a, b) {
		t.Fatalf("the order of recipients shows: %v", err)
	}
}

// The vector of docs/formats/wraps.md: everything random is a counter.
func TestWrapsVector(t *testing.T) {
	want, err := os.ReadFile("testdata/wraps.hex")
	if err != nil {
		t.Fatal(err)
	}
	source := counter()
	beijing, err := sm.GenerateDecryption(source)
	if err != nil {
		t.Fatal(err)
	}
	tianjin, err := sm.GenerateDecryption(source)
	if err != nil {
		t.Fatal(err)
	}
	items := []envelope.Item{
		{EntryID: sm.Sum([]byte("first")), Key: sm.ContentKey{1}, Recipients: []string{"beijing", "tianjin"}},
		{EntryID: sm.Sum([]byte("second"))},
		{EntryID: sm.Sum([]byte("third")), Key: sm.ContentKey{3}, Recipients: []string{"beijing"}},
	}
	keys := map[string]*sm.DecryptionPublic{"beijing": beijing.Public(), "tianjin": tianjin.Public()}
	raw, err := envelope.Wrap(envelope.NewSecrets(source), ledger, "beijing", 7, items, keys)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(raw); got != strings.TrimSpace(string(want)) {
		t.Errorf("wraps %s", got)
	}
	const digest = "3198cda163d701e21bcdaf6238ae24c92bb3b4cfd289799d4b9c2cbde74ba9ae"
	if got := parse(t, raw).Digest().String(); got != digest {
		t.Errorf("digest %s", got)
	}
}

func FuzzParseWraps(f *testing.F) {
	r := newRegions(f, "beijing", "tianjin")
	raw, err := envelope.Wrap(envelope.NewSecrets(rand.Reader), ledger, "beijing", 7, newItems(f, []string{"beijing", "tianjin"}, nil, []string{"beijing"}), r.public)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	w, err := envelope.ParseWraps(raw)
	if err != nil {
		f.Fatal(err)
	}
	erased, err := w.Erase(0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(erased)
	f.Add([]byte{1, 0, 1, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := envelope.ParseWraps(b)
		if err != nil {
			return
		}
		digest := w.Digest()
		for i := range w.Len() {
			if w.Covers(i, nil) {
				continue // a clear body has no keys to erase
			}
			e, err := w.Erase(i)
			if err != nil {
				t.Fatal(err)
			}
			after, err := envelope.ParseWraps(e)
			if err != nil || after.Digest() != digest {
				t.Fatalf("item %d erased: %v", i, err)
			}
		}
		if u, err := w.Unlock(r.private["tianjin"], ledger, "beijing", 7, "tianjin"); err == nil {
			_, _ = u.Key(0, sm.Digest{})
		}
	})
}

// What is made ready while a batch is on its way is used once, and only for the
// key that it was made for.
func TestSecretsAreReadyForTheNextBatch(t *testing.T) {
	r := newRegions(t, "beijing", "tianjin")
	items := newItems(t, []string{"beijing", "tianjin"})
	drawn := &metered{Reader: rand.Reader}
	secrets := envelope.NewSecrets(drawn)
	wrapped := map[string]bool{}
	for range 3 {
		before := drawn.n
		raw, err := envelope.Wrap(secrets, ledger, "beijing", 7, items, r.public)
		if err != nil {
			t.Fatal(err)
		}
		if len(wrapped) > 0 && drawn.n != before {
			t.Errorf("%d bytes drawn while the batch waits", drawn.n-before)
		}
		wrapped[string(raw)] = true
		secrets.Prepare()
	}
	if len(wrapped) != 3 {
		t.Error("a secret was used twice")
	}
	rotated := newRegions(t, "beijing", "tianjin")
	raw, err := envelope.Wrap(secrets, ledger, "beijing", 7, items, rotated.public)
	if err != nil {
		t.Fatal(err)
	}
	w, err := envelope.ParseWraps(raw)
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.Unlock(rotated.private["tianjin"], ledger, "beijing", 7, "tianjin")
	if err != nil {
		t.Fatalf("the secret was made for the key before: %v", err)
	}
	if key, err := u.Key(0, items[0].EntryID); err != nil || key != items[0].Key {
		t.Errorf("key %v", err)
	}
}

// metered counts the bytes that were read.
type metered struct {
	io.Reader
	n int
}

func (c *metered) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
