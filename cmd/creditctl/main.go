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
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/xinqiao/creditgw/cmd/command"
)

// program is the command line with everything that it takes from the world, so
// that tests can run it in their own process.
type program struct {
	command.Program
	now      func() time.Time // for how long to wait, not for dates
	http     *http.Client
	terminal bool // Err is one: progress may be drawn there

	url       string
	tokenFile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{
		Program: command.Program{Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Prompt: command.TerminalPrompt(os.Stdin, os.Stderr)},
		now:     time.Now, http: &http.Client{},
		terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// run executes one command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	return p.Run(ctx, args, p.root, p.explain)
}
