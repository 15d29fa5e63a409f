package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"
)

// errRecord means that the disk gave back something else than was written.
var errRecord = errors.New("consensus: a record of the Raft log is damaged")

// seal returns the entry as it is stored: with a checksum over index, term, kind
// and data as its extension. raft-wal checks nothing when it reads, and a
// flipped term is as bad as a flipped byte of the payload. (raft-wal 0.4.0 takes
// a codec of one's own but notes its own in the segment, and does not open that
// again.) The entry itself is Raft's and stays as it is.
func seal(l *raft.Log) (*raft.Log, error) {
	if len(l.Extensions) > 0 {
		return nil, fmt.Errorf("consensus: entry %d has extensions, which the log does not keep", l.Index)
	}
	return &raft.Log{
		Index: l.Index, Term: l.Term, Type: l.Type, Data: l.Data,
		Extensions: binary.BigEndian.AppendUint32(nil, recordChecksum(l)),
	}, nil
}

// unseal checks what was read for index and takes the checksum off.
func unseal(index uint64, l *raft.Log) error {
	if l.Index != index || len(l.Extensions) != checksumSize ||
		binary.BigEndian.Uint32(l.Extensions) != recordChecksum(l) {
		return fmt.Errorf("%w: entry %d", errRecord, index)
	}
	l.Extensions = nil
	return nil
}

func recordChecksum(l *raft.Log) uint32 {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, l.Data)
}

// guard makes an error of a panic: raft-wal slices by lengths that it has read.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errRecord, p)
		}
	}()
	return f()
}
