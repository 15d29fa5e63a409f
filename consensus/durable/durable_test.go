package durable_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/xinqiao/creditgw/consensus/durable"
)

func TestAFileIsReplacedAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	old, next := bytes.Repeat([]byte("o"), 1<<16), bytes.Repeat([]byte("n"), 1<<10)
	replace(t, path, old, 0o600)
	stop := make(chan struct{})
	seen := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				seen <- nil
				return
			default:
			}
			raw, err := os.ReadFile(path)
			if err == nil && !bytes.Equal(raw, old) && !bytes.Equal(raw, next) {
				err = errors.New("a file that is neither the old nor the new one")
			}
			if err != nil {
				seen <- err
				return
			}
		}
	}()
	for range 20 {
		replace(t, path, next, 0o600)
		replace(t, path, old, 0o600)
	}
	close(stop)
	if err := <-seen; err != nil {
		t.Error(err)
	}
	if names := list(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// An operator who has narrowed a file's mode does not find it wide again.
func TestAFileKeepsTheModeThatItHas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	for _, step := range []struct{ given, want fs.FileMode }{{0o600, 0o600}, {0o644, 0o600}} {
		replace(t, path, []byte("{}"), step.given)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != step.want {
			t.Errorf("mode %v, given %v", info.Mode(), step.given)
		}
	}
}

// A secret is not written to a directory that others share, even for a moment.
func TestNothingIsWrittenElsewhere(t *testing.T) {
	elsewhere := t.TempDir()
	before, err := os.Stat(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", elsewhere)
	replace(t, filepath.Join(t.TempDir(), "secret"), []byte("key"), 0o600)
	after, err := os.Stat(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	if !after.ModTime().Equal(before.ModTime()) {
		t.Error("a file was made in TMPDIR")
	}
}

func TestWhatCannotBePlacedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.Mkdir(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(taken, []byte("content"), 0o600); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if names := list(t, dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if err := durable.Replace(filepath.Join(dir, "absent", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestADirectoryIsMadeWithWhatIsAboveIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft", "wal")
	for range 2 { // made; there already
		if err := durable.MakeDir(dir); err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{dir, filepath.Dir(dir)} {
			if info, err := os.Stat(d); err != nil || info.Mode() != fs.ModeDir|0o700 {
				t.Errorf("%s: %v, %v", d, info, err)
			}
		}
	}
	file := filepath.Join(dir, "file")
	replace(t, file, nil, 0o600)
	if err := durable.MakeDir(filepath.Join(file, "below")); err == nil {
		t.Error("a directory below a file")
	}
}

func TestADirectoryThatIsNotThereIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := durable.SyncDir(dir); err != nil {
		t.Error(err)
	}
	if err := durable.SyncDir(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func replace(t *testing.T, path string, content []byte, mode fs.FileMode) {
	t.Helper()
	if err := durable.Replace(path, content, mode); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}
