// Package envelope seals records for their recipients. A record travels as a
// body under a fresh SM4 key; the keys of a batch travel as wraps, one per
// record and recipient, so that each record opens, is disclosed and is erased
// alone. A commitment in the public header binds the body's content without
// telling it. The formats are docs/formats/body.md and docs/formats/wraps.md.
package envelope

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// MaxBody is the size limit of a sealed body in bytes.
const MaxBody = 64 << 10

const (
	bodyVersion = 1
	saltSize    = 32
	// bodyOverhead is what a body holds besides record and author block.
	bodyOverhead = 1 + saltSize + 2 + 2 + sm.ContentOverhead
)

// Errors of opening. The caller tells a body that is not for this key or was
// damaged (ErrOpen) from one whose sealer lied about its content
// (ErrCommitment).
var (
	ErrOpen       = errors.New("envelope: body does not open")
	ErrCommitment = errors.New("envelope: content differs from its commitment")
	ErrTooLarge   = errors.New("envelope: record and author block exceed the body limit")

	errEmpty = errors.New("envelope: a record is not empty")
	errSeal  = errors.New("envelope: SM4-GCM refused to seal")
	errSalt  = errors.New("envelope: a salt is 64 lower-case hexadecimal digits")
)

// Salt hides the content of a commitment. It exists inside the body only.
type Salt [saltSize]byte

// MarshalText writes hexadecimal digits, the form of disclosures.
func (s Salt) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads what MarshalText writes, and no other spelling.
func (s *Salt) UnmarshalText(text []byte) error {
	d, err := sm.ParseDigest(string(text))
	if err != nil {
		return errSalt
	}
	*s = Salt(d)
	return nil
}

// Sealed is a new body. Ciphertext, Digest and Commitment are for everyone;
// Key is for the recipients, through Wrap.
type Sealed struct {
	Ciphertext []byte
	Digest     sm.Digest // SM3 of Ciphertext
	Commitment sm.Digest
	Key        sm.ContentKey
}

// Seal encrypts a canonical record and its author block for one ledger. Key
// and salt are drawn from rand, in this order; since the key is fresh, the
// nonce of the only message under it is zero.
func Seal(rand io.Reader, ledger sm.Digest, record, author []byte) (Sealed, error) {
	if len(record) == 0 {
		return Sealed{}, errEmpty
	}
	size := bodyOverhead + len(record) + len(author)
	if size > MaxBody {
		return Sealed{}, ErrTooLarge
	}
	key, err := sm.NewContentKey(rand)
	if err != nil {
		return Sealed{}, err
	}
	var salt Salt
	if _, err := io.ReadFull(rand, salt[:]); err != nil {
		return Sealed{}, fmt.Errorf("envelope: random source: %w", err)
	}

	// One buffer: the plaintext is laid out behind the version byte and
	// encrypted where it lies.
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, size))
	b.AddUint8(bodyVersion)
	b.AddBytes(salt[:])
	b.AddUint16(uint16(len(record)))
	b.AddBytes(record)
	b.AddUint16(uint16(len(author)))
	b.AddBytes(author)
	plain, err := b.Bytes()
	if err != nil {
		return Sealed{}, fmt.Errorf("envelope: %w", err)
	}
	ciphertext := key.AppendSeal(plain[:1], [12]byte{}, plain[1:], bodyAAD(ledger))
	if ciphertext == nil {
		return Sealed{}, errSeal
	}
	return Sealed{
		Ciphertext: ciphertext,
		Digest:     sm.Sum(ciphertext),
		Commitment: Commit(salt, record, author),
		Key:        key,
	}, nil
}

// Opened is the content of a body, and all that a disclosure hands over: with
// it anyone can check the commitment of this record, and nothing of another.
// Record and Author share memory.
type Opened struct {
	Salt   Salt   `json:"salt"`
	Record []byte `json:"record"`
	Author []byte `json:"author"`
}

// Open decrypts a body and checks it against the header's commitment, always:
// GCM does not commit to its key, so one ciphertext can be made that opens to
// different records under different keys.
func Open(key sm.ContentKey, ledger sm.Digest, ciphertext []byte, commitment sm.Digest) (Opened, error) {
	if len(ciphertext) < bodyOverhead || len(ciphertext) > MaxBody || ciphertext[0] != bodyVersion {
		return Opened{}, ErrOpen
	}
	plain, err := key.Open([12]byte{}, ciphertext[1:], bodyAAD(ledger))
	if err != nil {
		return Opened{}, ErrOpen
	}
	var o Opened
	var record, author cryptobyte.String
	s := cryptobyte.String(plain)
	if !s.CopyBytes(o.Salt[:]) || !s.ReadUint16LengthPrefixed(&record) || len(record) == 0 ||
		!s.ReadUint16LengthPrefixed(&author) || !s.Empty() {
		return Opened{}, ErrOpen
	}
	o.Record, o.Author = record, author
	if err := o.Verify(commitment); err != nil {
		return Opened{}, err
	}
	return o, nil
}

// Verify checks disclosed content against the commitment of a header.
func (o Opened) Verify(commitment sm.Digest) error {
	if Commit(o.Salt, o.Record, o.Author) != commitment {
		return ErrCommitment
	}
	return nil
}

// Commit returns the commitment of a header: SM3 over label, salt, record and
// author block, with lengths.
func Commit(salt [32]byte, record, author []byte) sm.Digest {
	head := sm.LabelCommitment.Append(make([]byte, 0, 1+len(sm.LabelCommitment)+saltSize+4))
	head = append(head, salt[:]...)
	return sm.Sum(binary.BigEndian.AppendUint32(head, uint32(len(record))), record, binary.BigEndian.AppendUint32(nil, uint32(len(author))), author)
}

func bodyAAD(ledger sm.Digest) []byte {
	return sm.Message(sm.LabelBody, ledger, []byte{bodyVersion})
}
