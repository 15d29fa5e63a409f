package selftest

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	secondsm2 "github.com/tjfoc/gmsm/sm2"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// The key, nonce and results of the examples of GB/T 32918.5, annexes A and C.
const (
	exampleKey    = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"
	examplePublic = "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020" +
		"ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
	exampleNonce = "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21"
	exampleR     = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
	exampleS     = "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
	exampleC1X   = "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
	exampleC1Y   = "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
	exampleC3    = "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
	exampleC2    = "21886ca989ca9c7d58087307ca93092d651efa"
	examplePlain = "encryption standard"
)

// userID is the one that GM/T 0009 sets for all who agree on no other.
var userID = []byte("1234567812345678")

// secondPublic is the second implementation's form of a public key that is
// known to lie on the curve.
func secondPublic(point []byte) *secondsm2.PublicKey {
	return &secondsm2.PublicKey{
		Curve: secondsm2.P256Sm2(),
		X:     new(big.Int).SetBytes(point[1:33]),
		Y:     new(big.Int).SetBytes(point[33:65]),
	}
}

// signature is the two numbers of a DER signature.
type signature struct{ R, S *big.Int }

func sm2VerifyVector() error {
	point, msg := bytesOf(examplePublic), []byte("message digest")
	sig := signature{new(big.Int).SetBytes(bytesOf(exampleR)), new(big.Int).SetBytes(bytesOf(exampleS))}
	der, err := asn1.Marshal(sig)
	if err != nil {
		return err
	}
	key, err := sm2.NewPublicKey(point)
	if err != nil {
		return err
	}
	if !sm2.VerifyASN1WithSM2(key, userID, msg, der) {
		return errors.New("first implementation refuses the standard's signature")
	}
	if !secondsm2.Sm2Verify(secondPublic(point), msg, userID, sig.R, sig.S) {
		return errors.New("second implementation refuses the standard's signature")
	}
	msg[0] ^= 1
	if sm2.VerifyASN1WithSM2(key, userID, msg, der) || secondsm2.Sm2Verify(secondPublic(point), msg, userID, sig.R, sig.S) {
		return errors.New("a signature of another message is accepted")
	}
	return nil
}

// sm2SignAgree lets each implementation verify what the other signed with a
// throw-away key, through the same door that all traffic takes.
func sm2SignAgree() error {
	d := make([]byte, 32)
	rand.Read(d)
	d[0] = 1 // in range for certain
	key, err := sm.Generate[sm.Node](bytes.NewReader(d))
	if err != nil {
		return err
	}
	public := key.Public()
	second := &secondsm2.PrivateKey{PublicKey: *secondPublic(public.Bytes()), D: new(big.Int).SetBytes(d)}

	ledger, msg := sm.Sum(d), pattern(300)
	full := sm.Message(sm.LabelRoot, ledger, msg)
	ours, err := key.Sign(sm.LabelRoot, ledger, msg)
	if err != nil {
		return err
	}
	theirs, err := second.Sign(rand.Reader, full, nil)
	if err != nil {
		return err
	}
	if err := public.Verify(sm.LabelRoot, ledger, msg, ours); err != nil {
		return fmt.Errorf("own signature: %w", err)
	}
	if err := public.Verify(sm.LabelRoot, ledger, msg, theirs); err != nil {
		return fmt.Errorf("second implementation's signature: %w", err)
	}
	if !second.PublicKey.Verify(full, ours) {
		return errors.New("second implementation refuses our signature")
	}
	if public.Verify(sm.LabelMark, ledger, msg, ours) == nil {
		return errors.New("a signature holds for another purpose")
	}
	return nil
}

func sm2EncryptVector() error {
	key, err := sm.GenerateDecryption(bytes.NewReader(bytesOf(exampleKey)))
	if err != nil {
		return err
	}
	if !bytes.Equal(key.Public().Bytes(), bytesOf(examplePublic)) {
		return errors.New("the public key is not the private key's")
	}
	ct, err := key.Public().Encrypt(bytes.NewReader(bytesOf(exampleNonce)), []byte(examplePlain))
	if err != nil {
		return err
	}
	want, err := asn1.Marshal(struct {
		X, Y   *big.Int
		C3, C2 []byte
	}{
		new(big.Int).SetBytes(bytesOf(exampleC1X)), new(big.Int).SetBytes(bytesOf(exampleC1Y)),
		bytesOf(exampleC3), bytesOf(exampleC2),
	})
	if err != nil {
		return err
	}
	if !bytes.Equal(ct, want) {
		return fmt.Errorf("ciphertext %x", ct)
	}
	if got, err := key.Decrypt(want); err != nil || string(got) != examplePlain {
		return errors.New("the standard's ciphertext does not open")
	}
	return nil
}

// sm2DecryptGuard offers what a decryption must never answer: another key's
// ciphertext, a changed one, and a point off the curve, whose answers would
// give the private key away.
func sm2DecryptGuard() error {
	key, err := sm.GenerateDecryption(rand.Reader)
	if err != nil {
		return err
	}
	other, err := sm.GenerateDecryption(rand.Reader)
	if err != nil {
		return err
	}
	ct, err := key.Public().Encrypt(rand.Reader, pattern(32))
	if err != nil {
		return err
	}
	if got, err := key.Decrypt(ct); err != nil || !bytes.Equal(got, pattern(32)) {
		return errors.New("own ciphertext does not open")
	}
	if _, err := other.Decrypt(ct); err == nil {
		return errors.New("another key's ciphertext opens")
	}
	changed := bytes.Clone(ct)
	changed[len(changed)-1] ^= 1
	if _, err := key.Decrypt(changed); err == nil {
		return errors.New("a changed ciphertext opens")
	}
	offCurve, err := asn1.Marshal(struct {
		X, Y   *big.Int
		C3, C2 []byte
	}{big.NewInt(1), big.NewInt(1), make([]byte, 32), make([]byte, 32)})
	if err != nil {
		return err
	}
	if _, err := key.Decrypt(offCurve); err == nil {
		return errors.New("a point off the curve is answered")
	}
	return nil
}
