package peers

import (
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// KindAnchor is the governance kind by which a region fixes what it holds of
// each subject: docs/formats/statement.md. It changes nothing that a signature
// is judged by, so the directory has no part in it.
const KindAnchor = "anchor"

// CodeAnchor refuses an anchor that is not bound behind the region's last one.
const CodeAnchor = "ANCHOR"

// Anchor is the body: the root of a region's map from subjects to records when
// it had followed the ledger up to Size.
type Anchor struct {
	Size uint64
	Root sm.Digest
}

type anchorBody struct {
	Size uint64 `cbor:"size"`
	Root []byte `cbor:"root"`
}

func (b anchorBody) check() error {
	if b.Size == 0 || len(b.Root) != sm.DigestSize {
		return errAnchor
	}
	return nil
}

var errAnchor = reject(CodeBodyMalformed, "anchor: no size, or no root")

// Encode makes the body of an anchor entry.
func (a Anchor) Encode() ([]byte, error) {
	b := anchorBody{Size: a.Size, Root: a.Root[:]}
	if err := b.check(); err != nil {
		return nil, err
	}
	return detcbor.Marshal(b)
}

// ParseAnchor reads the body of an anchor entry.
func ParseAnchor(body []byte) (Anchor, error) {
	b, err := decodeBody[anchorBody](body)
	if err != nil {
		return Anchor{}, err
	}
	return Anchor{Size: b.Size, Root: sm.Digest(b.Root)}, nil
}

// TakeAnchor judges an anchor at a leaf index, behind one that was bound at
// last; 0 when the region has none. So a region states one set for each size. A
// *Rejection is the same on every node.
func TakeAnchor(last, index uint64, body []byte) (Anchor, error) {
	a, err := ParseAnchor(body)
	if err != nil {
		return a, err
	}
	if a.Size <= last || a.Size > index {
		return a, reject(CodeAnchor, "bound at %d, it must be above %d and not above %d", a.Size, last, index)
	}
	return a, nil
}
