package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	segmentHeader = 48
	segmentLimit  = 1 << 30
	// writeBuffer gathers small batches; one that is larger is written from
	// where it lies.
	writeBuffer = 64 << 10
)

// segments are the files of docs/formats/segment.md. One goroutine appends;
// reading and overwriting is safe beside it.
type segments struct {
	dir      string
	ledger   sm.Digest
	limit    int64
	readOnly bool

	current uint32 // 0: none yet
	end     int64

	mu    sync.Mutex
	files map[uint32]*os.File

	slots sync.RWMutex // a reader sees a slot before or after it is overwritten
}

// openSegments opens the files up to the end that bbolt speaks of, and unless
// readOnly removes what lies beyond it.
func openSegments(dir string, ledger sm.Digest, current uint32, end int64, readOnly bool) (*segments, error) {
	s := &segments{
		dir: filepath.Join(dir, "segments"), ledger: ledger, limit: segmentLimit, readOnly: readOnly,
		current: current, end: end, files: map[uint32]*os.File{},
	}
	if readOnly {
		return s, nil
	}
	if err := durable.MakeDir(s.dir); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := s.cut(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *segments) cut() error {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.seg"))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, name := range names {
		if filepath.Base(name) > filepath.Base(s.name(s.current)) {
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("store: %w", err)
			}
		}
	}
	if s.current == 0 {
		return nil
	}
	f, err := s.open(s.current)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if info.Size() < s.end {
		return fmt.Errorf("store: %s is damaged: %d bytes are missing at its end", s.name(s.current), s.end-info.Size())
	}
	if err := f.Truncate(s.end); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *segments) name(number uint32) string {
	return filepath.Join(s.dir, fmt.Sprintf("%08d.seg", number))
}

func (s *segments) header(number uint32) []byte {
	var b cryptobyte.Builder
	b.AddBytes([]byte("XQSEG\x00\x00\x01"))
	b.AddBytes(s.ledger[:])
	b.AddUint64(uint64(number))
	return b.BytesOrPanic() // fixed fields only
}

// open returns the file, checking its header the first time.
func (s *segments) open(number uint32) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.files[number]; ok {
		return f, nil
	}
	mode := os.O_RDWR
	if s.readOnly {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(s.name(number), mode, 0)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	head := make([]byte, segmentHeader)
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != string(s.header(number)) {
		return nil, errors.Join(fmt.Errorf("store: %s is damaged: header", s.name(number)), f.Close())
	}
	s.files[number] = f
	return f, nil
}

func (s *segments) create(number uint32) (*os.File, error) {
	f, err := os.OpenFile(s.name(number), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(s.header(number), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), durable.SyncDir(s.dir)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[number] = f
	return f, nil
}

// append writes the batches, tells each its place and returns when all of them
// are durable. After an error the files hold no more than before, as far as
// bbolt is concerned.
func (s *segments) append(batches []*accepted) error {
	var f *os.File
	var out *bufio.Writer
	finish := func() error {
		if f == nil {
			return nil
		}
		return errors.Join(out.Flush(), f.Sync())
	}
	for _, b := range batches {
		full := s.current == 0 || s.end+int64(len(b.raw)) > s.limit && s.end > segmentHeader
		if full || f == nil {
			if err := finish(); err != nil {
				return err
			}
			var err error
			if full {
				if f, err = s.create(s.current + 1); err != nil {
					return err
				}
				s.current, s.end = s.current+1, segmentHeader
			} else if f, err = s.open(s.current); err != nil {
				return err
			}
			out = bufio.NewWriterSize(io.NewOffsetWriter(f, s.end), writeBuffer)
		}
		b.row.segment, b.row.offset = s.current, s.end
		if _, err := out.Write(b.raw); err != nil {
			return err
		}
		s.end += int64(len(b.raw))
	}
	return finish()
}

func totalLength(batches []*accepted) (n int) {
	for _, b := range batches {
		n += len(b.raw)
	}
	return n
}

// read returns the bytes of a batch.
func (s *segments) read(r *row) ([]byte, error) {
	f, err := s.open(r.segment)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, r.length)
	s.slots.RLock()
	defer s.slots.RUnlock()
	if _, err := f.ReadAt(raw, r.offset); err != nil {
		return nil, fmt.Errorf("segment %d: %w", r.segment, err)
	}
	return raw, nil
}

// A patch is bytes to put at an offset inside a batch.
type patch struct {
	at    int
	bytes []byte
}

// An edit is what to put into a batch that is written already.
type edit struct {
	row     *row
	patches []patch
}

// overwrite applies edits, durably.
func (s *segments) overwrite(edits ...edit) error {
	s.slots.Lock()
	defer s.slots.Unlock()
	touched := map[*os.File]bool{}
	for _, e := range edits {
		f, err := s.open(e.row.segment)
		if err != nil {
			return err
		}
		touched[f] = true
		for _, p := range e.patches {
			if _, err := f.WriteAt(p.bytes, e.row.offset+int64(p.at)); err != nil {
				return err
			}
		}
	}
	var errs []error
	for f := range touched {
		errs = append(errs, f.Sync())
	}
	return errors.Join(errs...)
}

func (s *segments) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	clear(s.files)
	return errors.Join(errs...)
}
