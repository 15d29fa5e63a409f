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
	t.Run("overwrites nothing", func(t *testing.T) {
		before := readTree(t, dir)
		if _, _, err := createKeys(dir, tianjin, seededRandom("again"), testPass); !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
		if after := readTree(t, dir); before != after {
			t.Error("something changed")
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
	t.Run("a key in another's place", func(t *testing.T) {
		batch, _ := os.ReadFile(filepath.Join(dir, batchKeyName))
		if err := os.WriteFile(filepath.Join(dir, witnessKeyName), batch, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := loadKeys(dir, testPass.Keys); !errors.Is(err, sm.ErrRole) {
			t.Error(err)
		}
	})
	t.Run("another region's keys", func(t *testing.T) {
		other := filepath.Join(t.TempDir(), "bj")
		beijing := founderInfo{Region: "110000", Name: "北京市公共信用信息中心", Addr: "gw.bj.example:8443"}
		if _, _, err := createKeys(other, beijing, seededRandom("bj"), testPass); err != nil {
			t.Fatal(err)
		}
		file, _ := os.ReadFile(filepath.Join(dir, memberName))
		if err := os.WriteFile(filepath.Join(other, memberName), file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := loadKeys(other, testPass.Keys); err == nil {
			t.Error("Beijing's keys were taken for Tianjin's")
		}
	})
}

// A failure half way leaves a directory in which init can run again.
func TestCreateKeysTakesBackWhatItWrote(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, memberName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := createKeys(dir, tianjin, seededRandom("tj"), testPass); !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	if left := readTree(t, dir); strings.TrimSpace(left) != memberName+" 0" {
		t.Errorf("left behind:\n%s", left)
	}
}

func readTree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	root := os.DirFS(dir)
	names := []string{nodeKeyName, batchKeyName, decryptionName, witnessKeyName, idSecretName, recoveryName, memberName}
	for _, name := range names {
		if f, err := root.Open(name); err == nil {
			f.Close()
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b, name, len(data))
			b.Write(data)
		}
	}
	return b.String()
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
	for _, leak := range []string{"SSS", "535353", "83 83", "U1NT"} {
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
