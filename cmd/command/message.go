package command

import "fmt"

// Message is an error that people read: what happened in both languages, the
// cause below it, and a hint what to do.
type Message struct {
	Text
	Cause error
	Hint  Text
}

func (m *Message) Error() string {
	if m.Cause == nil {
		return m.Text[English]
	}
	return m.Text[English] + ": " + m.Cause.Error()
}

func (m *Message) Unwrap() error { return m.Cause }

// Exit codes, the same for every command.
const (
	ExitDone        = 0
	ExitInvalid     = 1
	ExitUsage       = 2
	ExitUnreachable = 3
)

// ExitError ends the program with a code. Without a cause it prints nothing:
// the command has said already what there is to say.
type ExitError struct {
	Code  int
	Cause error
}

func (e *ExitError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Cause.Error()
}

func (e *ExitError) Unwrap() error { return e.Cause }

// UsageError is a call that can't be right, whatever the state of the world.
func UsageError(cause error) error { return &ExitError{ExitUsage, cause} }
