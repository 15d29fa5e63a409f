package sm_test

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func FuzzParsePublic(f *testing.F) {
	good := generate[sm.Node](f).Public()
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:64])
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := sm.ParsePublic[sm.Node](b)
		if err != nil {
			return
		}
		if !bytes.Equal(key.Bytes(), b) {
			t.Fatal("a key with two spellings")
		}
		text, err := key.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again sm.NodePublic
		if err := again.UnmarshalText(text); err != nil || !again.Equal(key) {
			t.Fatal(err)
		}
	})
}

func FuzzKeyText(f *testing.F) {
	text, err := generate[sm.Batch](f).Public().MarshalText()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("batch:")
	f.Fuzz(func(t *testing.T, s string) {
		var key sm.BatchPublic
		if key.UnmarshalText([]byte(s)) == nil && key.String() != s {
			t.Fatalf("%q is read as %s", s, &key)
		}
	})
}

// Whatever is accepted as a signature must be the one DER spelling of its two
// numbers.
func FuzzVerify(f *testing.F) {
	key := generate[sm.Batch](f)
	msg := []byte("message")
	f.Add(sign(f, key, sm.LabelBatch, sm.Digest{}, msg))
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, sig []byte) {
		if key.Public().Verify(sm.LabelBatch, sm.Digest{}, msg, sig) != nil {
			return
		}
		var rs struct{ R, S *big.Int }
		rest, err := asn1.Unmarshal(sig, &rs)
		if err != nil || len(rest) != 0 {
			t.Fatal("not DER, yet it verifies")
		}
		if der, err := asn1.Marshal(rs); err != nil || !bytes.Equal(der, sig) {
			t.Fatal("not the only spelling, yet it verifies")
		}
	})
}

func FuzzDecrypt(f *testing.F) {
	key := generateDecryption(f)
	ct, err := key.Public().Encrypt(rand.Reader, make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ct)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		plaintext, err := key.Decrypt(b)
		if err != nil && (err != sm.ErrDecrypt || plaintext != nil) {
			t.Fatalf("the failure tells more than it should: %v", err)
		}
		if err == nil && !bytes.Equal(b, ct) {
			t.Fatal("a ciphertext that nobody made opens")
		}
	})
}

// The DER inside the PEM is fuzzed, and so is the PEM itself: the format is
// cheap to reach only from inside.
func FuzzKeyFile(f *testing.F) {
	file, err := generate[sm.Node](f).MarshalPEM(passphrase)
	if err != nil {
		f.Fatal(err)
	}
	// A lower iteration count lets the fuzzer reach the decryption sooner.
	block, _ := pem.Decode(file)
	cheap := bytes.Replace(block.Bytes, []byte{2, 3, 3, 13, 64}, []byte{2, 3, 0, 128, 0}, 1)
	f.Add(block.Bytes, true)
	f.Add(cheap, true)
	f.Add(file, false)
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAMC\n-----END ENCRYPTED PRIVATE KEY-----\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, der bool) {
		if der {
			b = pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: b})
		}
		if _, err := sm.ParsePrivate[sm.Node](b, []byte("wrong passphrase")); err == nil {
			t.Fatal("opened under a wrong passphrase")
		}
	})
}

func FuzzDigestText(f *testing.F) {
	f.Add(sm.Sum(nil).String())
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := sm.ParseDigest(s); err == nil && d.String() != s {
			t.Fatalf("%q is read as %s", s, d)
		}
	})
}
