package sm

import (
	"crypto/cipher"
	"fmt"
	"io"
	"log/slog"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// ContentKeySize is the length of an SM4 key in bytes.
const ContentKeySize = 16

// ContentOverhead is what Seal adds to a plaintext: the GCM tag.
const ContentOverhead = 16

// ContentKey is an SM4 key for content. It never prints where fmt and slog can
// ask it; don't hold it in an unexported field of a struct that is printed,
// for fmt reads those by reflection.
type ContentKey [ContentKeySize]byte

// NewContentKey draws a key from rand.
func NewContentKey(rand io.Reader) (ContentKey, error) {
	var k ContentKey
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return ContentKey{}, fmt.Errorf("sm: random source: %w", err)
	}
	return k, nil
}

// DeriveContentKey derives a key from a secret of full entropy and a context
// by the key derivation function of GB/T 32918.4 5.4.3. The secret's length
// must be fixed by the format, for it is followed directly by the context.
func DeriveContentKey(secret, context []byte) ContentKey {
	z := make([]byte, 0, len(secret)+len(context))
	z = append(append(z, secret...), context...)
	return ContentKey(sm3.Kdf(z, ContentKeySize))
}

// AEAD returns SM4-GCM under the key, set up once for many short messages. The
// caller never uses a nonce twice.
func (k ContentKey) AEAD() (cipher.AEAD, error) {
	block, err := sm4.NewCipher(k[:])
	if err != nil {
		return nil, fmt.Errorf("sm: %w", err)
	}
	return cipher.NewGCM(block)
}

// Stream returns SM4-CTR under the key, from its first block on: for one text
// that is read again by whom has written it, and where nobody else writes. A
// second text under the same key would give both away.
func (k ContentKey) Stream() (cipher.Stream, error) {
	block, err := sm4.NewCipher(k[:])
	if err != nil {
		return nil, fmt.Errorf("sm: %w", err)
	}
	return cipher.NewCTR(block, make([]byte, sm4.BlockSize)), nil
}

// Seal encrypts plaintext under SM4-GCM and returns ciphertext and tag. A
// nonce must never be used twice under one key. It returns nil, never a
// plaintext, if the library refuses, which it does for no key of this size and
// no plaintext below 64 GiB.
func (k ContentKey) Seal(nonce [12]byte, plaintext, aad []byte) []byte {
	return k.AppendSeal(make([]byte, 0, len(plaintext)+ContentOverhead), nonce, plaintext, aad)
}

// AppendSeal is Seal into the room behind dst. The plaintext may already lie
// there, to be encrypted in place.
func (k ContentKey) AppendSeal(dst []byte, nonce [12]byte, plaintext, aad []byte) []byte {
	aead, err := k.AEAD()
	if err != nil || uint64(len(plaintext)) > 1<<36-32 {
		return nil
	}
	return aead.Seal(dst, nonce[:], plaintext, aad)
}

// Open decrypts what Seal made. The only error is ErrDecrypt.
func (k ContentKey) Open(nonce [12]byte, ct, aad []byte) ([]byte, error) {
	aead, err := k.AEAD()
	if err != nil || len(ct) < ContentOverhead {
		return nil, ErrDecrypt
	}
	plaintext, err := aead.Open(make([]byte, 0, len(ct)-ContentOverhead), nonce[:], ct, aad)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// MarshalText refuses: a content key leaves the process only wrapped.
func (k ContentKey) MarshalText() ([]byte, error) { return nil, errSecretText }

func (k ContentKey) String() string             { return secret }
func (k ContentKey) GoString() string           { return secret }
func (k ContentKey) Format(f fmt.State, _ rune) { redact(f) }
func (k ContentKey) LogValue() slog.Value       { return slog.StringValue(secret) }
