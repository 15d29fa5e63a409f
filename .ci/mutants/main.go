// Mutants shows that the tests would notice if a check were missing: it takes
// each check of the table out of the source, one at a time, and runs the tests
// that must fail for it. A check whose absence nothing notices is as good as
// absent.
//
//	go run ./.ci/mutants                all of them
//	go run ./.ci/mutants -quick         the share that belongs to the gate
//	go run ./.ci/mutants -only 'vault'  those whose name matches
//
// No file is changed: the altered source goes to the compiler as an overlay.
// Run it after the tests have passed, for a test that fails anyway proves
// nothing here.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A mutant is a check and how to take it away.
type mutant struct {
	check string // what is switched off
	file  string
	old   string // stands once in the file
	new   string
	pkg   string // whose tests are run
	run   string // pattern of the tests one of which must fail
	quick bool   // belongs to the gate
}

func main() {
	quick := flag.Bool("quick", false, "only the share that belongs to the gate")
	only := flag.String("only", "", "only mutants whose check matches this pattern")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *quick, *only); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick bool, only string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// A replacement that fits nowhere is found before anything is run.
	var stale []error
	var chosen []mutant
	for _, m := range mutants {
		if _, err := m.source(); err != nil {
			stale = append(stale, err)
		}
		if (m.quick || !quick) && pattern.MatchString(m.check) {
			chosen = append(chosen, m)
		}
	}
	if len(stale) > 0 {
		return errors.Join(stale...)
	}
	var missed []string
	for i, m := range chosen {
		began := time.Now()
		caught, err := m.try(ctx, dir)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict := "caught by " + caught
		if err != nil {
			verdict = err.Error()
			missed = append(missed, m.check)
		}
		fmt.Printf("%3d/%d %5.1f s  %s: %s\n", i+1, len(chosen), time.Since(began).Seconds(), m.check, verdict)
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d of %d not caught: %s", len(missed), len(chosen), strings.Join(missed, "; "))
	}
	if len(chosen) == 0 {
		return errors.New("no mutant is called that")
	}
	return nil
}

// source is the file with the check taken out.
func (m mutant) source() ([]byte, error) {
	b, err := os.ReadFile(m.file)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(b, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s: %q stands %d times in %s", m.check, m.old, n, m.file)
	}
	return bytes.Replace(b, []byte(m.old), []byte(m.new), 1), nil
}

// limit bounds the tests of one mutant. A test that hangs for want of the check
// has noticed nothing.
const limit = 2 * time.Minute

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// try runs the tests on the altered source and returns the first that failed.
func (m mutant) try(ctx context.Context, dir string) (caught string, err error) {
	altered, err := m.source()
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(dir, filepath.Base(m.file))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replacement}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := errors.Join(os.WriteFile(replacement, altered, 0o600), os.WriteFile(overlayFile, overlay, 0o600)); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-count=1", "-failfast", "-timeout", limit.String(), "-run", m.run, m.pkg)
	// In the environment, so that a test which builds a program builds this one.
	cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlayFile)
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return "", errors.New("NOT CAUGHT")
	case bytes.Contains(out, []byte("panic: test timed out")):
		return "", fmt.Errorf("NOT CAUGHT, the tests hang:\n%s", tail(out))
	}
	if test := failed.FindSubmatch(out); test != nil {
		return string(test[1]), nil
	}
	return "", fmt.Errorf("NOT CAUGHT, nothing could be run:\n%s", tail(out))
}

func tail(out []byte) []byte { return out[max(0, len(out)-2000):] }
