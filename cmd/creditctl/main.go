// Command creditctl is everyone's command line: agencies send files and follow
// them, operators look after registers and keys, the app's server pulls
// reminders, and anyone looks at the ledger. It talks to a gateway's HTTP API
// and keeps nothing.
//
// Exit status: 0 done, 1 rows were quarantined or the thing is not valid,
// 2 wrong usage, 3 the other side could not be reached.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// program is the command line with everything that it takes from the world, so
// that tests can run it in their own process.
type program struct {
	out, err io.Writer
	env      func(string) string
	now      func() time.Time // for how long to wait, not for dates
	http     *http.Client
	terminal bool // err is one: progress may be drawn there

	lang      language
	json      bool // --json: results on out as JSON
	url       string
	tokenFile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{
		out: os.Stdout, err: os.Stderr, env: os.Getenv, now: time.Now, http: &http.Client{},
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// Exit codes, the same for every command.
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

// notValid ends a command that did its work and found something wrong.
var notValid = &exitError{code: exitInvalid}

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
		code, err = exit.code, exit.cause
	}
	if err != nil {
		fmt.Fprintln(p.err, p.say(text{"错误：", "error: "})+p.explain(err))
	}
	return code
}
