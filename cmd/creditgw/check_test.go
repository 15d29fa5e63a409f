package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stoppedDemo runs the demonstration to its end and returns what a region of
// it leaves on disk.
func stoppedDemo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	p, _, errOut := testProgram(nil)
	p.now = time.Now
	if code := p.run(context.Background(), []string{"demo", "--dir", dir, "--http", "127.0.0.1:0", "--once", "--json"}); code != exitDone {
		t.Fatalf("the demonstration ended with %d: %s", code, errOut)
	}
	return filepath.Join(dir, "120000")
}

type checkReport struct {
	Sound bool
	Parts []partCheck
}

func (r *checkReport) damage() (all []string) {
	for _, part := range r.Parts {
		all = append(all, part.Damage...)
	}
	return all
}

func runCheck(t *testing.T, dir string) (int, checkReport, string) {
	t.Helper()
	p, out, errOut := testProgram(nil)
	code := p.run(context.Background(), []string{"check", "--dir", dir, "--json", "--progress"})
	var r checkReport
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
	}
	return code, r, errOut.String()
}

// unread are the files of a node in which a changed byte is not for this check:
// locks are empty, the configuration is a person's, and what is under a
// passphrase shows its damage when it is opened. Passphrase and tokens lie there
// in the demonstration only.
var unread = []string{"*.lock", "*.token", "passphrase", "spool", configName, recoveryName, keysName}

func isUnread(name string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
	for _, pattern := range unread {
		if ok, _ := filepath.Match(pattern, first); ok {
			return true
		}
	}
	return false
}

// nodeFiles lists the files of a node that hold something.
func nodeFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if name, err := filepath.Rel(dir, path); err != nil || isUnread(name) {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Of every file that a node leaves, whatever its name: bytes at its beginning
// and in what it holds are changed, and the check names the file.
func TestCheckNamesEveryFileWithAChangedByte(t *testing.T) {
	t.Parallel()
	dir := stoppedDemo(t)
	code, r, errOut := runCheck(t, dir)
	if code != exitDone || !r.Sound || len(r.Parts) != len(nodeParts) {
		t.Fatalf("exit %d, %+v: %s", code, r, errOut)
	}
	for _, part := range r.Parts {
		if part.Entries == 0 {
			t.Errorf("%s: nothing was read", part.Part)
		}
	}
	files := nodeFiles(t, dir)
	if len(files) < 9 {
		t.Fatalf("a node leaves more than %q", files)
	}
	for _, path := range files {
		name, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range places(t, path) {
			mend := flip(t, path, at)
			code, r, errOut := runCheck(t, dir)
			// The genesis says what the rest must be, and is refused at once.
			said := strings.Join(r.damage(), "\n") + errOut
			if code != exitInvalid || r.Sound || !strings.Contains(said, filepath.Base(name)) {
				t.Errorf("%s, byte %d: exit %d: %s", name, at, code, said)
			}
			mend()
		}
	}
	if code, _, errOut := runCheck(t, dir); code != exitDone {
		t.Errorf("mended: exit %d: %s", code, errOut)
	}
}

// places are bytes of a file that mean something. A database is written page by
// page, and most of what is in it at any time is free: there they are those of
// its two meta pages; pairs are the matter of each package's own tests.
func places(t *testing.T, path string) []int64 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".db") {
		page := int64(os.Getpagesize())
		return []int64{boltPageHeader + 20, page + 3}
	}
	used := int64(len(strings.TrimRight(string(raw), "\x00")))
	return []int64{1, used - used/3}
}

func TestCheckNamesAMissingPartAndARunningNode(t *testing.T) {
	t.Parallel()
	dir := stoppedDemo(t)
	journal := filepath.Join(dir, journalName)
	if err := os.Rename(journal, journal+".away"); err != nil {
		t.Fatal(err)
	}
	if code, r, _ := runCheck(t, dir); code != exitInvalid || r.Sound {
		t.Errorf("a missing journal: exit %d, %+v", code, r)
	}
	if err := os.Rename(journal+".away", journal); err != nil {
		t.Fatal(err)
	}

	// A casebook that was deleted is built again at the next start.
	if err := os.RemoveAll(filepath.Join(dir, casebookName)); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := runCheck(t, dir); code != exitDone {
		t.Errorf("without a casebook: exit %d: %s", code, errOut)
	}

	lock, err := lockDir(dir) // as a running node holds it
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if code, _, errOut := runCheck(t, dir); code != exitInvalid || !strings.Contains(errOut, "in use by another process") {
		t.Errorf("running: exit %d: %s", code, errOut)
	}
}

// Pages that point at each other make bbolt run in circles until it has no
// memory or stack left. The process that dies of it is the child.
func TestCheckSurvivesWhatKillsItsReader(t *testing.T) {
	t.Parallel()
	dir := stoppedDemo(t)
	path := filepath.Join(dir, casebookName, "casebook.db")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// All pages but the two meta pages are those of something else.
	page := os.Getpagesize()
	for at := 2 * page; at+page <= len(raw); at += page {
		copy(raw[at:], []byte{byte(at / page), byte(at / page >> 8), 0, 0, 0, 0, 0, 0, 1, 0, 255, 0, 0, 0, 0, 0})
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	code, r, errOut := runCheck(t, dir)
	if code != exitInvalid || len(r.Parts) != len(nodeParts) {
		t.Fatalf("exit %d, %+v: %s", code, r, errOut)
	}
	for _, part := range r.Parts {
		if damaged := len(part.Damage) > 0; damaged != (part.Part == casebookName) {
			t.Errorf("%s: %q", part.Part, part.Damage)
		}
	}
}

func TestCheckWantsANodesDirectory(t *testing.T) {
	p, out, errOut := testProgram(nil)
	if code := p.run(context.Background(), []string{"check", "--dir", t.TempDir()}); code == exitDone || out.Len() != 0 || errOut.Len() == 0 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

// flip changes one byte of a file.
func flip(t *testing.T, file string, at int64) (mend func()) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	put := func(f *os.File, b []byte) {
		t.Helper()
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	was := make([]byte, 1)
	if _, err := f.ReadAt(was, at); err != nil {
		t.Fatal(err)
	}
	put(f, []byte{was[0] ^ 1})
	return func() {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		put(f, was)
	}
}
