package sm

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// PublicSize is the length of an uncompressed SM2 point: 0x04, x, y.
const PublicSize = 65

var (
	errPoint     = errors.New("sm: a public key is a 65-byte uncompressed point on the SM2 curve")
	errZeroKey   = errors.New("sm: no key")
	errKeyID     = errors.New("sm: a key id is 32 lower-case hexadecimal digits")
	errPublicPEM = errors.New("sm: cannot write the public key")
)

// KeyID names a public key: the first 16 bytes of the SM3 digest of its 65
// bytes.
type KeyID [16]byte

func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes 32 lower-case hexadecimal digits.
func (id KeyID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads what MarshalText writes, and no other spelling.
func (id *KeyID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) || !lowerHex(text) {
		return errKeyID
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// point is a public key that was checked once: on the curve, with what every
// later use needs. It is immutable.
type point struct {
	raw [PublicSize]byte
	id  KeyID
	key *ecdsa.PublicKey // the library's form; nil in the zero value
}

// onCurve reports whether b is a 65-byte uncompressed point on the curve. The
// library's decoder checks the equation and that both coordinates are reduced.
func onCurve(b []byte) bool {
	if len(b) != PublicSize || b[0] != 4 {
		return false
	}
	_, err := sm2.NewPublicKey(b)
	return err == nil
}

func parsePoint(b []byte) (point, error) {
	if len(b) != PublicSize || b[0] != 4 {
		return point{}, errPoint
	}
	key, err := sm2.NewPublicKey(bytes.Clone(b))
	if err != nil {
		return point{}, errPoint
	}
	p := point{key: key}
	copy(p.raw[:], b)
	sum := Sum(b)
	copy(p.id[:], sum[:])
	return p, nil
}

// Bytes returns a copy of the 65 bytes of the uncompressed point.
func (p *point) Bytes() []byte { return bytes.Clone(p.raw[:]) }

// ID returns the key's id.
func (p *point) ID() KeyID { return p.id }

// MarshalPEM returns the key as a SubjectPublicKeyInfo in PEM, for OpenSSL and
// others. The file carries no role.
func (p *point) MarshalPEM() ([]byte, error) {
	if p.key == nil {
		return nil, errZeroKey
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addAlgorithm(b)
		b.AddASN1BitString(p.raw[:])
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, errPublicPEM
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
}

// text returns "role:base64".
func (p *point) text(role string) ([]byte, error) {
	if p.key == nil {
		return nil, errZeroKey
	}
	b := append([]byte(role), ':')
	return base64.StdEncoding.AppendEncode(b, p.raw[:]), nil
}

func parsePointText(role string, text []byte) (point, error) {
	s := string(text)
	encoded, ok := strings.CutPrefix(s, role+":")
	if !ok {
		return point{}, fmt.Errorf("sm: not a %s key", role)
	}
	if len(encoded) != base64.StdEncoding.EncodedLen(PublicSize) {
		return point{}, errPoint
	}
	// The decoder skips line breaks, but then yields fewer than 65 bytes.
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return point{}, errPoint
	}
	return parsePoint(b)
}
