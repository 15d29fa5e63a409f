package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

const (
	minPassphrase = 8
	maxPassphrase = 1024
)

// passphraseSource says where a passphrase may come from: the file of a flag,
// then the environment, then the terminal.
type passphraseSource struct {
	flag, file string
	variable   string
	question   text
}

func keyPassphrase(file string) passphraseSource {
	return passphraseSource{"--passphrase-file", file, "CREDITGW_PASSPHRASE",
		text{"密钥口令：", "Passphrase of the keys: "}}
}

func recoveryPassphrase(file string) passphraseSource {
	return passphraseSource{"--recovery-passphrase-file", file, "CREDITGW_RECOVERY_PASSPHRASE",
		text{"恢复文件口令：", "Passphrase of the recovery file: "}}
}

// newPassphrase gets a passphrase for something that is being made. On a
// terminal it is asked for twice: a slip could never be put right.
func (p *program) newPassphrase(s passphraseSource) ([]byte, error) {
	given, asked, err := p.readPassphrase(s)
	if err != nil {
		return nil, err
	}
	if len(given) < minPassphrase {
		return nil, usageError(&message{Text: text{
			fmt.Sprintf("口令至少 %d 个字节（%s）", minPassphrase, s.flag),
			fmt.Sprintf("a passphrase has at least %d bytes (%s)", minPassphrase, s.flag)}})
	}
	if asked {
		again, err := p.prompt(p.Say(text{"再输一遍：", "Once more: "}))
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(given, again) {
			return nil, usageError(&message{Text: text{"两次输入不同", "the two differ"}})
		}
	}
	return given, nil
}

// passphrase gets the passphrase of something that exists.
func (p *program) passphrase(s passphraseSource) ([]byte, error) {
	given, _, err := p.readPassphrase(s)
	return given, err
}

func (p *program) readPassphrase(s passphraseSource) (given []byte, asked bool, err error) {
	switch {
	case s.file != "":
		given, err = readPassphraseFile(s.file)
	case p.Env(s.variable) != "":
		given = []byte(p.Env(s.variable))
	case p.prompt != nil:
		given, err = p.prompt(p.Say(s.question))
		asked = true
	default:
		return nil, false, usageError(&message{
			Text: text{"没有口令，也没有终端可以询问", "no passphrase, and no terminal to ask on"},
			Hint: text{fmt.Sprintf("用 %s 或环境变量 %s", s.flag, s.variable),
				fmt.Sprintf("use %s or the environment variable %s", s.flag, s.variable)},
		})
	}
	if err == nil && len(given) > maxPassphrase {
		err = fmt.Errorf("a passphrase has at most %d bytes", maxPassphrase)
	}
	if err != nil {
		return nil, asked, usageError(&message{Text: text{"读不到口令", "cannot read the passphrase"}, Cause: err})
	}
	return given, asked, nil
}

// readPassphraseFile takes the first line. Editors end it with a newline that
// nobody means to be part of the passphrase.
func readPassphraseFile(path string) ([]byte, error) {
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

// terminalPrompt is nil when in is no terminal.
func terminalPrompt(in, out *os.File) func(string) ([]byte, error) {
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
