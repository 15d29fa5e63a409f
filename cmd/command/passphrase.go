package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

const maxPassphrase = 1024

// PassphraseSource says where a passphrase may come from: the file of a flag,
// then the environment, which has it in Variable or names a file in
// Variable_FILE, then the terminal.
type PassphraseSource struct {
	Flag, File string
	Variable   string
	Question   Text
}

// Passphrase gets a passphrase, and says whether it was asked for on the
// terminal.
func (p *Program) Passphrase(s PassphraseSource) (given []byte, asked bool, err error) {
	switch {
	case s.File != "":
		given, err = ReadPassphraseFile(s.File)
	case p.Env(s.Variable) != "":
		given = []byte(p.Env(s.Variable))
	case p.Env(s.Variable+"_FILE") != "":
		given, err = ReadPassphraseFile(p.Env(s.Variable + "_FILE"))
	case p.Prompt != nil:
		given, err = p.Prompt(p.Say(s.Question))
		asked = true
	default:
		return nil, false, UsageError(&Message{
			Text: Text{"没有口令，也没有终端可以询问", "no passphrase, and no terminal to ask on"},
			Hint: Text{fmt.Sprintf("用 %s，或环境变量 %[2]s、%[2]s_FILE", s.Flag, s.Variable),
				fmt.Sprintf("use %s, or %[2]s or %[2]s_FILE in the environment", s.Flag, s.Variable)},
		})
	}
	if err == nil && len(given) > maxPassphrase {
		err = fmt.Errorf("a passphrase has at most %d bytes", maxPassphrase)
	}
	if err != nil {
		return nil, asked, UsageError(&Message{Text: Text{"读不到口令", "cannot read the passphrase"}, Cause: err})
	}
	return given, asked, nil
}

// ReadPassphraseFile takes the first line. Editors end it with a newline that
// nobody means to be part of the passphrase.
func ReadPassphraseFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassphrase+3))
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	switch {
	case len(b) == 0:
		return nil, errors.New("the file is empty")
	case bytes.ContainsAny(b, "\r\n"):
		return nil, errors.New("the file has more than one line")
	}
	return b, nil
}

// TerminalPrompt is nil when in is no terminal.
func TerminalPrompt(in, out *os.File) func(string) ([]byte, error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	return func(question string) ([]byte, error) {
		fmt.Fprint(out, question)
		defer fmt.Fprintln(out)
		return term.ReadPassword(fd)
	}
}
