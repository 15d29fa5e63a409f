package exchange

import (
	"io"
	"os"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// MaxSubmission is the largest file taken in, in bytes.
const MaxSubmission = 256 << 20

// spooled is a submission's bytes while they are read. The digest of the whole
// file goes into every record's author block, so the file is read once before
// its first row is.
type spooled struct {
	*os.File
	digest sm.Digest
}

// spool writes body to a file without a name, which is gone with its handle,
// also after a crash.
func (s *Service) spool(body io.Reader) (*spooled, error) {
	f, err := os.CreateTemp(s.Spool, "submission-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	h := sm.NewHash()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(body, MaxSubmission+1))
	if err == nil && n > MaxSubmission {
		err = errTooLarge
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &spooled{File: f, digest: sm.Digest(h.Sum(nil))}, nil
}

var errTooLarge = Fail(KindTooLarge, "TOO_LARGE", "文件超过 256 MiB，请拆分后分批报送", "the file is over 256 MiB; split it and send the parts")
