package main

import (
	"encoding/asn1"
	"encoding/pem"
	"errors"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// publicKeyInfo is SubjectPublicKeyInfo of RFC 5280.
type publicKeyInfo struct {
	Algorithm struct {
		Algorithm asn1.ObjectIdentifier
		Curve     asn1.ObjectIdentifier
	}
	Key asn1.BitString
}

var (
	oidECKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidSM2   = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301} // GM/T 0006
)

// parsePublic reads an SM2 public key as OpenSSL writes it.
func parsePublic(raw []byte) (*sm.AgencyPublic, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("no PEM in it")
	}
	var info publicKeyInfo
	rest, err := asn1.Unmarshal(block.Bytes, &info)
	if err != nil || len(rest) > 0 {
		return nil, errors.New("no SubjectPublicKeyInfo in it")
	}
	if !info.Algorithm.Algorithm.Equal(oidECKey) || !info.Algorithm.Curve.Equal(oidSM2) {
		return nil, errors.New("its curve is not SM2")
	}
	return sm.ParsePublic[sm.Agency](info.Key.RightAlign())
}
