// Package durable puts files and directories in their places so that a power cut
// does not take them away again, and leaves of a file that was replaced the old
// one or the new one, whole.
//
// A name is in its directory, and a directory is a file of its own: until it is
// synced, a file that was synced can be gone after a power cut, or be there under
// the name that it had before.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Replace puts a file with the content in the place of path, or makes it. A file
// that is there keeps its mode; a new one has the given mode, less the umask.
// What comes to be is made beside path and nowhere else: it may be a secret, and
// a crash may leave it.
func Replace(path string, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := renameio.WriteFile(path, content, mode, renameio.WithTempDir(dir)); err != nil {
		return err
	}
	return SyncDir(dir) // renameio syncs the file, not its name
}

// MakeDir makes dir for this user alone, and what is missing above it. A dir that
// is there already may be what a crash has left: its name is made durable too.
func MakeDir(dir string) error {
	parent := filepath.Dir(dir)
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err = MakeDir(parent); err == nil {
			err = os.Mkdir(dir, 0o700)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// SyncDir makes the names in dir durable: what was made, renamed or removed there.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
