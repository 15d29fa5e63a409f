package sm

import (
	encoding "encoding/asn1"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// oidFriendlyName is PKCS#9 friendlyName (RFC 2985), a standard attribute of
// PKCS#8 keys. It holds the role inside what the passphrase encrypts.
var oidFriendlyName = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}

var (
	tagParameters = asn1.Tag(0).ContextSpecific().Constructed()
	tagPublic     = asn1.Tag(1).ContextSpecific().Constructed()
	tagAttributes = asn1.Tag(0).ContextSpecific().Constructed()
	tagBMPString  = asn1.Tag(30)
)

// marshalPKCS8 writes the PrivateKeyInfo of RFC 5208 with an ECPrivateKey of
// RFC 5915 inside and the role as friendlyName.
func marshalPKCS8(key *sm2.PrivateKey, role string) ([]byte, error) {
	p, err := pointOf(key)
	if err != nil {
		return nil, err
	}
	var d [scalarSize]byte
	defer clear(d[:])
	key.D.FillBytes(d[:])

	b := cryptobyte.NewBuilder(make([]byte, 0, 256))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		addAlgorithm(b)
		b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1OctetString(d[:])
				b.AddASN1(tagPublic, func(b *cryptobyte.Builder) { b.AddASN1BitString(p.raw[:]) })
			})
		})
		b.AddASN1(tagAttributes, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidFriendlyName)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(tagBMPString, func(b *cryptobyte.Builder) { addBMP(b, roleNamePrefix+role) })
				})
			})
		})
	})
	return b.Bytes()
}

// addBMP writes ASCII text as UCS-2, big-endian.
func addBMP(b *cryptobyte.Builder, text string) {
	for i := range len(text) {
		b.AddUint16(uint16(text[i]))
	}
}

// parsePKCS8 reads a PrivateKeyInfo. The role is empty if the file has no
// attribute; public is nil if the file does not hold it.
func parsePKCS8(der []byte) (d, public []byte, role string, ok bool) {
	in := cryptobyte.String(der)
	var info, inner cryptobyte.String
	var version int64
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() ||
		!info.ReadASN1Integer(&version) || version != 0 || !readAlgorithm(&info) ||
		!info.ReadASN1(&inner, asn1.OCTET_STRING) {
		return nil, nil, "", false
	}
	if !info.Empty() {
		if role, ok = readRole(&info); !ok {
			return nil, nil, "", false
		}
	}
	d, public, ok = parseSEC1(inner)
	return d, public, role, ok
}

func parseSEC1(in cryptobyte.String) (d, public []byte, ok bool) {
	var seq, params, bits cryptobyte.String
	var version int64
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadASN1Integer(&version) || version != 1 ||
		!seq.ReadASN1Bytes(&d, asn1.OCTET_STRING) || len(d) != scalarSize {
		return nil, nil, false
	}
	var present bool
	var curve encoding.ObjectIdentifier
	if !seq.ReadOptionalASN1(&params, &present, tagParameters) {
		return nil, nil, false
	}
	if present && (!params.ReadASN1ObjectIdentifier(&curve) || !params.Empty() || !curve.Equal(oidSM2Curve)) {
		return nil, nil, false
	}
	if !seq.ReadOptionalASN1(&bits, &present, tagPublic) || !seq.Empty() {
		return nil, nil, false
	}
	if present && (!bits.ReadASN1BitStringAsBytes(&public) || !bits.Empty()) {
		return nil, nil, false
	}
	return d, public, true
}

// readRole reads the attributes, which are exactly one friendlyName.
func readRole(info *cryptobyte.String) (string, bool) {
	var attributes, attribute, values, name cryptobyte.String
	var oid encoding.ObjectIdentifier
	if !info.ReadASN1(&attributes, tagAttributes) || !info.Empty() ||
		!attributes.ReadASN1(&attribute, asn1.SEQUENCE) || !attributes.Empty() ||
		!attribute.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidFriendlyName) ||
		!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() ||
		!values.ReadASN1(&name, tagBMPString) || !values.Empty() {
		return "", false
	}
	var text strings.Builder
	for !name.Empty() {
		var c uint16
		if !name.ReadUint16(&c) || c >= 0x80 {
			return "", false
		}
		text.WriteByte(byte(c))
	}
	return strings.CutPrefix(text.String(), roleNamePrefix)
}
