package sm_test

import (
	"crypto/rand"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func BenchmarkSign(b *testing.B) {
	key, msg := generate[sm.Batch](b), make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Sign(sm.LabelBatch, sm.Digest{}, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	key, msg := generate[sm.Batch](b), make([]byte, 256)
	sig := sign(b, key, sm.LabelBatch, sm.Digest{}, msg)
	b.ReportAllocs()
	for b.Loop() {
		if err := key.Public().Verify(sm.LabelBatch, sm.Digest{}, msg, sig); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncrypt(b *testing.B) {
	key, secret := generateDecryption(b).Public(), make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Encrypt(rand.Reader, secret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	key := generateDecryption(b)
	ct, err := key.Public().Encrypt(rand.Reader, make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Decrypt(ct); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	prefix, header := []byte{0}, make([]byte, 300)
	b.ReportAllocs()
	b.SetBytes(301)
	for b.Loop() {
		sm.Sum(prefix, header)
	}
}

func BenchmarkContentKeySeal(b *testing.B) {
	var key sm.ContentKey
	plaintext := make([]byte, 1<<10)
	b.ReportAllocs()
	b.SetBytes(int64(len(plaintext)))
	for b.Loop() {
		key.Seal([12]byte{}, plaintext, nil)
	}
}

func BenchmarkOpenKeyFile(b *testing.B) {
	file, err := generate[sm.Node](b).MarshalPEM(passphrase)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := sm.ParsePrivate[sm.Node](file, passphrase); err != nil {
			b.Fatal(err)
		}
	}
}
