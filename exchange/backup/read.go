package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// A Reader reads one backup from its beginning to its end. What it hands out is
// to be kept apart until Manifest has returned.
type Reader struct {
	ledger sm.Digest
	region peers.Region
	in     *opener
	files  []File
	raw    []byte // the manifest
	signed []byte
}

// NewReader begins to read a backup of this ledger with whichever of the region's
// decryption keys it is sealed to.
func NewReader(r io.Reader, ledger sm.Digest, keys ...*sm.DecryptionKey) (*Reader, error) {
	head := make([]byte, headSize+2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, readError(err)
	}
	if string(head[:len(magic)]) != magic || head[len(magic)] != version {
		return nil, errors.New("backup: not a backup of this version")
	}
	if sm.Digest(head[len(magic)+1:]) != ledger {
		return nil, errors.New("backup: it is of another ledger")
	}
	region, err := peers.ParseRegion(string(head[headSize-peers.RegionSize : headSize]))
	if err != nil {
		return nil, ErrDamaged
	}
	wrapped := make([]byte, binary.BigEndian.Uint16(head[headSize:]))
	if _, err := io.ReadFull(r, wrapped); err != nil {
		return nil, readError(err)
	}
	for _, key := range keys {
		if secret, err := key.Decrypt(wrapped); err == nil && len(secret) == secretSize {
			in := &opener{r: r, key: keyOf(secret, ledger), head: append(head, wrapped...)}
			return &Reader{ledger: ledger, region: region, in: in}, nil
		}
	}
	return nil, ErrDamaged
}

// Region is whose backup it is.
func (r *Reader) Region() peers.Region { return r.region }

// Next hands the next file to take, which reads it to its end, and returns
// io.EOF behind the last one.
func (r *Reader) Next(take func(name string, content io.Reader) error) error {
	mark, err := r.byte()
	if err != nil {
		return err
	}
	switch {
	case mark == markEnd && r.raw == nil:
		if err := r.end(); err != nil {
			return err
		}
		return io.EOF
	case mark != markFile || len(r.files) == maxFiles:
		return ErrDamaged
	}
	name, err := r.prefixed(1, maxName)
	if err != nil {
		return err
	}
	if err := checkName(string(name)); err != nil {
		return err
	}
	c := &content{r: r, hash: sm.NewHash(), file: File{Name: string(name)}}
	if err := take(string(name), c); err != nil {
		return err
	}
	if !c.ended {
		return fmt.Errorf("backup: %s was not read to its end", name)
	}
	r.files = append(r.files, c.file)
	return nil
}

// end reads what is behind the last file, and that nothing is behind that.
func (r *Reader) end() (err error) {
	if r.raw, err = r.prefixed(3, maxManifest); err != nil {
		return err
	}
	if r.signed, err = r.prefixed(1, 255); err != nil {
		return err
	}
	if _, err := r.byte(); !errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	if n, err := r.in.r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	return nil
}

// Manifest returns what the backup says of itself, when its files are those that
// were read and the signature is by the key that keyOf knows for the node.
func (r *Reader) Manifest(keyOf func(node string) *sm.NodePublic) (Manifest, error) {
	var m Manifest
	if r.raw == nil {
		return m, errors.New("backup: not read to its end")
	}
	if err := decoding.Unmarshal(r.raw, &m); err != nil {
		return Manifest{}, ErrDamaged
	}
	if again, err := detcbor.Marshal(m); err != nil || !bytes.Equal(again, r.raw) {
		return Manifest{}, ErrDamaged
	}
	if m.Region != r.region || !slices.Equal(m.Files, r.files) {
		return Manifest{}, ErrDamaged
	}
	key := keyOf(m.Node)
	if key == nil {
		return Manifest{}, fmt.Errorf("%w: %s", ErrSigner, m.Node)
	}
	if err := key.Verify(sm.LabelBackup, r.ledger, r.raw, r.signed); err != nil {
		return Manifest{}, fmt.Errorf("backup: the manifest's signature: %w", err)
	}
	return m, nil
}

func (r *Reader) byte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.in, b[:])
	return b[0], err
}

// prefixed reads a value with a length of so many bytes before it.
func (r *Reader) prefixed(width, limit int) ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(r.in, prefix[4-width:]); err != nil {
		return nil, readError(err)
	}
	length := binary.BigEndian.Uint32(prefix[:])
	if int64(length) > int64(limit) {
		return nil, ErrDamaged
	}
	out := make([]byte, length)
	if _, err := io.ReadFull(r.in, out); err != nil {
		return nil, readError(err)
	}
	return out, nil
}

// content is a file's bytes, piece by piece.
type content struct {
	r     *Reader
	hash  hash.Hash
	file  File
	left  int
	ended bool
}

func (c *content) Read(p []byte) (int, error) {
	if c.left == 0 && !c.ended {
		var prefix [4]byte
		if _, err := io.ReadFull(c.r.in, prefix[:]); err != nil {
			return 0, readError(err)
		}
		length := binary.BigEndian.Uint32(prefix[:])
		if length > chunkSize {
			return 0, ErrDamaged
		}
		c.left, c.ended = int(length), length == 0
		if c.ended {
			c.hash.Sum(c.file.SM3[:0])
		}
	}
	if c.ended {
		return 0, io.EOF
	}
	n, err := io.ReadFull(c.r.in, p[:min(len(p), c.left)])
	if err != nil {
		return n, readError(err)
	}
	_, _ = c.hash.Write(p[:n]) // a hash never fails
	c.left -= n
	c.file.Length += uint64(n)
	return n, nil
}
