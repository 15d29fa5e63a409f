package sm_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

var passphrase = []byte("correct horse")

func TestKeyFileOpensForItsRoleOnly(t *testing.T) {
	batch := generate[sm.Batch](t)
	file, err := batch.MarshalPEM(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sm.ParsePrivate[sm.Batch](file, passphrase)
	if err != nil || !again.Public().Equal(batch.Public()) {
		t.Fatal(err)
	}
	if _, err := sm.ParsePrivate[sm.Witness](file, passphrase); !errors.Is(err, sm.ErrRole) {
		t.Errorf("as a witness key: %v", err)
	}
	if _, err := sm.ParseDecryption(file, passphrase); !errors.Is(err, sm.ErrRole) {
		t.Errorf("as a decryption key: %v", err)
	}
	if _, err := sm.ImportPrivate[sm.Batch](file, passphrase); !errors.Is(err, sm.ErrRole) {
		t.Errorf("imported although it has a role: %v", err)
	}
	if _, err := sm.ParsePrivate[sm.Batch](file, []byte("wrong")); !errors.Is(err, sm.ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := batch.MarshalPEM(nil); !errors.Is(err, sm.ErrPassphrase) {
		t.Errorf("written in the clear: %v", err)
	}
}

// The vector of docs/formats/key-file.md.
func TestKeyFileVector(t *testing.T) {
	file, err := os.ReadFile("testdata/batch.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := sm.ParsePrivate[sm.Batch](file, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if id := key.Public().ID().String(); id != "e6a4f9765fca89e8b7d64019b900d57c" {
		t.Errorf("key id %s", id)
	}
	// Under this passphrase the padding of the vector happens to be valid, as
	// it is for one in 256: what comes out is no key all the same.
	if _, err := sm.ParsePrivate[sm.Batch](file, []byte("wrong 303")); !errors.Is(err, sm.ErrPassphrase) {
		t.Errorf("wrong passphrase with valid padding: %v", err)
	}
}

func TestDecryptionKeyFile(t *testing.T) {
	key := generateDecryption(t)
	file, err := key.MarshalPEM(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sm.ParseDecryption(file, passphrase)
	if err != nil || !again.Public().Equal(key.Public()) {
		t.Fatal(err)
	}
	if _, err := sm.ParsePrivate[sm.Batch](file, passphrase); !errors.Is(err, sm.ErrRole) {
		t.Errorf("as a batch key: %v", err)
	}
}

// The iteration count is read from the file, so it decides how long a stranger
// can keep the process busy.
func TestKeyFileMustNotBeCostly(t *testing.T) {
	file, err := generate[sm.Node](t).MarshalPEM(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(file)
	ours := []byte{0x02, 0x03, 0x03, 0x0d, 0x40} // INTEGER 200,000
	if !bytes.Contains(block.Bytes, ours) {
		t.Fatal("the iteration count is not where this test looks for it")
	}
	for name, count := range map[string][]byte{
		"8,388,607":  {0x02, 0x03, 0x7f, 0xff, 0xff},
		"negative":   {0x02, 0x03, 0xff, 0x0d, 0x40},
		"below 1000": {0x02, 0x03, 0x00, 0x00, 0x01},
	} {
		der := bytes.Replace(block.Bytes, ours, count, 1)
		bad := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der})
		if _, err := sm.ParsePrivate[sm.Node](bad, passphrase); !errors.Is(err, sm.ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, bad := range map[string][]byte{
		"two keys":    append(bytes.Clone(file), file...),
		"headers":     bytes.Replace(file, []byte("KEY-----\n"), []byte("KEY-----\nRole: node\n\n"), 1),
		"plain type":  bytes.ReplaceAll(file, []byte("ENCRYPTED "), nil),
		"huge":        append(bytes.Clone(file), bytes.Repeat([]byte("\n"), 9<<10)...),
		"empty":       nil,
		"not PEM":     []byte("hello"),
		"three bytes": []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAMC\n-----END ENCRYPTED PRIVATE KEY-----\n"),
	} {
		if _, err := sm.ParsePrivate[sm.Node](bad, passphrase); !errors.Is(err, sm.ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A public key has one form that we write, and OpenSSL's is the same; whatever
// else is in the file, it is refused.
func TestPublicKeyFiles(t *testing.T) {
	key := generate[sm.Agency](t).Public()
	good, err := key.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := sm.ParsePublicPEM[sm.Agency](good); err != nil || !read.Equal(key) {
		t.Errorf("own PEM: %v", err)
	}
	p256 := "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n" +
		"6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n"
	for name, file := range map[string]string{
		"empty": "", "text": "agency key", "another curve": p256,
		"a private key": "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n",
		"cut off":       string(good[:60]) + "\n-----END PUBLIC KEY-----\n",
		"two keys":      string(good) + string(good),
		"oversize":      string(good) + strings.Repeat("\n", 8<<10),
	} {
		if _, err := sm.ParsePublicPEM[sm.Agency]([]byte(file)); !errors.Is(err, sm.ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePublicPEM(f *testing.F) {
	good, err := generate[sm.Agency](f).Public().MarshalPEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ==\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		key, err := sm.ParsePublicPEM[sm.Agency](file)
		if err != nil {
			return
		}
		again, err := key.MarshalPEM()
		if err != nil {
			t.Fatal(err)
		}
		if read, err := sm.ParsePublicPEM[sm.Agency](again); err != nil || !read.Equal(key) {
			t.Fatal(err)
		}
	})
}
