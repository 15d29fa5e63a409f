package main

import (
	"bytes"
	"context"
	"encoding/json"
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

func TestCheckNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	dir := stoppedDemo(t)

	code, r, errOut := runCheck(t, dir)
	if code != exitDone || !r.Sound || len(r.Parts) != 3 {
		t.Fatalf("exit %d, %+v: %s", code, r, errOut)
	}
	for _, part := range r.Parts {
		if part.Entries == 0 {
			t.Errorf("%s: nothing was read", part.Part)
		}
	}

	for _, c := range []struct {
		part, file, named string
	}{
		{"ledger", "ledger/*/*/*.seg", "entry "},
		{"journal", "journal/*", "offset "},
		{"vault", "vault", "offset 0"},
	} {
		file := lastFile(t, filepath.Join(dir, c.file))
		mend := flip(t, file, c.part == "vault")
		code, r, errOut := runCheck(t, dir)
		if code != exitInvalid || r.Sound || !strings.Contains(errOut, "is damaged in") {
			t.Errorf("%s: exit %d, sound %v: %s", file, code, r.Sound, errOut)
		}
		for _, part := range r.Parts {
			if named := strings.Contains(strings.Join(part.Damage, "\n"), c.named); named != (part.Part == c.part) {
				t.Errorf("%s flipped, %s says %q", file, part.Part, part.Damage)
			}
		}
		mend()
	}

	journal := filepath.Join(dir, "journal")
	if err := os.Rename(journal, journal+".away"); err != nil {
		t.Fatal(err)
	}
	if code, r, _ := runCheck(t, dir); code != exitInvalid || r.Sound {
		t.Errorf("a missing journal: exit %d, %+v", code, r)
	}
	if err := os.Rename(journal+".away", journal); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := runCheck(t, dir); code != exitDone {
		t.Errorf("mended: exit %d: %s", code, errOut)
	}

	// As a running node holds it.
	lock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if code, _, errOut := runCheck(t, dir); code != exitInvalid || !strings.Contains(errOut, "in use by another process") {
		t.Errorf("running: exit %d: %s", code, errOut)
	}
}

func TestCheckWantsANodesDirectory(t *testing.T) {
	p, out, errOut := testProgram(nil)
	if code := p.run(context.Background(), []string{"check", "--dir", t.TempDir()}); code == exitDone || out.Len() != 0 || errOut.Len() == 0 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

func lastFile(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no file, %v", pattern, err)
	}
	return files[len(files)-1]
}

// flip changes one byte in the middle of a file, or in its header.
func flip(t *testing.T, file string, header bool) (mend func()) {
	t.Helper()
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, at := bytes.Clone(was), len(was)/2
	if header {
		at = 8
	}
	b[at] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(file, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
