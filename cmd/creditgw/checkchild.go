package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A part is read in a process of its own, for bbolt trusts its pages: rotten
// ones make it fault, run in circles or ask for all memory there is. The child
// says what it finds as it finds it, a line of JSON each; how it ends is part of
// the finding.
type checkLine struct {
	Done   int64      `json:"done,omitempty"`
	Total  int64      `json:"total,omitempty"`
	Damage string     `json:"damage,omitempty"`
	Part   *partCheck `json:"part,omitempty"` // the last line
}

const (
	// checkStall is how long a child may read without getting on.
	checkStall = 10 * time.Minute
	// checkMemory bounds a child's memory, in bytes.
	checkMemory = 4 << 30
	// checkTick is the least time between two lines of progress.
	checkTick = 100 * time.Millisecond
)

// checkPart is the child: it reads one part and writes lines.
func (p *program) checkPart(f checkFlags) error {
	at := slices.IndexFunc(nodeParts, func(n nodePart) bool { return n.name == f.part })
	if at < 0 {
		return usageError(fmt.Errorf("no part %q", f.part))
	}
	// A reader that runs in circles must not take the machine with it.
	_ = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: checkMemory, Max: checkMemory})
	debug.SetMaxStack(64 << 20)
	out := json.NewEncoder(p.Out)
	part := nodeParts[at]
	if part.databases != nil {
		for _, path := range part.databases(f.dir) {
			if err := checkDatabase(path); err != nil {
				for _, line := range strings.Split(err.Error(), "\n") {
					if err := out.Encode(checkLine{Damage: line}); err != nil {
						return err
					}
				}
			}
		}
	}
	var last time.Time
	found := partCheck{Part: part.name}
	part.read(&found, f, func(done, total int64) {
		if now := time.Now(); now.Sub(last) >= checkTick || done == total {
			last = now
			_ = out.Encode(checkLine{Done: done, Total: total}) // if nobody listens, SIGPIPE ends the child
		}
	})
	return out.Encode(checkLine{Part: &found})
}

// checkChild is the parent's side of one part.
type checkChild struct {
	dir, part      string
	passphraseFile string
	progress       func(done, total int64)
}

// run returns what the child found. A child that does not come to its end has
// found damage; the error says that it could not be started.
func (c *checkChild) run(ctx context.Context) (partCheck, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	self, err := os.Executable()
	if err != nil {
		return partCheck{}, err
	}
	args := []string{"check", "--dir", c.dir, "--part", c.part}
	if c.passphraseFile != "" {
		args = append(args, "--passphrase-file", c.passphraseFile)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Args[0] = "creditgw"
	var last headBuffer
	cmd.Stderr = &last
	out, err := cmd.StdoutPipe()
	if err != nil {
		return partCheck{}, err
	}
	if err := cmd.Start(); err != nil {
		return partCheck{}, err
	}
	stalled := time.AfterFunc(checkStall, func() { cancel(errStalled) })
	defer stalled.Stop()
	found, whole := c.listen(out, func() { stalled.Reset(checkStall) })
	err = cmd.Wait()
	switch {
	case context.Cause(ctx) != nil && !errors.Is(context.Cause(ctx), errStalled):
		return partCheck{}, context.Cause(ctx)
	case errors.Is(context.Cause(ctx), errStalled):
		err = errStalled
	case err == nil && !whole:
		err = errors.New("it said nothing")
	}
	if err != nil {
		found.found(fmt.Errorf("%s/%s: the process that read it ended early: %w: %s", c.dir, c.part, err, last.line()))
	}
	return found, nil
}

var errStalled = fmt.Errorf("no progress for %s", checkStall)

// listen takes the child's lines until there are no more.
func (c *checkChild) listen(out interface{ Read([]byte) (int, error) }, alive func()) (found partCheck, whole bool) {
	found.Part = c.part
	var damage []string
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		alive()
		var line checkLine
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // what is not a line of ours is no finding
		}
		switch {
		case line.Part != nil:
			found, whole = *line.Part, true
		case line.Damage != "":
			damage = append(damage, line.Damage)
		default:
			c.progress(line.Done, line.Total)
		}
	}
	found.Damage = append(damage, found.Damage...)
	return found, whole
}

// headBuffer keeps the beginning of what a dying process says.
type headBuffer struct{ bytes.Buffer }

func (b *headBuffer) Write(p []byte) (int, error) {
	if room := 4096 - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// line is the first of them.
func (b *headBuffer) line() string {
	first, _, _ := strings.Cut(strings.TrimSpace(b.String()), "\n")
	return first
}
