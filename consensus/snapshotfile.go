package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/consensus/durable"
)

const (
	snapshotVersion  = 1
	snapshotFileName = "snapshot"
)

// A snapshotRecord is all that is kept locally of a snapshot: the entries
// themselves are in the state machine.
type snapshotRecord struct {
	Point
	configuration      []byte // Raft's encoding
	configurationIndex uint64

	// received marks a snapshot that came from a peer and has been verified.
	// It is what allows the log to be empty; the first append clears it.
	received bool
}

func addPoint(b *cryptobyte.Builder, p Point) {
	b.AddUint8(snapshotVersion)
	b.AddUint64(p.Index)
	b.AddUint64(p.Term)
	b.AddUint64(p.Size)
	b.AddBytes(p.Root[:])
}

func readPoint(s *cryptobyte.String, p *Point) bool {
	var version uint8
	return s.ReadUint8(&version) && version == snapshotVersion &&
		s.ReadUint64(&p.Index) && s.ReadUint64(&p.Term) && s.ReadUint64(&p.Size) && s.CopyBytes(p.Root[:])
}

func (r *snapshotRecord) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	addPoint(&b, r.Point)
	b.AddUint64(r.configurationIndex)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(r.configuration) })
	if r.received {
		b.AddUint8(1)
	} else {
		b.AddUint8(0)
	}
	data, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("consensus: snapshot record: %w", err)
	}
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli)), nil
}

func parseSnapshotRecord(data []byte) (*snapshotRecord, error) {
	if CheckPayload(data) != nil {
		return nil, errors.New("consensus: the snapshot file is damaged")
	}
	s := cryptobyte.String(data[:len(data)-checksumSize])
	var r snapshotRecord
	var configuration cryptobyte.String
	var received uint8
	if !readPoint(&s, &r.Point) || !s.ReadUint64(&r.configurationIndex) ||
		!s.ReadUint16LengthPrefixed(&configuration) || !s.ReadUint8(&received) || received > 1 || !s.Empty() {
		return nil, errors.New("consensus: the snapshot file is malformed")
	}
	r.configuration = configuration
	r.received = received == 1
	return &r, nil
}

// readSnapshotRecord returns nil if there has never been a snapshot.
func readSnapshotRecord(dir string) (*snapshotRecord, error) {
	data, err := os.ReadFile(filepath.Join(dir, snapshotFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("consensus: snapshot file: %w", err)
	}
	return parseSnapshotRecord(data)
}

func (r *snapshotRecord) write(dir string) error {
	data, err := r.marshal()
	if err != nil {
		return err
	}
	if err := durable.Replace(filepath.Join(dir, snapshotFileName), data, 0o600); err != nil {
		return fmt.Errorf("consensus: snapshot file: %w", err)
	}
	return nil
}
