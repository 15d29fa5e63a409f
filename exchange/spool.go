package exchange

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/xinqiao/creditgw/crypto/sm"
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
	io.Closer
	digest sm.Digest
}

// spool keeps a small body in memory and writes a larger one to a file without
// a name, which is gone with its handle, also after a crash.
func (s *Service) spool(body io.Reader) (*spooled, error) {
	head, err := io.ReadAll(io.LimitReader(body, inMemory+1))
	if err != nil {
		return nil, err
	}
	if len(head) <= inMemory {
		return &spooled{Reader: bytes.NewReader(head), Closer: io.NopCloser(nil), digest: sm.Sum(head)}, nil
	}
	f, err := os.CreateTemp(s.Spool, "submission-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	h := sm.NewHash()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(io.MultiReader(bytes.NewReader(head), body), MaxSubmission+1))
	if err == nil && n > MaxSubmission {
		err = errTooLarge
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spooled{Reader: f, Closer: f, digest: sm.Digest(h.Sum(nil))}, nil
}

var errTooLarge = Fail(KindTooLarge, "TOO_LARGE", "文件超过 256 MiB，请拆分后分批报送", "the file is over 256 MiB; split it and send the parts")
