package sm

import (
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxSignature is the longest DER encoding of two integers below n.
const maxSignature = 72

// strictSignature reports whether sig is exactly SEQUENCE { INTEGER r,
// INTEGER s } in DER: short lengths, positive integers of at most 32 bytes in
// their shortest form, nothing after. One signature thus has one spelling.
// That r and s are below n is for the verification to check.
func strictSignature(sig []byte) bool {
	if len(sig) < 8 || len(sig) > maxSignature || sig[0] != 0x30 || int(sig[1]) != len(sig)-2 {
		return false
	}
	rest, ok := cutScalar(sig[2:])
	if !ok {
		return false
	}
	rest, ok = cutScalar(rest)
	return ok && len(rest) == 0
}

// cutScalar cuts a DER INTEGER from 1 to 2^256-1 off the front of b.
func cutScalar(b []byte) (rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 {
		return nil, false
	}
	n := int(b[1])
	if n == 0 || n > 33 || len(b) < 2+n {
		return nil, false
	}
	v, rest := b[2:2+n], b[2+n:]
	switch {
	case v[0]&0x80 != 0: // negative
		return nil, false
	case v[0] == 0 && (n == 1 || v[1]&0x80 == 0): // zero, or not the shortest
		return nil, false
	case n == 33 && v[0] != 0:
		return nil, false
	}
	return rest, true
}

// Sizes of what is encrypted to a decryption key. A very short plaintext can
// be guessed by its mask being nearly empty; a long one belongs under SM4.
const (
	minPlaintext  = 16
	maxPlaintext  = 1024
	maxCiphertext = maxPlaintext + 128
)

// strictCiphertext reports whether ct is a GM/T 0009 SM2Cipher in DER:
// SEQUENCE { INTEGER x, INTEGER y, OCTET STRING hash, OCTET STRING c2 } with
// (x, y) on the curve and a c2 of allowed size.
func strictCiphertext(ct []byte) bool {
	if len(ct) > maxCiphertext {
		return false
	}
	var body cryptobyte.String
	var x, y, hash, c2 []byte
	in := cryptobyte.String(ct)
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1Integer(&x) || !body.ReadASN1Integer(&y) ||
		!body.ReadASN1Bytes(&hash, asn1.OCTET_STRING) ||
		!body.ReadASN1Bytes(&c2, asn1.OCTET_STRING) || !body.Empty() {
		return false
	}
	if len(x) > 32 || len(y) > 32 || len(hash) != DigestSize ||
		len(c2) < minPlaintext || len(c2) > maxPlaintext {
		return false
	}
	var raw [PublicSize]byte
	raw[0] = 4
	copy(raw[33-len(x):33], x)
	copy(raw[65-len(y):], y)
	return onCurve(raw[:])
}

// Object identifiers of key files and public keys.
var (
	oidECPublicKey = encoding.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidSM2Curve    = encoding.ObjectIdentifier{1, 2, 156, 10197, 1, 301}
)

// addAlgorithm writes AlgorithmIdentifier { id-ecPublicKey, sm2 }, as OpenSSL
// does.
func addAlgorithm(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidECPublicKey)
		b.AddASN1ObjectIdentifier(oidSM2Curve)
	})
}

func readAlgorithm(s *cryptobyte.String) bool {
	var seq cryptobyte.String
	var kind, curve encoding.ObjectIdentifier
	return s.ReadASN1(&seq, asn1.SEQUENCE) &&
		seq.ReadASN1ObjectIdentifier(&kind) && kind.Equal(oidECPublicKey) &&
		seq.ReadASN1ObjectIdentifier(&curve) && curve.Equal(oidSM2Curve) && seq.Empty()
}
