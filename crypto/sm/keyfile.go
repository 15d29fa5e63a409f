package sm

import (
	"bytes"
	cryptorand "crypto/rand"
	"crypto/x509/pkix"
	encoding "encoding/asn1"
	"encoding/pem"
	"fmt"

	"github.com/emmansun/gmsm/pkcs"
	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of key files. The iteration count bounds the time that a file from
// outside can cost before its passphrase is even tried.
const (
	maxKeyFile     = 8 << 10
	iterations     = 200_000
	minIterations  = 1_000
	maxIterations  = 2_000_000
	maxPassphrase  = 1024
	pemEncrypted   = "ENCRYPTED PRIVATE KEY"
	pemPublic      = "PUBLIC KEY"
	roleNamePrefix = "xinqiao/v1/key/"
)

// MarshalPEM returns the key as encrypted PKCS#8 (PBES2: PBKDF2-HMAC-SHA256,
// SM4-CBC) with its role inside, readable by OpenSSL 3.
func (k *Private[R]) MarshalPEM(passphrase []byte) ([]byte, error) {
	return marshalKey(k.key, roleOf[R](), passphrase)
}

// ParsePrivate reads a key file of role R. A file for another role, or for
// none, is refused with ErrRole.
func ParsePrivate[R Role](file, passphrase []byte) (*Private[R], error) {
	key, role, err := parseKey(file, passphrase)
	if err != nil {
		return nil, err
	}
	if role != roleOf[R]() {
		return nil, ErrRole
	}
	return newPrivate[R](key)
}

// ImportPrivate reads an encrypted PKCS#8 file without a role, as OpenSSL
// makes them, and gives the key role R. A file with a role is refused: a key
// has one role for life.
func ImportPrivate[R Role](file, passphrase []byte) (*Private[R], error) {
	key, role, err := parseKey(file, passphrase)
	if err != nil {
		return nil, err
	}
	if role != "" {
		return nil, ErrRole
	}
	return newPrivate[R](key)
}

// ParsePublicPEM reads what MarshalPEM of a public key writes, and OpenSSL: one
// PEM block with a SubjectPublicKeyInfo on the SM2 curve. The file names no role;
// the caller knows it. The only error is ErrKeyFile.
func ParsePublicPEM[R Role](file []byte) (*Public[R], error) {
	if len(file) > maxKeyFile {
		return nil, ErrKeyFile
	}
	block, rest := pem.Decode(file)
	if block == nil || block.Type != pemPublic || len(bytes.TrimSpace(rest)) != 0 {
		return nil, ErrKeyFile
	}
	in := cryptobyte.String(block.Bytes)
	var info cryptobyte.String
	var raw []byte
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() || !readAlgorithm(&info) ||
		!info.ReadASN1BitStringAsBytes(&raw) || !info.Empty() {
		return nil, ErrKeyFile
	}
	key, err := ParsePublic[R](raw)
	if err != nil {
		return nil, ErrKeyFile
	}
	return key, nil
}

// MarshalPEM returns the key as encrypted PKCS#8 with its role inside.
func (k *DecryptionKey) MarshalPEM(passphrase []byte) ([]byte, error) {
	return marshalKey(k.key, decryptionRole, passphrase)
}

// ParseDecryption reads a decryption key file.
func ParseDecryption(file, passphrase []byte) (*DecryptionKey, error) {
	key, role, err := parseKey(file, passphrase)
	if err != nil {
		return nil, err
	}
	if role != decryptionRole {
		return nil, ErrRole
	}
	return newDecryption(key)
}

func marshalKey(key *sm2.PrivateKey, role string, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 || len(passphrase) > maxPassphrase {
		return nil, ErrPassphrase
	}
	plain, err := marshalPKCS8(key, role)
	if err != nil {
		return nil, fmt.Errorf("sm: key file: %w", err)
	}
	defer clear(plain)
	scheme := pkcs.NewPBESEncrypter(pkcs.SM4CBC, pkcs.NewPBKDF2Opts(pkcs.SHA256, 16, iterations))
	algorithm, ciphertext, err := scheme.Encrypt(cryptorand.Reader, passphrase, plain)
	if err != nil {
		return nil, fmt.Errorf("sm: key file: %w", err)
	}
	der, err := encoding.Marshal(encryptedKey{*algorithm, ciphertext})
	if err != nil {
		return nil, fmt.Errorf("sm: key file: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemEncrypted, Bytes: der}), nil
}

// encryptedKey is the EncryptedPrivateKeyInfo of RFC 5958.
type encryptedKey struct {
	Algorithm  pkix.AlgorithmIdentifier
	Ciphertext []byte
}

// parseKey reads one PEM block and nothing else. Its shape and its cost are
// checked before the passphrase is used.
func parseKey(file, passphrase []byte) (*sm2.PrivateKey, string, error) {
	if len(file) > maxKeyFile {
		return nil, "", ErrKeyFile
	}
	block, rest := pem.Decode(file)
	if block == nil || block.Type != pemEncrypted || len(block.Headers) != 0 || len(bytes.TrimSpace(rest)) != 0 {
		return nil, "", ErrKeyFile
	}
	if !allowedScheme(block.Bytes) {
		return nil, "", ErrKeyFile
	}
	if len(passphrase) == 0 || len(passphrase) > maxPassphrase {
		return nil, "", ErrPassphrase
	}
	plain, ok := decryptPKCS8(block.Bytes, passphrase)
	if !ok {
		return nil, "", ErrPassphrase
	}
	defer clear(plain)
	d, public, role, ok := parsePKCS8(plain)
	if !ok {
		return nil, "", ErrKeyFile
	}
	key, err := newScalar(d)
	if err != nil {
		return nil, "", ErrKeyFile
	}
	p, err := pointOf(key)
	if err != nil || public != nil && !bytes.Equal(public, p.raw[:]) {
		return nil, "", ErrKeyFile
	}
	return key, role, nil
}

// decryptPKCS8 calls the library. Its PKCS parsers have panicked on outside
// bytes before, so a panic counts as a file that does not open.
func decryptPKCS8(der, passphrase []byte) (plain []byte, ok bool) {
	defer func() {
		if recover() != nil {
			plain, ok = nil, false
		}
	}()
	var k encryptedKey
	if rest, err := encoding.Unmarshal(der, &k); err != nil || len(rest) != 0 {
		return nil, false
	}
	var params pkcs.PBES2Params
	if rest, err := encoding.Unmarshal(k.Algorithm.Parameters.FullBytes, &params); err != nil || len(rest) != 0 {
		return nil, false
	}
	plain, _, err := params.Decrypt(passphrase, k.Ciphertext)
	return plain, err == nil && oneSequence(plain)
}

// oneSequence reports whether plain is one whole ASN.1 SEQUENCE. The padding
// alone would let a wrong passphrase through in one of 256 cases.
func oneSequence(plain cryptobyte.String) bool {
	return plain.SkipASN1(asn1.SEQUENCE) && plain.Empty()
}

var (
	oidPBES2      = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = encoding.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidSM4CBC     = encoding.ObjectIdentifier{1, 2, 156, 10197, 1, 104, 2}
	oidAES256CBC  = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// allowedScheme reports whether der is an EncryptedPrivateKeyInfo under PBES2
// with PBKDF2-HMAC-SHA256 of bounded cost and SM4-CBC or AES-256-CBC. OpenSSL
// 3.0 knows no HMAC-SM3 here.
func allowedScheme(der []byte) bool {
	var outer, algorithm, params, ciphertext cryptobyte.String
	var oid encoding.ObjectIdentifier
	in := cryptobyte.String(der)
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() ||
		!outer.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!outer.ReadASN1(&ciphertext, asn1.OCTET_STRING) || !outer.Empty() ||
		!algorithm.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidPBES2) ||
		!algorithm.ReadASN1(&params, asn1.SEQUENCE) || !algorithm.Empty() {
		return false
	}
	if len(ciphertext) == 0 || len(ciphertext)%16 != 0 {
		return false
	}
	var kdf, scheme, iv cryptobyte.String
	if !params.ReadASN1(&kdf, asn1.SEQUENCE) || !allowedKDF(kdf) ||
		!params.ReadASN1(&scheme, asn1.SEQUENCE) || !params.Empty() ||
		!scheme.ReadASN1ObjectIdentifier(&oid) ||
		!scheme.ReadASN1(&iv, asn1.OCTET_STRING) || !scheme.Empty() {
		return false
	}
	return len(iv) == 16 && (oid.Equal(oidSM4CBC) || oid.Equal(oidAES256CBC))
}

func allowedKDF(kdf cryptobyte.String) bool {
	var params, salt, prf, null cryptobyte.String
	var oid encoding.ObjectIdentifier
	var count, keyLength int64
	if !kdf.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidPBKDF2) ||
		!kdf.ReadASN1(&params, asn1.SEQUENCE) || !kdf.Empty() ||
		!params.ReadASN1(&salt, asn1.OCTET_STRING) || !params.ReadASN1Integer(&count) {
		return false
	}
	if params.PeekASN1Tag(asn1.INTEGER) && !params.ReadASN1Integer(&keyLength) {
		return false
	}
	if !params.ReadASN1(&prf, asn1.SEQUENCE) || !params.Empty() ||
		!prf.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidHMACSHA256) ||
		!prf.ReadASN1(&null, asn1.NULL) || len(null) != 0 || !prf.Empty() {
		return false
	}
	return len(salt) >= 8 && len(salt) <= 64 && minIterations <= count && count <= maxIterations &&
		0 <= keyLength && keyLength <= 32
}
