package sm_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/smx509"

	"github.com/xinqiao/creditgw/crypto/openssl"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// These tests hold the package against OpenSSL, the implementation that an
// agency, an auditor or a court has at hand, in both directions.

// point returns the 65 bytes of a public key file that OpenSSL wrote.
func point(o openssl.Dir, name string) []byte {
	o.Run("pkey", "-in", name, "-pubout", "-outform", "DER", "-out", name+".spki")
	spki := o.Read(name + ".spki")
	return spki[len(spki)-sm.PublicSize:]
}

const distID = "distid:1234567812345678"

func TestOpenSSLVerifiesOurSignature(t *testing.T) {
	o := openssl.In(t)
	key, ledger, msg := generate[sm.Batch](t), sm.Sum([]byte("genesis")), []byte("preamble")
	public, err := key.Public().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	o.Write("public.pem", public)
	sig := sign(t, key, sm.LabelBatch, ledger, msg)
	if !o.Verifies("public.pem", sm.Message(sm.LabelBatch, ledger, msg), sig) {
		t.Error("OpenSSL does not verify it")
	}
	if o.Verifies("public.pem", sm.Message(sm.LabelTicket, ledger, msg), sig) {
		t.Error("OpenSSL verifies for another purpose")
	}
}

func TestWeVerifyOpenSSLsSignature(t *testing.T) {
	o := openssl.In(t)
	o.Run("genpkey", "-algorithm", "SM2", "-out", "key.pem")
	record, ledger := []byte("canonical record"), sm.Sum([]byte("genesis"))
	sig := o.Sign("key.pem", sm.Message(sm.LabelAuthor, ledger, record))
	key, err := sm.ParsePublic[sm.Agency](point(o, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify(sm.LabelAuthor, ledger, record, sig); err != nil {
		t.Error(err)
	}
	if err := key.Verify(sm.LabelFile, ledger, record, sig); !errors.Is(err, sm.ErrSignature) {
		t.Errorf("for another purpose: %v", err)
	}
}

func TestOpenSSLReadsOurKeyFile(t *testing.T) {
	o := openssl.In(t)
	key := generate[sm.Agency](t)
	file, err := key.MarshalPEM(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	o.Write("ours.pem", file)
	o.Run("pkey", "-in", "ours.pem", "-passin", "pass:"+string(passphrase), "-out", "plain.pem")
	if !bytes.Equal(point(o, "plain.pem"), key.Public().Bytes()) {
		t.Error("OpenSSL reads another key")
	}
	if _, err := o.Try("pkey", "-in", "ours.pem", "-passin", "pass:wrong", "-noout"); err == nil {
		t.Error("OpenSSL opens it with a wrong passphrase")
	}

	// The carrying library's own reader, which others use, takes the file too.
	block, _ := pem.Decode(file)
	theirs, err := pkcs8.ParsePKCS8PrivateKeySM2(block.Bytes, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if x := key.Public().Bytes()[1:33]; !bytes.Equal(theirs.X.FillBytes(make([]byte, 32)), x) {
		t.Error("the library reads another key")
	}
}

func TestWeImportOpenSSLsKeyFile(t *testing.T) {
	o := openssl.In(t)
	o.Run("genpkey", "-algorithm", "SM2", "-out", "plain.pem")
	for _, cipher := range []string{"sm4-cbc", "aes-256-cbc"} {
		o.Run("pkcs8", "-topk8", "-in", "plain.pem", "-v2", cipher, "-v2prf", "hmacWithSHA256",
			"-passout", "pass:"+string(passphrase), "-out", cipher)
		key, err := sm.ImportPrivate[sm.Agency](o.Read(cipher), passphrase)
		if err != nil {
			t.Fatalf("%s: %v", cipher, err)
		}
		if !bytes.Equal(key.Public().Bytes(), point(o, "plain.pem")) {
			t.Errorf("%s: another key", cipher)
		}
		if _, err := sm.ParsePrivate[sm.Agency](o.Read(cipher), passphrase); !errors.Is(err, sm.ErrRole) {
			t.Errorf("%s: a file without a role passes for one with: %v", cipher, err)
		}
	}
	o.Run("pkcs8", "-topk8", "-in", "plain.pem", "-v2", "des3", "-passout", "pass:x", "-out", "des3")
	if _, err := sm.ImportPrivate[sm.Agency](o.Read("des3"), []byte("x")); !errors.Is(err, sm.ErrKeyFile) {
		t.Errorf("3DES: %v", err)
	}
	if _, err := sm.ImportPrivate[sm.Agency](o.Read("plain.pem"), passphrase); !errors.Is(err, sm.ErrKeyFile) {
		t.Errorf("a key in the clear: %v", err)
	}
	o.Run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes-256-cbc",
		"-pass", "pass:"+string(passphrase), "-out", "p256")
	if _, err := sm.ImportPrivate[sm.Agency](o.Read("p256"), passphrase); !errors.Is(err, sm.ErrKeyFile) {
		t.Errorf("a key on P-256: %v", err)
	}
}

func TestSM2CiphertextsCross(t *testing.T) {
	o := openssl.In(t)
	key, secret := generateDecryption(t), []byte("0123456789abcdef0123456789abcdef")
	public, err := key.Public().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	file, err := key.MarshalPEM(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	o.Write("public.pem", public)
	o.Write("key.pem", file)
	o.Write("secret", secret)

	o.Run("pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "secret", "-out", "theirs")
	if got, err := key.Decrypt(o.Read("theirs")); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("OpenSSL's ciphertext: %v", err)
	}
	ct, err := key.Public().Encrypt(rand.Reader, secret)
	if err != nil {
		t.Fatal(err)
	}
	o.Write("ours", ct)
	o.Run("pkeyutl", "-decrypt", "-inkey", "key.pem", "-passin", "pass:"+string(passphrase), "-in", "ours", "-out", "opened")
	if got := o.Read("opened"); !bytes.Equal(got, secret) {
		t.Error("OpenSSL opens our ciphertext to something else")
	}
}

// A certificate over a gateway's key, as a licensed CA would issue it: from
// OpenSSL read here, and from here read by OpenSSL.
func TestCertificatesCross(t *testing.T) {
	o := openssl.In(t)
	key := generate[sm.Agency](t)
	file, err := key.MarshalPEM(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	o.Write("key.pem", file)
	o.Run("req", "-new", "-x509", "-key", "key.pem", "-passin", "pass:"+string(passphrase), "-sm3",
		"-sigopt", distID, "-subj", "/CN=agency", "-days", "2", "-out", "cert.pem")
	theirs, err := smx509.ParseCertificatePEM(o.Read("cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.CheckSignature(theirs.SignatureAlgorithm, theirs.RawTBSCertificate, theirs.Signature); err != nil {
		t.Errorf("OpenSSL's certificate: %v", err)
	}
	if spki := theirs.RawSubjectPublicKeyInfo; !bytes.HasSuffix(spki, key.Public().Bytes()) {
		t.Error("the certificate is for another key")
	}

	block, _ := pem.Decode(file)
	private, err := pkcs8.ParsePKCS8PrivateKeySM2(block.Bytes, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	authority := &smx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	gateway := &smx509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "gateway"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
	}
	for name, template := range map[string]*smx509.Certificate{"authority.pem": authority, "gateway.pem": gateway} {
		der, err := smx509.CreateCertificate(rand.Reader, template, authority, private.Public(), private)
		if err != nil {
			t.Fatal(err)
		}
		o.Write(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	// -vfyopt reaches the certificate on the command line only, so the
	// signature under test is the one below the trusted root.
	o.Run("verify", "-vfyopt", distID, "-CAfile", "authority.pem", "gateway.pem")
	if _, err := o.Try("verify", "-vfyopt", "distid:8765432187654321", "-CAfile", "authority.pem", "gateway.pem"); err == nil {
		t.Error("OpenSSL verifies under another user id")
	}
}

func TestDigestsCross(t *testing.T) {
	o := openssl.In(t)
	o.Write("file", []byte("canonical record"))
	want := sm.Sum([]byte("canonical record")).String()
	if out := o.Run("dgst", "-sm3", "-r", "file"); !bytes.HasPrefix(out, []byte(want)) {
		t.Errorf("%s, not %s", out, want)
	}
}
