package main

import "github.com/xinqiao/creditgw/cmd/command"

// The words in which every command of this program speaks.
type (
	text      = command.Text
	message   = command.Message
	exitError = command.ExitError
)

const (
	exitDone    = command.ExitDone
	exitInvalid = command.ExitInvalid
	exitUsage   = command.ExitUsage
)

func usageError(cause error) error { return command.UsageError(cause) }
