package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// readLimited reads a file of at most limit bytes. A parser that has a limit
// of its own sees one byte too many and refuses.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// readPrivate is readLimited for a file that is nobody's but its owner's.
func readPrivate(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, &message{
			Text: text{fmt.Sprintf("%s 的权限是 %04o，别的用户也能读写", path, mode), fmt.Sprintf("%s has mode %04o: others may read or write it", path, mode)},
			Hint: text{"chmod 600 " + path, "chmod 600 " + path},
		}
	}
	return readLimited(path, limit)
}

// createFile writes a file that must not exist yet, durably but for its name,
// which the caller makes durable with durable.SyncDir.
func createFile(path string, data []byte, mode os.FileMode) error {
	return createFrom(path, bytes.NewReader(data), mode)
}

func createFrom(path string, content io.Reader, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(path))
	}
	return nil
}
