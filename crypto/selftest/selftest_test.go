package selftest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm4"
	secondsm2 "github.com/tjfoc/gmsm/sm2"
	secondsm4 "github.com/tjfoc/gmsm/sm4"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func TestAllChecksPassHere(t *testing.T) {
	results, err := Run()
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(checks) {
		t.Fatalf("%d of %d checks ran", len(results), len(checks))
	}
	names := map[string]bool{}
	for _, r := range results {
		if r.Name == "" || r.TitleZH == "" || r.TitleEN == "" || names[r.Name] || r.Duration <= 0 {
			t.Errorf("%+v", r)
		}
		names[r.Name] = true
	}
}

func TestAFailedCheckIsNamedAndTheOthersStillRun(t *testing.T) {
	wrong := errors.New("wrong digest")
	ran := false
	results, err := run([]check{
		{"fails", "坏", "fails", func() error { return wrong }},
		{"panics", "崩", "panics", func() error { panic("index out of range") }},
		{"passes", "好", "passes", func() error { ran = true; return nil }},
	})
	if !errors.Is(err, wrong) || !strings.Contains(err.Error(), "fails") || !strings.Contains(err.Error(), "panics: panic") {
		t.Errorf("%v", err)
	}
	if !ran || len(results) != 3 || results[0].Err == nil || results[1].Err == nil || results[2].Err != nil {
		t.Errorf("%+v", results)
	}
}

// The standard's second SM4 example: a million encryptions, too long for every
// start of a node.
func TestSM4MillionRounds(t *testing.T) {
	key := bytesOf("0123456789abcdeffedcba9876543210")
	block, err := sm4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for range 1_000_000 {
		block.Encrypt(key, key)
	}
	if want := bytesOf("595298c7c6fd271f0402f804c33d3f66"); !bytes.Equal(key, want) {
		t.Fatalf("%x", key)
	}
}

// The second implementation encrypts to us, never the other way round: its
// decryption is the one that leaks keys.
func TestWhatTheSecondEncryptsOpensHere(t *testing.T) {
	key, err := sm.GenerateDecryption(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plaintext := pattern(32)
	for range 16 { // long enough for coordinates with leading zero bits
		ct, err := secondsm2.EncryptAsn1(secondPublic(key.Public().Bytes()), plaintext, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Decrypt(ct); err != nil || !bytes.Equal(got, plaintext) {
			t.Fatal(err)
		}
	}
}

func TestSignaturesCross(t *testing.T) {
	for range 16 {
		if err := sm2SignAgree(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzBlocksAgree(f *testing.F) {
	f.Add(make([]byte, 16), make([]byte, 16))
	f.Fuzz(func(t *testing.T, key, in []byte) {
		if len(key) != 16 || len(in) != 16 {
			return
		}
		first, err := sm4.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		second, err := secondsm4.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		a, b := make([]byte, 16), make([]byte, 16)
		first.Encrypt(a, in)
		second.Encrypt(b, in)
		if !bytes.Equal(a, b) {
			t.Fatalf("%x %x", a, b)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		if _, err := Run(); err != nil {
			b.Fatal(err)
		}
	}
}
