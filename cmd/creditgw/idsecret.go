package main

import (
	"bytes"
	"crypto/pbkdf2"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

const idSecretSize = 32

// idSecret is the region's secret from which entry ids are derived. It is made
// once and never changes: a firm's decision must get the same id for ever. It
// does not print.
type idSecret []byte

func newIDSecret(rand io.Reader) (idSecret, error) {
	s := make(idSecret, idSecretSize)
	if _, err := io.ReadFull(rand, s); err != nil {
		return nil, fmt.Errorf("id secret: %w", err)
	}
	return s, nil
}

const redacted = "[redacted id secret]"

func (idSecret) String() string             { return redacted }
func (idSecret) GoString() string           { return redacted }
func (idSecret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
func (idSecret) LogValue() slog.Value       { return slog.StringValue(redacted) }

// MarshalJSON never gives the secret away: only seal writes it.
func (idSecret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// sealedSecret is the form of docs/formats/keys.md.
type sealedSecret struct {
	Version    int    `json:"version"`
	KDF        string `json:"kdf"`
	Iterations int    `json:"iterations"`
	Salt       []byte `json:"salt"`
	Sealed     []byte `json:"sealed"`
}

const (
	sealedVersion  = 1
	sealedKDF      = "pbkdf2-hmac-sm3"
	sealIterations = 200_000
	minIterations  = 1_000
	maxIterations  = 2_000_000 // bounds what a file can cost before its passphrase is tried
	saltSize       = 16
	sealTag        = 16 // of SM4-GCM
	maxSealedFile  = 4 << 10
)

// errSealed does not tell a wrong passphrase from changed bytes: the cipher
// can't either.
var errSealed = errors.New("id secret: wrong passphrase or damaged file")

func (s idSecret) seal(rand io.Reader, region peers.Region, passphrase []byte) (sealedSecret, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return sealedSecret{}, fmt.Errorf("id secret: %w", err)
	}
	f := sealedSecret{Version: sealedVersion, KDF: sealedKDF, Iterations: sealIterations, Salt: salt}
	key, err := f.key(passphrase)
	if err != nil {
		return sealedSecret{}, err
	}
	// The salt is fresh, so the key is, and one nonce serves.
	f.Sealed = key.Seal([12]byte{}, s, idSecretContext(region))
	return f, nil
}

func (f sealedSecret) open(region peers.Region, passphrase []byte) (idSecret, error) {
	if f.Version != sealedVersion || f.KDF != sealedKDF || len(f.Salt) != saltSize ||
		len(f.Sealed) != idSecretSize+sealTag || f.Iterations < minIterations || f.Iterations > maxIterations {
		return nil, errors.New("id secret: malformed file")
	}
	key, err := f.key(passphrase)
	if err != nil {
		return nil, err
	}
	s, err := key.Open([12]byte{}, f.Sealed, idSecretContext(region))
	if err != nil {
		return nil, errSealed
	}
	return s, nil
}

func idSecretContext(region peers.Region) []byte {
	return []byte(string(sm.LabelIDSecret) + string(region))
}

func (f sealedSecret) key(passphrase []byte) (sm.ContentKey, error) {
	b, err := pbkdf2.Key(sm.NewHash, string(passphrase), f.Salt, f.Iterations, sm.ContentKeySize)
	if err != nil {
		return sm.ContentKey{}, fmt.Errorf("id secret: %w", err)
	}
	return sm.ContentKey(b), nil
}

func parseSealedSecret(b []byte) (sealedSecret, error) {
	var f sealedSecret
	if len(b) > maxSealedFile {
		return f, errors.New("id secret: malformed file")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return f, errors.New("id secret: malformed file")
	}
	if _, err := dec.Token(); err != io.EOF {
		return f, errors.New("id secret: malformed file")
	}
	return f, nil
}
