package exchange

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// Limits of a file that is taken in: bytes, and data rows.
const (
	MaxSubmission = 256 << 20
	MaxRows       = 1_000_000
)

// inMemory is the largest submission that needs no file, in bytes: single
// notices are, monthly files are not.
const inMemory = 256 << 10

// spooled is a submission's bytes while they are read. The digest of the whole
// file goes into every record's author block, so the file is read once before
// its first row is.
type spooled struct {
	io.Reader
	digest sm.Digest
	file   *os.File // nil: it is in memory
	leave  func()   // gives its place among the large files back; nil: it has none
}

func (s *spooled) Close() error {
	if s.leave != nil {
		defer s.leave()
	}
	if s.file != nil {
		return s.file.Close()
	}
	return nil
}

// spool keeps a small body in memory and writes a larger one to a file without
// a name, which is gone with its handle, also after a crash. What it leaves on
// the disk nobody can read: the key was never there.
func (s *Service) spool(p Principal, body io.Reader) (_ *spooled, err error) {
	head, err := io.ReadAll(io.LimitReader(body, inMemory+1))
	if err != nil {
		return nil, err
	}
	out := new(spooled)
	if len(head) > inMemory || tabular.IsWorkbook(head) {
		if out.leave, err = s.large.enter(p.ID); err != nil {
			return nil, err
		}
	}
	if len(head) <= inMemory {
		out.Reader, out.digest = bytes.NewReader(head), sm.Sum(head)
		return out, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close())
		}
	}()
	if out.file, err = os.CreateTemp(s.Spool, "submission-*"); err != nil {
		return nil, err
	}
	if err := os.Remove(out.file.Name()); err != nil {
		return nil, err
	}
	return out, s.fill(out, io.MultiReader(bytes.NewReader(head), body))
}

// fill writes the body to the file and makes it ready to be read.
func (s *Service) fill(out *spooled, body io.Reader) error {
	key, err := sm.NewContentKey(s.Sealer.Rand)
	if err != nil {
		return err
	}
	there, err := key.Stream()
	if err != nil {
		return err
	}
	back, err := key.Stream()
	if err != nil {
		return err
	}
	h := sm.NewHash()
	n, err := io.Copy(io.MultiWriter(h, cipher.StreamWriter{S: there, W: out.file}), io.LimitReader(body, MaxSubmission+1))
	if err != nil {
		return err
	}
	if n > MaxSubmission {
		return errTooLarge
	}
	if _, err := out.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out.Reader, out.digest = cipher.StreamReader{S: back, R: out.file}, sm.Digest(h.Sum(nil))
	return nil
}

var errTooLarge = Fail(KindTooLarge, "TOO_LARGE", "文件超过 256 MiB，请拆分后分批报送", "the file is over 256 MiB; split it and send the parts")

// A file is large if it takes more of the node than its own bytes of memory: room
// on the disk that the ledger is on, or the memory into which a workbook is
// unpacked. So many are read at once, of all tokens and of one.
const (
	mostLarge    = 12
	mostLargeOne = 4
)

// largeFiles counts those that are being read.
type largeFiles struct {
	mu    sync.Mutex
	total int
	of    map[string]int // by token
}

// enter takes a place until leave is called.
func (l *largeFiles) enter(token string) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total == mostLarge || l.of[token] == mostLargeOne {
		return nil, errManyFiles
	}
	if l.of == nil {
		l.of = map[string]int{}
	}
	l.total++
	l.of[token]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.total--
		if l.of[token]--; l.of[token] == 0 {
			delete(l.of, token)
		}
	}, nil
}

var errManyFiles = Fail(KindBusy, "MANY_FILES", "同时报送的大文件或工作簿过多，请等前面的文件报送完再试",
	"too many large files or workbooks are being read; send this one when those before it are done")
