package main

import (
	"bytes"
	"fmt"

	"github.com/xinqiao/creditgw/cmd/command"
)

const minPassphrase = 8

func keyPassphrase(file string) command.PassphraseSource {
	return command.PassphraseSource{Flag: "--passphrase-file", File: file, Variable: "CREDITGW_PASSPHRASE",
		Question: text{"密钥口令：", "Passphrase of the keys: "}}
}

func recoveryPassphrase(file string) command.PassphraseSource {
	return command.PassphraseSource{Flag: "--recovery-passphrase-file", File: file, Variable: "CREDITGW_RECOVERY_PASSPHRASE",
		Question: text{"恢复文件口令：", "Passphrase of the recovery file: "}}
}

// newPassphrase gets a passphrase for something that is being made. On a
// terminal it is asked for twice: a slip could never be put right.
func (p *program) newPassphrase(s command.PassphraseSource) ([]byte, error) {
	given, asked, err := p.Passphrase(s)
	if err != nil {
		return nil, err
	}
	if len(given) < minPassphrase {
		return nil, usageError(&message{Text: text{
			fmt.Sprintf("口令至少 %d 个字节（%s）", minPassphrase, s.Flag),
			fmt.Sprintf("a passphrase has at least %d bytes (%s)", minPassphrase, s.Flag)}})
	}
	if asked {
		again, err := p.Prompt(p.Say(text{"再输一遍：", "Once more: "}))
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
func (p *program) passphrase(s command.PassphraseSource) ([]byte, error) {
	given, _, err := p.Passphrase(s)
	return given, err
}
