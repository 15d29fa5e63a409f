package sm

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"hash"
	"sync"

	"github.com/emmansun/gmsm/sm3"
)

// DigestSize is the length of an SM3 digest in bytes.
const DigestSize = 32

// Digest is an SM3 digest. Its text form is 64 lower-case hexadecimal digits,
// the only spelling that is accepted.
type Digest [DigestSize]byte

var errDigest = errors.New("sm: a digest is 64 lower-case hexadecimal digits")

// state is an SM3 state with room for its result, so that neither escapes to
// the heap anew for each of the several sums of every record.
type state struct {
	hash.Hash
	out [DigestSize]byte
}

var states = sync.Pool{New: func() any { return &state{Hash: sm3.New()} }}

func newState() *state {
	s := states.Get().(*state)
	s.Reset()
	return s
}

// finish returns the digest and gives the state back.
func (s *state) finish() Digest {
	s.Sum(s.out[:0])
	d := Digest(s.out)
	states.Put(s)
	return d
}

// Sum returns the SM3 digest of the concatenation of parts. It puts nothing
// between them; a caller whose parts vary in length prefixes the lengths.
func Sum(parts ...[]byte) Digest {
	if len(parts) == 1 {
		return sm3.Sum(parts[0])
	}
	s := newState()
	for _, p := range parts {
		s.Write(p)
	}
	return s.finish()
}

// NewHash returns a running SM3 hash, for input that does not fit in memory.
func NewHash() hash.Hash { return sm3.New() }

// HMAC returns HMAC-SM3 of the concatenation of parts under key.
func HMAC(key []byte, parts ...[]byte) Digest {
	m := hmac.New(sm3.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	var d Digest
	m.Sum(d[:0])
	return d
}

// ParseDigest reads the text form of a digest.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	return d, d.UnmarshalText([]byte(text))
}

// IsZero reports whether d is the zero value, which stands for "no digest".
func (d Digest) IsZero() bool { return d == Digest{} }

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the text form.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads the text form and leaves d alone if it is not one.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(DigestSize) || !lowerHex(text) {
		return errDigest
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// lowerHex reports whether text holds lower-case hexadecimal digits only:
// encoding/hex takes upper case too, which would give a digest two spellings.
func lowerHex(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
