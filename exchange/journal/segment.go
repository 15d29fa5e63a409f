package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/exchange"
)

const suffix = ".journal"

// segment is one file. Its fields below mu change while it is the last one;
// a closed segment gets its index when it is first read.
type segment struct {
	path   string
	file   *os.File
	header segmentHeader

	mu    sync.Mutex
	size  int64 // durable bytes
	index []mark
	next  *segmentHeader // of the segment behind; nil in the last one
}

// openSegment reads no more than the header.
func openSegment(path string, flag int) (*segment, error) {
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	s := &segment{path: path, file: f}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func (s *segment) load() error {
	info, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	s.size = info.Size()
	head := make([]byte, min(s.size, segmentHeaderSize))
	if _, err := s.file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("journal: read %s: %w", s.path, err)
	}
	if s.header, err = parseSegmentHeader(head); err != nil {
		return &DamageError{s.path, 0, err.Error()}
	}
	if filepath.Base(s.path) != segmentName(s.header.first) {
		return &DamageError{s.path, 9, "the header names another first position than the file's name"}
	}
	return nil
}

// createSegment makes a segment with its header durable in dir.
func createSegment(dir string, h segmentHeader) (*segment, error) {
	s := &segment{path: filepath.Join(dir, segmentName(h.first)), header: h, size: segmentHeaderSize}
	err := durable.Replace(s.path, h.marshal(), 0o600)
	if err == nil {
		s.file, err = os.OpenFile(s.path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return s, nil
}

// listSegments opens every segment of dir, ascending, the last with flag, and
// checks that each follows the one before. It closes all on an error.
func listSegments(dir string, flag int) (segments []*segment, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeSegments(segments))
			segments = nil
		}
	}()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	slices.Sort(paths)
	for i, path := range paths {
		mode := os.O_RDONLY
		if i == len(paths)-1 {
			mode = flag
		}
		s, err := openSegment(path, mode)
		if err != nil {
			return segments, err
		}
		segments = append(segments, s)
		if err := follows(segments); err != nil {
			return segments, err
		}
	}
	return segments, nil
}

// follows checks the last segment against the one before it.
func follows(segments []*segment) error {
	s := segments[len(segments)-1]
	if len(segments) == 1 {
		if s.header != (segmentHeader{first: 1}) {
			return &DamageError{s.path, 9, "the segments before this one are missing"}
		}
		return nil
	}
	before := segments[len(segments)-2]
	if before.header.first != s.header.previousFirst {
		return &DamageError{s.path, 17, "the segment before this one is missing"}
	}
	if before.size != s.header.previousLength {
		return &DamageError{before.path, min(before.size, s.header.previousLength),
			fmt.Sprintf("the segment had %d bytes when the next one began", s.header.previousLength)}
	}
	before.next = &s.header
	return nil
}

// marks returns the index and the durable size. The first call on a closed
// segment verifies all of it, so nothing of it is served before.
func (s *segment) marks() ([]mark, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil && len(s.index) == 0 {
		t, err := s.verify(nil)
		if err != nil {
			return nil, 0, err
		}
		s.index = t.index
	}
	return s.index, s.size, nil
}

// verify scans a closed segment and checks that the next one continues it.
func (s *segment) verify(visit func(exchange.Position, []byte) error) (tail, error) {
	t, err := scan(s.file, s.path, s.header, s.size, visit)
	if err == nil && (t.chain != s.next.chain || t.last+1 != s.next.first) {
		err = &DamageError{s.path, t.end, "the next segment does not continue this one"}
	}
	return t, err
}

func segmentName(first exchange.Position) string {
	digits := strconv.FormatUint(uint64(first), 10)
	return "00000000000000000000"[len(digits):] + digits + suffix
}

func closeSegments(segments []*segment) error {
	var errs []error
	for _, s := range segments {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}
