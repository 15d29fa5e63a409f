package sm

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/emmansun/gmsm/sm2"
)

const decryptionRole = "decryption"

// DecryptionKey opens what is encrypted to a region. It signs nothing, is safe
// for concurrent use and never prints.
type DecryptionKey struct {
	key    *sm2.PrivateKey
	public *DecryptionPublic
}

// GenerateDecryption makes a key from rand, which is crypto/rand.Reader
// outside tests.
func GenerateDecryption(rand io.Reader) (*DecryptionKey, error) {
	key, err := generateScalar(rand)
	if err != nil {
		return nil, err
	}
	return newDecryption(key)
}

func newDecryption(key *sm2.PrivateKey) (*DecryptionKey, error) {
	p, err := pointOf(key)
	if err != nil {
		return nil, err
	}
	return &DecryptionKey{key: key, public: &DecryptionPublic{p}}, nil
}

// Public returns the public half.
func (k *DecryptionKey) Public() *DecryptionPublic { return k.public }

// Decrypt opens a ciphertext of Encrypt, or of any other implementation that
// writes GM/T 0009 DER. The only error is ErrDecrypt.
func (k *DecryptionKey) Decrypt(ct []byte) ([]byte, error) {
	if !strictCiphertext(ct) {
		return nil, ErrDecrypt
	}
	plaintext, err := k.key.Decrypt(nil, ct, sm2.ASN1DecrypterOpts)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

func (k *DecryptionKey) String() string             { return secret }
func (k *DecryptionKey) GoString() string           { return secret }
func (k *DecryptionKey) Format(f fmt.State, _ rune) { redact(f) }
func (k *DecryptionKey) LogValue() slog.Value       { return slog.StringValue(secret) }

// MarshalText refuses: a private key leaves the process only as a key file.
func (k *DecryptionKey) MarshalText() ([]byte, error) { return nil, errSecretText }

// DecryptionPublic is what others encrypt to. It is immutable; compare with
// Equal.
type DecryptionPublic struct{ point }

// ParseDecryptionPublic reads a 65-byte uncompressed point.
func ParseDecryptionPublic(b []byte) (*DecryptionPublic, error) {
	p, err := parsePoint(b)
	if err != nil {
		return nil, err
	}
	return &DecryptionPublic{p}, nil
}

// Encrypt encrypts 16 to 1024 bytes under SM2 (GB/T 32918.4), C1C3C2 in the
// DER form of GM/T 0009. The same rand gives the same ciphertext.
func (p *DecryptionPublic) Encrypt(rand io.Reader, plaintext []byte) ([]byte, error) {
	if p == nil || p.key == nil {
		return nil, errZeroKey
	}
	if len(plaintext) < minPlaintext || len(plaintext) > maxPlaintext {
		return nil, errSize
	}
	ct, err := sm2.EncryptASN1(rand, p.key, plaintext)
	if err != nil {
		return nil, fmt.Errorf("sm: encrypt: %w", err)
	}
	return ct, nil
}

// Equal reports whether both are the same key.
func (p *DecryptionPublic) Equal(other *DecryptionPublic) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p.raw == other.raw
}

func (p *DecryptionPublic) String() string {
	b, err := p.text(decryptionRole)
	if err != nil {
		return ""
	}
	return string(b)
}

// MarshalText writes "decryption:BASE64".
func (p *DecryptionPublic) MarshalText() ([]byte, error) { return p.text(decryptionRole) }

// UnmarshalText reads what MarshalText writes.
func (p *DecryptionPublic) UnmarshalText(text []byte) error {
	q, err := parsePointText(decryptionRole, text)
	if err != nil {
		return err
	}
	p.point = q
	return nil
}
