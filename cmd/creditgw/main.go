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
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/xinqiao/creditgw/cmd/command"
)

// program is the node's command line with everything that it takes from the
// world, so that tests can run it in their own process.
type program struct {
	command.Program
	in   io.Reader
	now  func() time.Time
	rand io.Reader
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{
		Program: command.Program{Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Prompt: command.TerminalPrompt(os.Stdin, os.Stderr)},
		in:      os.Stdin, now: time.Now, rand: rand.Reader,
	}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// run executes one command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	return p.Run(ctx, args, p.root, p.Explain)
}
