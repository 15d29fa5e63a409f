package sm

import (
	cryptorand "crypto/rand"
	"fmt"
	"io"
	"log/slog"

	"github.com/emmansun/gmsm/sm2"
)

// Role is the purpose of a signing key. The roles are the four below; a key of
// one is of another type than a key of the next.
type Role interface {
	Node | Batch | Witness | Agency
	role() string
}

type (
	// Node keys prove a node's identity and sign its marks and backups.
	Node struct{}
	// Batch keys sign a region's batches; the active node holds it.
	Batch struct{}
	// Witness keys cosign checkpoints; one process of a region holds it.
	Witness struct{}
	// Agency keys sign an agency's own records and files, and whose they are.
	Agency struct{}
)

func (Node) role() string    { return "node" }
func (Batch) role() string   { return "batch" }
func (Witness) role() string { return "witness" }
func (Agency) role() string  { return "agency" }

type (
	NodeKey       = Private[Node]
	NodePublic    = Public[Node]
	BatchKey      = Private[Batch]
	BatchPublic   = Public[Batch]
	WitnessKey    = Private[Witness]
	WitnessPublic = Public[Witness]
	AgencyKey     = Private[Agency]
	AgencyPublic  = Public[Agency]
)

func roleOf[R Role]() string {
	var r R
	return r.role()
}

// Private is an SM2 signing key of role R. It is safe for concurrent use and
// never prints.
type Private[R Role] struct {
	key    *sm2.PrivateKey
	public *Public[R]
}

// Generate makes a key from rand, which is crypto/rand.Reader outside tests.
func Generate[R Role](rand io.Reader) (*Private[R], error) {
	key, err := generateScalar(rand)
	if err != nil {
		return nil, err
	}
	return newPrivate[R](key)
}

func newPrivate[R Role](key *sm2.PrivateKey) (*Private[R], error) {
	p, err := pointOf(key)
	if err != nil {
		return nil, err
	}
	public, err := newPublic[R](p)
	if err != nil {
		return nil, err
	}
	return &Private[R]{key: key, public: public}, nil
}

// Public returns the public half.
func (k *Private[R]) Public() *Public[R] { return k.public }

// Sign returns the DER signature of msg for the purpose label on ledger (see
// Message). The nonce is hedged: derived from the key, the message and
// crypto/rand, so that neither a broken random source nor a repeated message
// reveals the key; two signatures of one message differ.
func (k *Private[R]) Sign(label Label, ledger Digest, msg []byte) ([]byte, error) {
	if !label.valid() {
		return nil, errLabel
	}
	e := k.public.digest(label, ledger, msg)
	sig, err := sm2.SignASN1(cryptorand.Reader, k.key, e[:], nil)
	if err != nil {
		return nil, fmt.Errorf("sm: sign: %w", err)
	}
	return sig, nil
}

func (k *Private[R]) String() string             { return secret }
func (k *Private[R]) GoString() string           { return secret }
func (k *Private[R]) Format(f fmt.State, _ rune) { redact(f) }
func (k *Private[R]) LogValue() slog.Value       { return slog.StringValue(secret) }

// MarshalText refuses: a private key leaves the process only as a key file.
func (k *Private[R]) MarshalText() ([]byte, error) { return nil, errSecretText }

// Public is an SM2 verification key of role R. It is parsed once and immutable;
// keep it for as long as signatures come in, for a verification then needs no
// parsing. Compare with Equal.
type Public[R Role] struct {
	point
	za Digest // GB/T 32918.2 5.5, for user id 1234567812345678
}

// ParsePublic reads a 65-byte uncompressed point.
func ParsePublic[R Role](b []byte) (*Public[R], error) {
	p, err := parsePoint(b)
	if err != nil {
		return nil, err
	}
	return newPublic[R](p)
}

func newPublic[R Role](p point) (*Public[R], error) {
	za, err := sm2.CalculateZA(p.key, nil)
	if err != nil {
		return nil, errPoint
	}
	return &Public[R]{point: p, za: Digest(za)}, nil
}

// digest returns e = SM3(Z_A, Message(label, ledger, msg)) without building
// the message.
func (p *Public[R]) digest(label Label, ledger Digest, msg []byte) Digest {
	s := newState()
	s.Write(p.za[:])
	s.Write(Message(label, ledger, nil))
	s.Write(msg)
	return s.finish()
}

// Verify checks a signature made by Sign. The only error for a bad signature
// is ErrSignature.
func (p *Public[R]) Verify(label Label, ledger Digest, msg, sig []byte) error {
	if p == nil || p.key == nil {
		return errZeroKey
	}
	if !label.valid() {
		return errLabel
	}
	if !strictSignature(sig) {
		return ErrSignature
	}
	e := p.digest(label, ledger, msg)
	if !sm2.VerifyASN1(p.key, e[:], sig) {
		return ErrSignature
	}
	return nil
}

// Equal reports whether both are the same key.
func (p *Public[R]) Equal(other *Public[R]) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p.raw == other.raw
}

func (p *Public[R]) String() string {
	b, err := p.text(roleOf[R]())
	if err != nil {
		return ""
	}
	return string(b)
}

// MarshalText writes the role and the point: "batch:BASE64".
func (p *Public[R]) MarshalText() ([]byte, error) { return p.text(roleOf[R]()) }

// UnmarshalText reads what MarshalText writes, for this role only.
func (p *Public[R]) UnmarshalText(text []byte) error {
	q, err := parsePointText(roleOf[R](), text)
	if err != nil {
		return err
	}
	parsed, err := newPublic[R](q)
	if err != nil {
		return err
	}
	*p = *parsed
	return nil
}
