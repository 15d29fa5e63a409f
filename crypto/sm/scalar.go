package sm

import (
	"bytes"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm2"
)

const scalarSize = 32

// nMinus1 is the order of the SM2 base point less one, big-endian
// (GB/T 32918.5). A private key lies in [1, n-2], for signing divides by 1+d.
var nMinus1 = [scalarSize]byte{
	0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x72, 0x03, 0xdf, 0x6b, 0x21, 0xc6, 0x05, 0x2b,
	0x53, 0xbb, 0xf4, 0x09, 0x39, 0xd5, 0x41, 0x22,
}

func inRange(d []byte) bool {
	var zero [scalarSize]byte
	return len(d) == scalarSize && !bytes.Equal(d, zero[:]) && bytes.Compare(d, nMinus1[:]) < 0
}

// newScalar makes the library's key of a scalar in range.
func newScalar(d []byte) (*sm2.PrivateKey, error) {
	if !inRange(d) {
		return nil, errScalar
	}
	key, err := sm2.NewPrivateKey(d)
	if err != nil {
		return nil, errScalar
	}
	return key, nil
}

// generateScalar draws candidates of 32 bytes until one is in range; the first
// one is, but for one case in 2^32. The same rand gives the same key.
func generateScalar(rand io.Reader) (*sm2.PrivateKey, error) {
	d := make([]byte, scalarSize)
	for range 8 {
		if _, err := io.ReadFull(rand, d); err != nil {
			return nil, fmt.Errorf("sm: random source: %w", err)
		}
		if inRange(d) {
			return newScalar(d)
		}
	}
	return nil, errRandom
}

// pointOf returns the public half of key.
func pointOf(key *sm2.PrivateKey) (point, error) {
	var raw [PublicSize]byte
	raw[0] = 4
	key.X.FillBytes(raw[1:33])
	key.Y.FillBytes(raw[33:])
	return parsePoint(raw[:])
}

// secret prints in place of what must not be printed, for every verb of fmt
// and for slog.
const secret = "[redacted]"

// redact writes secret, whatever the verb.
func redact(w io.Writer) { io.WriteString(w, secret) }
