package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

var (
	tianjin  = founderInfo{Region: "120000", Name: "天津市信用中心", Addr: "gw.tj.example:8443"}
	testPass = passphrases{Keys: []byte("correct horse"), Recovery: []byte("in the safe")}
)

func seededRandom(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sm.Sum([]byte(seed))) }

func TestKeyDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tj")
	made, member, err := createKeys(dir, tianjin, seededRandom("tj"), testPass)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("reads back", func(t *testing.T) {
		loaded, m, err := loadKeys(dir, testPass.Keys)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Equal(member) || !bytes.Equal(loaded.IDSecret, made.IDSecret) {
			t.Error("another member or id secret")
		}
	})
	t.Run("wrong passphrase", func(t *testing.T) {
		_, _, err := loadKeys(dir, testPass.Recovery)
		if !errors.Is(err, sm.ErrPassphrase) {
			t.Error(err)
		}
	})
	t.Run("recovery file", func(t *testing.T) {
		b, err := os.ReadFile(filepath.Join(dir, recoveryName))
		if err != nil {
			t.Fatal(err)
		}
		var r recovery
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		key, err := sm.ParseDecryption([]byte(r.Decryption), testPass.Recovery)
		if err != nil || !key.Public().Equal(member.Decryption) {
			t.Errorf("decryption key: %v", err)
		}
		secret, err := r.IDSecret.open(r.Region, testPass.Recovery)
		if err != nil || !bytes.Equal(secret, made.IDSecret) {
			t.Errorf("id secret: %v", err)
		}
		if _, err := r.IDSecret.open(r.Region, testPass.Keys); !errors.Is(err, errSealed) {
			t.Errorf("opens under the daily passphrase: %v", err)
		}
	})
	t.Run("another region's member file", func(t *testing.T) {
		_, other, err := generateKeys(founderInfo{Region: "120000", Name: "另一家", Addr: "gw.example:8443"}, seededRandom("other"))
		if err != nil {
			t.Fatal(err)
		}
		own := exchangeFile(t, filepath.Join(dir, memberName), must(other.MarshalFile()))
		if _, _, err := loadKeys(dir, testPass.Keys); err == nil {
			t.Error("the keys were taken for another member's")
		}
		exchangeFile(t, filepath.Join(dir, memberName), own)
	})
	t.Run("a key that others may read", func(t *testing.T) {
		for _, name := range []string{batchKeyName, idSecretName} {
			path := filepath.Join(dir, name)
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
			if _, _, err := loadKeys(dir, testPass.Keys); err == nil || !strings.Contains(err.Error(), "0640") {
				t.Errorf("%s: %v", name, err)
			}
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a key in another's place", func(t *testing.T) {
		batch := must(os.ReadFile(filepath.Join(dir, batchKeyName)))
		exchangeFile(t, filepath.Join(dir, nodeKeyName), batch)
		if _, _, err := loadKeys(dir, testPass.Keys); !errors.Is(err, sm.ErrRole) {
			t.Error(err)
		}
	})
}

// exchangeFile puts data in the place of a file and returns what was there.
func exchangeFile(t *testing.T, path string, data []byte) []byte {
	t.Helper()
	before := must(os.ReadFile(path))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return before
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Nothing is overwritten, and a failure half way leaves a directory in which
// init can run again.
func TestWriteNewTakesBackWhatItWrote(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, memberName)
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, keysName), 0o700),
		os.WriteFile(kept, []byte("kept"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	err := writeNew(dir, []newFile{{nodeKeyName, []byte("new"), 0o600}, {memberName, []byte("new"), 0o644}})
	if !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got := must(os.ReadFile(kept)); string(got) != "kept" {
		t.Errorf("overwritten by %q", got)
	}
	if _, err := os.Lstat(filepath.Join(dir, nodeKeyName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestSealedSecretRefuses(t *testing.T) {
	secret, err := newIDSecret(seededRandom("secret"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := secret.seal(seededRandom("salt"), "120000", testPass.Keys)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*sealedSecret){
		"version":         func(s *sealedSecret) { s.Version = 2 },
		"kdf":             func(s *sealedSecret) { s.KDF = "none" },
		"few iterations":  func(s *sealedSecret) { s.Iterations = 1 },
		"many iterations": func(s *sealedSecret) { s.Iterations = 1 << 40 },
		"salt":            func(s *sealedSecret) { s.Salt = s.Salt[1:] },
		"another salt":    func(s *sealedSecret) { s.Salt = bytes.Repeat([]byte{1}, saltSize) },
		"cut":             func(s *sealedSecret) { s.Sealed = s.Sealed[:20] },
		"empty":           func(s *sealedSecret) { s.Sealed = nil },
	} {
		changed := sealed
		change(&changed)
		if _, err := changed.open("120000", testPass.Keys); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := sealed.open("110000", testPass.Keys); err == nil {
		t.Error("opened as another region's")
	}
}

func TestIDSecretDoesNotPrint(t *testing.T) {
	secret := idSecret(bytes.Repeat([]byte("S"), idSecretSize))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "keys", Keys{IDSecret: secret})
	encoded, err := json.Marshal(Keys{IDSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %x %q %d", secret, Keys{IDSecret: secret}, secret, secret, secret, secret, secret) +
		log.String() + string(encoded)
	// In hexadecimal more digits than the time of a line has.
	for _, leak := range []string{"SSS", "5353535353", "83 83", "U1NT"} {
		if strings.Contains(printed, leak) {
			t.Errorf("%q in %s", leak, printed)
		}
	}
}

func FuzzParseSealedSecret(f *testing.F) {
	secret, _ := newIDSecret(seededRandom("secret"))
	sealed, _ := secret.seal(seededRandom("salt"), "120000", testPass.Keys)
	b, _ := json.Marshal(sealed)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSealedSecret(b)
		if err != nil {
			return
		}
		s.Iterations = min(s.Iterations, minIterations) // the parser is fuzzed, not PBKDF2
		if _, err := s.open(peers.Region("120000"), []byte("guess")); err == nil {
			t.Fatal("opened by a guess")
		}
	})
}
