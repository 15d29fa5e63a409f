package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Link gives the segments of the journal in from, which may be open, second
// names in dir, which must not exist and lies in the same file system. What is
// read there ends with a whole frame or a torn one.
func Link(from, dir string) error {
	segments, err := filepath.Glob(filepath.Join(from, "*"+suffix))
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	for _, path := range segments {
		err = errors.Join(err, os.Link(path, filepath.Join(dir, filepath.Base(path))))
	}
	if err != nil {
		return fmt.Errorf("journal: link: %w", err)
	}
	return nil
}
