package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Link gives the segments of a journal, which may be open, second names in dir,
// which must not exist and lies in the same file system. What Check reads there
// ends with a whole frame or a torn one.
func (j *Journal) Link(dir string) error {
	j.mu.Lock()
	segments := j.segments
	j.mu.Unlock()
	err := os.MkdirAll(dir, 0o700)
	for _, s := range segments {
		err = errors.Join(err, os.Link(s.path, filepath.Join(dir, filepath.Base(s.path))))
	}
	if err != nil {
		return fmt.Errorf("journal: link: %w", err)
	}
	return nil
}
