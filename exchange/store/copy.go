package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Copy puts into dir, which must not exist, what Check and Open read of this
// store as of now: a copy of the index, and the segments under second names.
// They are not copied, so an entry that is erased is erased there too, and a
// check of the copy sees it as damage. dir lies in the same file system.
func (s *Store) Copy(dir string) error {
	s.mu.RLock()
	st := s.live
	tx, err := st.db.Begin(false) // which keeps the generation from being closed
	s.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("store: copy: %w", err)
	}
	to := filepath.Join(dir, filepath.Base(st.dir))
	err = os.MkdirAll(filepath.Join(to, "segments"), 0o700)
	if err == nil {
		// The index first: it speaks of nothing that is not in the segments.
		err = tx.CopyFile(filepath.Join(to, "state.db"), 0o600)
	}
	if err = errors.Join(err, tx.Rollback()); err != nil {
		return fmt.Errorf("store: copy: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(st.segments.dir, "*.seg"))
	if err != nil {
		return fmt.Errorf("store: copy: %w", err)
	}
	for _, name := range names {
		err = errors.Join(err, os.Link(name, filepath.Join(to, "segments", filepath.Base(name))))
	}
	current := []byte(filepath.Base(st.dir) + "\n")
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, fileCurrent), current, 0o600)); err != nil {
		return fmt.Errorf("store: copy: %w", err)
	}
	return nil
}
