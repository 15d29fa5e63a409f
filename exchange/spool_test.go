package exchange

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

func newSpool(t *testing.T) *Service {
	t.Helper()
	return NewService(Config{Spool: t.TempDir(), Sealer: Sealer{Rand: rand.Reader}})
}

// What a submission leaves on the disk while it is read is of no use to whoever
// finds the disk.
func TestASpooledFileIsReadByItsWriterOnly(t *testing.T) {
	s := newSpool(t)
	for name, body := range map[string]string{
		"in memory":   strings.Repeat("甲,1号,罚款\n", 10),
		"on the disk": strings.Repeat("甲,1号,罚款\n", inMemory/10),
	} {
		f, err := s.spool(Principal{ID: "t-1"}, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if (f.file != nil) != (name == "on the disk") {
			t.Fatalf("%s: it is elsewhere", name)
		}
		if f.file != nil {
			stored, err := io.ReadAll(io.NewSectionReader(f.file, 0, MaxSubmission))
			if err != nil || len(stored) != len(body) || bytes.Contains(stored, []byte("罚款")) {
				t.Errorf("%s: %d bytes, %v, or they show what was sent", name, len(stored), err)
			}
		}
		again, err := io.ReadAll(f)
		if err != nil || string(again) != body || f.digest != sm.Sum([]byte(body)) {
			t.Errorf("%s: it reads otherwise than it came: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// One token can take neither the whole disk nor all memory, and what it does
// take it gives back.
func TestLargeFilesAreReadAFewAtATime(t *testing.T) {
	s := newSpool(t)
	large, book := strings.Repeat("x", inMemory+1), "PK\x03\x04 a workbook"
	take := func(token, body string) *spooled {
		t.Helper()
		f, err := s.spool(Principal{ID: token}, strings.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		return f
	}
	full := func(token, body string) {
		t.Helper()
		if _, err := s.spool(Principal{ID: token}, strings.NewReader(body)); !errors.Is(err, errManyFiles) {
			t.Errorf("one more of %s: %v", token, err)
		}
	}
	var open []*spooled
	for _, token := range []string{"t-1", "t-2", "t-3"} {
		for i := range mostLargeOne {
			open = append(open, take(token, []string{large, book}[i%2]))
		}
		full(token, large)
		full(token, book)
	}
	full("t-4", book)
	take("t-4", "a single notice")
	for _, f := range open {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.spool(Principal{ID: "t-1"}, io.LimitReader(zeros{}, MaxSubmission+1)); !errors.Is(err, errTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if s.large.total != 0 || len(s.large.of) != 0 {
		t.Errorf("%d places are still taken, by %v", s.large.total, s.large.of)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
