package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/types"
)

// finishRotation makes good what raft-wal 0.4.1 leaves undone when the process
// ends while a segment is closed. It writes the segment's index with the append
// that fills it and notes the next segment only afterwards; between the two, or
// when that append is torn, it opens the segment as closed and can never append
// again. What is torn is taken back, what is whole is noted.
func finishRotation(dir string, meta *metadb.BoltMetaDB) (err error) {
	state, err := meta.Load(dir)
	if err != nil || len(state.Segments) == 0 {
		return err
	}
	tail := &state.Segments[len(state.Segments)-1]
	if !tail.SealTime.IsZero() {
		return nil
	}
	f := segmentFile{path: filepath.Join(dir, fmt.Sprintf("%020d-%016x.wal", tail.BaseIndex, tail.ID)), base: tail.BaseIndex}
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // raft-wal makes it
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	whole, torn, err := f.lastAppend(file)
	if err != nil {
		return err
	}
	if torn {
		if err := errors.Join(clearFrom(file, whole.end), file.Sync()); err != nil {
			return err
		}
	}
	if whole.index == 0 {
		return nil
	}
	last := tail.BaseIndex + uint64(whole.entries) - 1
	next := types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: last + 1, MinIndex: last + 1, Codec: tail.Codec,
		SizeLimit: tail.SizeLimit, CreateTime: time.Now(),
	}
	tail.SealTime, tail.MaxIndex, tail.IndexStart = time.Now(), last, uint64(whole.index)
	state.NextSegmentID++
	state.Segments = append(state.Segments, next)
	return meta.CommitState(state)
}

// An appended is where a file stands after an append.
type appended struct {
	end     int64 // of the file
	entries int   // in it so far
	index   int64 // offset of the segment's index if the append closed it, else 0

	from, to int64 // what its checksum is over
	checksum uint32
}

// lastAppend finds the last append that is whole, by raft-wal's own rule, and
// whether the index of a closed segment lies behind it.
func (f *segmentFile) lastAppend(r io.ReaderAt) (whole appended, torn bool, err error) {
	head := make([]byte, frameHead)
	whole.end = segmentHeader
	before, now := whole, whole
	at := int64(segmentHeader)
	for {
		if _, err := r.ReadAt(head, at); err == io.EOF {
			break
		} else if err != nil {
			return whole, false, err
		}
		length, kind := int64(binary.LittleEndian.Uint32(head[4:])), head[0]
		if kind == frameCommit {
			now.to, now.end, now.checksum = at, at+frameHead, uint32(length)
			before, whole, length = whole, now, 0
			now.from = now.end
		} else if kind == frameEntry {
			now.entries++
		} else if kind == frameIndex {
			now.index = at + frameHead
		} else {
			break
		}
		at += frameHead + (length+7)&^7
	}
	// Entries behind the last checksum show that what it is over was written
	// before them.
	if whole.entries > 0 && now.entries == whole.entries {
		written := make([]byte, whole.to-whole.from)
		if _, err := r.ReadAt(written, whole.from); err != nil {
			return whole, false, err
		}
		if crc32.Checksum(written, castagnoli) != whole.checksum {
			whole = before
		}
	}
	return whole, now.index > whole.index, nil
}
