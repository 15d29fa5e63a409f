package consensus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"

	"github.com/xinqiao/creditgw/consensus/durable"
)

// zeroedFiles are raft-wal's file system with one difference: a new segment has
// been written with zeros before it is used. In a file whose room is only
// reserved, each sync also writes the file system's own journal, because a part
// of the room comes to hold data; here it writes the data alone, which takes
// half the time (docs/performance.md).
//
// The next segment is made ready while the present one fills. It is used by one
// goroutine at a time, that of raft-wal which makes segments.
type zeroedFiles struct {
	walfs.FS
	dir   string
	spare chan error // how making the next one ends; nil while none is made
}

const (
	// segmentSize is that of a file of the log in bytes. It bounds what a
	// start writes before it answers, and what stays of a log that was cut.
	segmentSize = 8 << 20
	// spareName has not the ending of a segment: raft-wal passes it over.
	spareName = "next.zeroed"
)

// newZeroedFiles removes a spare that may not have been finished.
func newZeroedFiles(dir string) (*zeroedFiles, error) {
	z := &zeroedFiles{dir: dir}
	return z, z.removeSpare()
}

func (z *zeroedFiles) sparePath() string { return filepath.Join(z.dir, spareName) }

// Create implements types.VFS.
func (z *zeroedFiles) Create(dir, name string, size uint64) (types.WritableFile, error) {
	if z.spare == nil {
		z.prepare(size)
	}
	err := <-z.spare
	z.spare = nil
	if err != nil {
		return nil, fmt.Errorf("making a segment of the Raft log: %w", err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("making a segment of the Raft log: %s: %w", name, fs.ErrExist)
	}
	if err := os.Rename(z.sparePath(), path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	z.prepare(size)
	return &newSegment{File: f, dir: dir}, nil
}

// prepare begins to make the next segment.
func (z *zeroedFiles) prepare(size uint64) {
	z.spare = make(chan error, 1)
	go func() { z.spare <- writeZeros(z.sparePath(), size) }()
}

// close waits until nothing is written any more and removes the spare: a node
// that has been stopped holds nothing that nobody checks.
func (z *zeroedFiles) close() error {
	var err error
	if z.spare != nil {
		err = <-z.spare
	}
	return errors.Join(err, z.removeSpare())
}

func (z *zeroedFiles) removeSpare() error {
	if err := os.Remove(z.sparePath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func writeZeros(path string, size uint64) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zeros := make([]byte, min(size, 64<<10)) // stays in the processor's cache
	for size > 0 {
		n, err := f.Write(zeros[:min(size, uint64(len(zeros)))])
		if err != nil {
			return err
		}
		size -= uint64(n)
	}
	return f.Sync()
}

// A newSegment is in its directory for good when it is synced for the first
// time.
type newSegment struct {
	*os.File
	dir    string
	listed bool
}

// Sync implements types.WritableFile.
func (s *newSegment) Sync() error {
	if err := s.File.Sync(); err != nil || s.listed {
		return err
	}
	s.listed = true
	return durable.SyncDir(s.dir)
}
