package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// segmentFiles overwrites what raft-wal has dropped but not removed: entries
// before the first and, after a leader that died, behind the last one of a
// segment stay in its file until the whole segment goes. The form of the files
// is that of raft-wal 0.4.1, to which go.mod is pinned.
type segmentFiles struct {
	dir  string
	done map[string]progress // by file
}

// progress is what has been overwritten in a file since the process began.
type progress struct {
	before uint64 // entries before this index
	behind uint64 // and behind this one; 0 while the file is appended to
}

// The form of a segment file: a header, then frames of 8 bytes of head and a
// payload that is padded to 8. Integers are little-endian.
const (
	segmentMagic  = 0x58eb6b0d
	segmentHeader = 32
	frameHead     = 8

	frameEntry  = 1
	frameIndex  = 2
	frameCommit = 3 // holds a checksum instead of a length
)

// errSegment means a file that is not in the form we know.
var errSegment = errors.New("consensus: segment of the Raft log in an unknown form")

// A segmentFile is one file and the indexes that it is for; last is 0 when it
// is the one that is appended to.
type segmentFile struct {
	path       string
	base, last uint64
}

// list returns the files in the order of their indexes.
func (s *segmentFiles) list() ([]segmentFile, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.wal"))
	if err != nil {
		return nil, err
	}
	var out []segmentFile
	for _, path := range names { // zero-padded, so in order
		var base, id uint64
		if n, err := fmt.Sscanf(filepath.Base(path), "%020d-%016x.wal", &base, &id); n != 2 || err != nil {
			return nil, fmt.Errorf("%w: name of %s", errSegment, path)
		}
		if len(out) > 0 {
			out[len(out)-1].last = base - 1
		}
		out = append(out, segmentFile{path: path, base: base})
	}
	return out, nil
}

// A frame is where an entry lies in its file.
type frame struct {
	index  uint64
	offset int64 // of the payload
	length int64
	append int // number of the append that wrote it
}

// frames reads where the committed entries of a file lie, up to index last, and
// where the append with the last of them ends.
func (f *segmentFile) frames(r io.ReaderAt, last uint64) (out []frame, end int64, err error) {
	head := make([]byte, segmentHeader)
	if _, err := r.ReadAt(head, 0); err == io.EOF {
		return nil, segmentHeader, nil
	} else if err != nil {
		return nil, 0, err
	}
	if magic := binary.LittleEndian.Uint64(head); magic == 0 {
		return nil, segmentHeader, nil // nothing has been appended
	} else if magic != segmentMagic {
		return nil, 0, fmt.Errorf("%w: header of %s", errSegment, f.path)
	}
	end = segmentHeader
	at, appends, read := int64(segmentHeader), 0, 0
	for {
		if _, err := r.ReadAt(head[:frameHead], at); err == io.EOF {
			return out[:read], end, nil
		} else if err != nil {
			return nil, 0, err
		}
		length := int64(binary.LittleEndian.Uint32(head[4:]))
		switch head[0] {
		case frameEntry:
			index := f.base + uint64(len(out))
			if index > last {
				return out[:read], end, nil
			}
			out = append(out, frame{index, at + frameHead, length, appends})
		case frameIndex:
		case frameCommit:
			length = 0
			appends, read, end = appends+1, len(out), at+frameHead
		default: // the end, or an append that was never finished
			return out[:read], end, nil
		}
		at += frameHead + (length+7)&^7
	}
}

// overwrite destroys what is neither needed nor part of the last append, of a
// log that reaches from first to last, and returns when that is on the disk. left
// is how many dropped entries are part of the last append.
func (s *segmentFiles) overwrite(first, last uint64) (left int, err error) {
	files, err := s.list()
	if err != nil {
		return 0, err
	}
	done := make(map[string]progress, len(files))
	for i := range files {
		f := &files[i]
		n, err := s.overwriteFile(f, first, last)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", filepath.Base(f.path), err)
		}
		left += n
		if n == 0 {
			done[f.path] = progress{first, f.last}
		}
	}
	s.done = done
	return left, nil
}

func (s *segmentFiles) overwriteFile(f *segmentFile, first, last uint64) (left int, err error) {
	sealed := f.last > 0
	was := s.done[f.path]
	if was.behind == f.last && (was.before == first || sealed && was.before > f.last) {
		return 0, nil
	}
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	all := last
	if sealed {
		all = ^uint64(0)
	}
	frames, end, err := f.frames(file, all)
	if err != nil {
		return 0, err
	}
	for _, x := range frames {
		switch {
		case x.index >= first && (!sealed || x.index <= f.last), x.index < was.before:
			continue
		case !sealed && x.append == frames[len(frames)-1].append:
			left++
			continue
		}
		if _, err := file.WriteAt(make([]byte, x.length), x.offset); err != nil {
			return 0, err
		}
	}
	if sealed {
		if err := clearFrom(file, end); err != nil {
			return 0, err
		}
	}
	return left, file.Sync()
}

// clearTail destroys what a crash has left of an append behind the end of the
// log. Nothing may be appending.
func (s *segmentFiles) clearTail(last uint64) (err error) {
	files, err := s.list()
	if err != nil || len(files) == 0 {
		return err
	}
	f := &files[len(files)-1]
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, end, err := f.frames(file, last)
	if err != nil {
		return err
	}
	if err := clearFrom(file, end); err != nil {
		return err
	}
	return file.Sync()
}

// clearFrom writes zeros over what is not zero from an offset on.
func clearFrom(file *os.File, at int64) error {
	buffer, zeros := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := file.ReadAt(buffer, at)
		if !bytes.Equal(buffer[:n], zeros[:n]) {
			if _, err := file.WriteAt(zeros[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
