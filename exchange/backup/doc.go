// Package backup writes and reads backups: what only one region has, sealed to
// the region and signed by its node. docs/formats/backup.md.
package backup

import (
	"errors"
	"fmt"
	"strings"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

const (
	magic       = "XQBACKUP"
	version     = 1
	headSize    = len(magic) + 1 + sm.DigestSize + peers.RegionSize
	secretSize  = 32
	chunkSize   = 64 << 10 // plaintext of a chunk, and of a piece of a file, at most
	maxName     = 96
	maxManifest = 1 << 20
	maxFiles    = 1 << 14

	markFile = 1
	markEnd  = 0
)

// ErrDamaged is what a reader says of a backup that is not what was written, or
// not for this region. It tells no more: a seal that does not open can't.
var ErrDamaged = errors.New("backup: damaged, cut off, or sealed to another key")

// ErrSigner is what a reader says of a backup by a node whose key it is not given.
var ErrSigner = errors.New("backup: no key is known of the node that has signed it")

// Manifest says what a backup holds, whose it is and where the ledger was.
type Manifest struct {
	Region peers.Region `cbor:"1,keyasint"`
	Node   string       `cbor:"2,keyasint"`
	Made   int64        `cbor:"3,keyasint"` // Unix seconds, a claim
	Size   uint64       `cbor:"4,keyasint"` // of the ledger as applied
	Root   sm.Digest    `cbor:"5,keyasint"`
	Files  []File       `cbor:"6,keyasint"`
	// Events is the position of the journal's last event.
	Events uint64 `cbor:"7,keyasint,omitempty"`
}

// File is one file of a backup.
type File struct {
	_      struct{} `cbor:",toarray"`
	Name   string   // slashes between its parts, whatever the system's are
	Length uint64
	SM3    sm.Digest
}

var decoding = detcbor.Decoding(detcbor.Limits{Elements: maxFiles})

// checkName keeps a backup from naming a place outside the directory that it is
// restored to.
func checkName(name string) error {
	if len(name) == 0 || len(name) > maxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-/") != "" {
		return fmt.Errorf("backup: bad file name of %d bytes", len(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return errors.New("backup: a file name with an empty part or a dot")
		}
	}
	return nil
}

// keyOf derives the key of the chunks.
func keyOf(secret []byte, ledger sm.Digest) sm.ContentKey {
	return sm.DeriveContentKey(secret, sm.Message(sm.LabelBackupKey, ledger, nil))
}
