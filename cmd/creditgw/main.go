// Command creditgw is the gateway node of a region: it makes keys and the
// genesis, serves, checks itself, and runs four regions on one machine as a
// demonstration.
//
// Exit status: 0 done, 1 the thing is not valid or rows were quarantined,
// 2 wrong usage, 3 the other side could not be reached.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// program is the node's command line with everything that it takes from the
// world, so that tests can run it in their own process.
type program struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
	now      func() time.Time
	rand     io.Reader
	// prompt asks for a secret on the terminal without showing it. It is nil
	// when there is nobody to ask.
	prompt func(question string) ([]byte, error)

	lang language
	json bool // --json: results on out as JSON
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		env: os.Getenv, now: time.Now, rand: rand.Reader,
		prompt: terminalPrompt(os.Stdin, os.Stderr),
	}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// Exit codes of CONTRACT, the same for every command.
const (
	exitDone        = 0
	exitInvalid     = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// exitError ends the program with a code. Without a cause it prints nothing:
// the command has said already what there is to say.
type exitError struct {
	code  int
	cause error
}

func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.cause.Error()
}

func (e *exitError) Unwrap() error { return e.cause }

// usageError is a call that can't be right, whatever the state of the world.
func usageError(cause error) error { return &exitError{exitUsage, cause} }

// run executes one command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	lang, err := languageOf(args, p.env)
	p.lang = lang
	if err == nil {
		err = p.execute(ctx, args)
	}
	if err == nil {
		return exitDone
	}
	code := exitInvalid
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		err = exit.cause
	}
	if err != nil {
		fmt.Fprintln(p.err, p.say(text{"错误：", "error: "})+p.explain(err))
	}
	return code
}
