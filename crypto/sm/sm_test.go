package sm_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func generate[R sm.Role](t testing.TB) *sm.Private[R] {
	t.Helper()
	key, err := sm.Generate[R](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func generateDecryption(t testing.TB) *sm.DecryptionKey {
	t.Helper()
	key, err := sm.GenerateDecryption(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign[R sm.Role](t testing.TB, key *sm.Private[R], label sm.Label, ledger sm.Digest, msg []byte) []byte {
	t.Helper()
	sig, err := key.Sign(label, ledger, msg)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignatureHoldsForItsPurposeLedgerAndKeyOnly(t *testing.T) {
	key, ledger, msg := generate[sm.Batch](t), sm.Sum([]byte("genesis")), []byte("preamble")
	sig := sign(t, key, sm.LabelBatch, ledger, msg)
	if err := key.Public().Verify(sm.LabelBatch, ledger, msg, sig); err != nil {
		t.Fatal(err)
	}
	other := generate[sm.Batch](t).Public()
	for name, err := range map[string]error{
		"other label":   key.Public().Verify(sm.LabelTicket, ledger, msg, sig),
		"other ledger":  key.Public().Verify(sm.LabelBatch, sm.Digest{}, msg, sig),
		"other message": key.Public().Verify(sm.LabelBatch, ledger, []byte("preamblf"), sig),
		"other key":     other.Verify(sm.LabelBatch, ledger, msg, sig),
		"empty":         key.Public().Verify(sm.LabelBatch, ledger, msg, nil),
	} {
		if !errors.Is(err, sm.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := key.Public().Verify("", ledger, msg, sig); err == nil {
		t.Error("an empty label verifies")
	}
	if _, err := key.Sign("", ledger, msg); err == nil {
		t.Error("an empty label signs")
	}
	if err := new(sm.BatchPublic).Verify(sm.LabelBatch, ledger, msg, sig); err == nil {
		t.Error("no key verifies")
	}
}

// Every way to respell a signature must be refused, or one signature would
// have several hashes.
func TestSignatureHasOneSpelling(t *testing.T) {
	key, msg := generate[sm.Node](t), []byte("m")
	sig := sign(t, key, sm.LabelRoot, sm.Digest{}, msg)
	rLen := int(sig[3])
	padded := append([]byte{0x30, sig[1] + 1, 0x02, sig[3] + 1, 0x00}, sig[4:]...)
	longForm := append([]byte{0x30, 0x81}, sig[1:]...)
	negative := bytes.Clone(sig)
	negative[4] |= 0x80
	swapped := append([]byte{0x30, sig[1]}, append(bytes.Clone(sig[4+rLen:]), sig[2:4+rLen]...)...)
	for name, bad := range map[string][]byte{
		"trailing byte":      append(bytes.Clone(sig), 0),
		"non-minimal r":      padded,
		"long form length":   longForm,
		"negative r":         negative,
		"s before r":         swapped,
		"cut":                sig[:len(sig)-1],
		"zero r":             {0x30, 6, 2, 1, 0, 2, 1, 1},
		"huge":               make([]byte, 1<<20),
		"r = 2^256":          fromHex(t, "30260221"+"01"+strings.Repeat("00", 32)+"020101"),
		"r = n (not below)":  fromHex(t, "3026022100fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123020101"),
		"inner length lies":  append([]byte{0x30, sig[1], 0x02, 0x40}, sig[4:]...),
		"not a sequence":     append([]byte{0x31}, sig[1:]...),
		"only the envelope":  {0x30, 0x00},
		"integers of octets": append([]byte{0x30, sig[1], 0x04}, sig[3:]...),
	} {
		if err := key.Public().Verify(sm.LabelRoot, sm.Digest{}, msg, bad); !errors.Is(err, sm.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The vector of docs/formats/signature.md, made with OpenSSL.
func TestSignatureVector(t *testing.T) {
	key, err := sm.ParsePublic[sm.Node](fromHex(t, "04"+
		"09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"+
		"ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"))
	if err != nil {
		t.Fatal(err)
	}
	if id := key.ID().String(); id != "e6a4f9765fca89e8b7d64019b900d57c" {
		t.Errorf("key id %s", id)
	}
	sig := fromHex(t, "3045022053e8d9643eb7c2f6000a1e41a444331c2f369711ce3ebf3b47569e19"+
		"e024e04a022100821407b1c65fa6cb125e152bdcb6ab80828962b60e23f065f0"+
		"8bfa9593603f3c")
	if err := key.Verify(sm.LabelRoot, sm.Sum([]byte("genesis")), []byte("root"), sig); err != nil {
		t.Error(err)
	}
}

func TestMessageIsLabelLengthLabelLedgerMessage(t *testing.T) {
	ledger := sm.Sum([]byte("l"))
	got := sm.Message(sm.LabelBatch, ledger, []byte("m"))
	want := append([]byte{byte(len(sm.LabelBatch))}, sm.LabelBatch...)
	want = append(append(want, ledger[:]...), 'm')
	if !bytes.Equal(got, want) {
		t.Fatalf("%x", got)
	}
	if sm.Message(sm.Label(strings.Repeat("x", 256)), ledger, nil) != nil {
		t.Error("a label of 256 bytes has a message")
	}
}

func TestPublicKeyMustLieOnTheCurve(t *testing.T) {
	good := generate[sm.Node](t).Public().Bytes()
	offCurve := bytes.Clone(good)
	offCurve[64] ^= 1
	compressed := append([]byte{2 + good[64]&1}, good[1:33]...)
	unreduced := append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...)
	for name, b := range map[string][]byte{
		"off the curve": offCurve, "compressed": compressed, "unreduced": unreduced,
		"infinity": {0}, "empty": nil, "hybrid": append([]byte{6}, good[1:]...),
		"longer": append(bytes.Clone(good), 0), "all zero": make([]byte, 65),
	} {
		if _, err := sm.ParsePublic[sm.Node](b); err == nil {
			t.Errorf("%s: accepted as a signing key", name)
		}
		if _, err := sm.ParseDecryptionPublic(b); err == nil {
			t.Errorf("%s: accepted as a decryption key", name)
		}
	}
	key, err := sm.ParsePublic[sm.Node](good)
	if err != nil || !bytes.Equal(key.Bytes(), good) {
		t.Fatal(err)
	}
}

func TestTextOfAKeyCarriesItsRole(t *testing.T) {
	batch := generate[sm.Batch](t).Public()
	text, err := batch.MarshalText()
	if err != nil || !strings.HasPrefix(string(text), "batch:") {
		t.Fatalf("%s %v", text, err)
	}
	var again sm.BatchPublic
	if err := again.UnmarshalText(text); err != nil || !again.Equal(batch) || again.ID() != batch.ID() {
		t.Fatal(err)
	}
	var witness sm.WitnessPublic
	if witness.UnmarshalText(text) == nil {
		t.Error("a batch key is read as a witness key")
	}
	for _, bad := range []string{"batch:", string(text) + "=", "batch:\n" + string(text[6:len(text)-1]), string(text[6:])} {
		if again.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	decryption := generateDecryption(t).Public()
	b, err := json.Marshal(map[string]any{"k": decryption})
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ K sm.DecryptionPublic }
	if err := json.Unmarshal(b, &read); err != nil || !read.K.Equal(decryption) {
		t.Fatal(err)
	}
}

func TestDecryptHasOneAnswerForEveryFault(t *testing.T) {
	key, plaintext := generateDecryption(t), []byte("0123456789abcdef")
	ct, err := key.Public().Encrypt(rand.Reader, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Decrypt(ct); err != nil || !bytes.Equal(got, plaintext) {
		t.Fatal(err)
	}
	for i := range ct {
		bad := bytes.Clone(ct)
		bad[i] ^= 1
		if got, err := key.Decrypt(bad); err != sm.ErrDecrypt || got != nil {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if _, err := generateDecryption(t).Decrypt(ct); err != sm.ErrDecrypt {
		t.Errorf("other key: %v", err)
	}
	if _, err := key.Decrypt(append(bytes.Clone(ct), 0)); err != sm.ErrDecrypt {
		t.Errorf("trailing byte: %v", err)
	}
	for _, n := range []int{0, 15, 1025} {
		if _, err := key.Public().Encrypt(rand.Reader, make([]byte, n)); err == nil {
			t.Errorf("%d bytes encrypted", n)
		}
	}
}

// tjfoc's decryption answers for points off the curve and so gives the key
// away bit by bit. Ours must not reach the multiplication at all.
func TestDecryptRefusesAPointOffTheCurve(t *testing.T) {
	key := generateDecryption(t)
	// y² = x³ - 3x + b' for another b': (1, 1) is on such a curve.
	ct := fromHex(t, "3039"+"020101"+"020101"+"0420"+strings.Repeat("00", 32)+"0410"+strings.Repeat("00", 16))
	ct[1] = byte(len(ct) - 2)
	if _, err := key.Decrypt(ct); err != sm.ErrDecrypt {
		t.Fatal(err)
	}
}

func TestContentKeySealsOnceAndChecksEverything(t *testing.T) {
	key, err := sm.NewContentKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var nonce [12]byte
	ct := key.Seal(nonce, []byte("body"), []byte("aad"))
	if got, err := key.Open(nonce, ct, []byte("aad")); err != nil || string(got) != "body" {
		t.Fatal(err)
	}
	if _, err := key.Open(nonce, ct, []byte("abd")); err != sm.ErrDecrypt {
		t.Errorf("other aad: %v", err)
	}
	if _, err := key.Open([12]byte{1}, ct, []byte("aad")); err != sm.ErrDecrypt {
		t.Errorf("other nonce: %v", err)
	}
	if _, err := key.Open(nonce, ct[:15], nil); err != sm.ErrDecrypt {
		t.Errorf("shorter than a tag: %v", err)
	}
	for i := range ct {
		bad := bytes.Clone(ct)
		bad[i] ^= 0x80
		if _, err := key.Open(nonce, bad, []byte("aad")); err != sm.ErrDecrypt {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	content := sm.ContentKey(bytes.Repeat([]byte{0xa5}, 16))
	batch, decryption := generate[sm.Batch](t), generateDecryption(t)
	for _, v := range []any{content, &content, batch, decryption, struct{ Key sm.ContentKey }{content}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%t"} {
			if got := fmt.Sprintf(verb, v); !strings.Contains(got, "[redacted]") || leaks(got) {
				t.Errorf("%s of %T prints %s", verb, v, got)
			}
		}
		for _, h := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, untimed) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, untimed) },
		} {
			var out bytes.Buffer
			slog.New(h(&out)).Info("x", "v", v)
			if leaks(out.String()) {
				t.Errorf("slog of %T prints %s", v, out.String())
			}
		}
	}
	for _, v := range []any{content, batch, decryption} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T becomes JSON: %s", v, b)
		}
	}
}

// untimed leaves the time out of a line: its digits may be those of a secret.
var untimed = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}}

func leaks(s string) bool {
	return strings.Contains(strings.ToLower(s), "a5a5") || strings.Contains(s, "165") || strings.Contains(s, "0xa5")
}

func TestDigestHasOneSpelling(t *testing.T) {
	d := sm.Sum([]byte("ab"), nil, []byte("c"))
	if d != sm.Sum([]byte("abc")) {
		t.Error("a sum of parts differs from the sum of the whole")
	}
	const abc = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0" // GB/T 32905 A.1
	if d.String() != abc {
		t.Error(d)
	}
	if got, err := sm.ParseDigest(abc); err != nil || got != d {
		t.Error(err)
	}
	for _, bad := range []string{"", abc[1:], strings.ToUpper(abc), abc + "0", "x" + abc[1:]} {
		if _, err := sm.ParseDigest(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestSameRandomnessSameKeys(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, 64)
	a, err := sm.Generate[sm.Node](bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := sm.Generate[sm.Node](bytes.NewReader(seed))
	if err != nil || !a.Public().Equal(b.Public()) {
		t.Fatal(err)
	}
	if _, err := sm.Generate[sm.Node](bytes.NewReader(nil)); err == nil {
		t.Error("a key without randomness")
	}
	if _, err := sm.Generate[sm.Node](zeros{}); err == nil {
		t.Error("a key from a source of zeros")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
