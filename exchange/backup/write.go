package backup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// A Writer writes one backup. Files are added one after the other; nothing is a
// backup before Close has returned nil.
type Writer struct {
	ledger sm.Digest
	region peers.Region
	out    *sealer
	files  []File
}

// NewWriter begins a backup of the region, sealed to its decryption key.
func NewWriter(w io.Writer, rand io.Reader, ledger sm.Digest, region peers.Region, to *sm.DecryptionPublic) (*Writer, error) {
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(rand, secret); err != nil {
		return nil, fmt.Errorf("backup: random source: %w", err)
	}
	wrapped, err := to.Encrypt(rand, secret)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	var b cryptobyte.Builder
	b.AddBytes([]byte(magic))
	b.AddUint8(version)
	b.AddBytes(ledger[:])
	b.AddBytes([]byte(region))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(wrapped) })
	head, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if _, err := w.Write(head); err != nil {
		return nil, fmt.Errorf("backup: write: %w", err)
	}
	return &Writer{ledger: ledger, region: region, out: &sealer{w: w, key: keyOf(secret, ledger), head: head}}, nil
}

// File adds a file.
func (w *Writer) File(name string, r io.Reader) error {
	if err := checkName(name); err != nil {
		return err
	}
	if len(w.files) == maxFiles {
		return fmt.Errorf("backup: more than %d files", maxFiles)
	}
	if _, err := w.out.Write(append([]byte{markFile, byte(len(name))}, name...)); err != nil {
		return err
	}
	hash := sm.NewHash()
	f := File{Name: name}
	piece := make([]byte, 4+chunkSize)
	for {
		n, err := io.ReadFull(r, piece[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(piece, uint32(n))
			if _, err := w.out.Write(piece[:4+n]); err != nil {
				return err
			}
			_, _ = hash.Write(piece[4 : 4+n]) // a hash never fails
			f.Length += uint64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("backup: %s: %w", name, err)
		}
	}
	hash.Sum(f.SM3[:0])
	w.files = append(w.files, f)
	_, err := w.out.Write(make([]byte, 4))
	return err
}

// Close ends the backup with its manifest, whose files and region are the
// writer's, and returns it as it was signed.
func (w *Writer) Close(m Manifest, key *sm.NodeKey) (Manifest, error) {
	m.Region, m.Files = w.region, w.files
	raw, err := detcbor.Marshal(m)
	if err != nil {
		return m, fmt.Errorf("backup: manifest: %w", err)
	}
	signature, err := key.Sign(sm.LabelBackup, w.ledger, raw)
	if err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	var b cryptobyte.Builder
	b.AddUint8(markEnd)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(raw) })
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(signature) })
	end, err := b.Bytes()
	if err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	if _, err := w.out.Write(end); err != nil {
		return m, err
	}
	return m, w.out.Close()
}
