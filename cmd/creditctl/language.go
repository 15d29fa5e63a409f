package main

import (
	"crypto/tls"
	"errors"
	"net/url"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// The words in which every command of this program speaks.
type (
	text      = command.Text
	message   = command.Message
	exitError = command.ExitError
)

const (
	exitDone        = command.ExitDone
	exitInvalid     = command.ExitInvalid
	exitUsage       = command.ExitUsage
	exitUnreachable = command.ExitUnreachable
)

func usageError(cause error) error { return command.UsageError(cause) }

// notValid ends a command that did its work and found something wrong.
var notValid = &exitError{Code: exitInvalid}

// codeOf is the exit code of an error that a command returns as it is.
func codeOf(err error) int {
	if errors.Is(err, httpapi.ErrUnreachable) {
		return exitUnreachable
	}
	return exitInvalid
}

// explain renders an error in the language of the program, ending with a hint
// if there is one. Problems come from the gateway in the right language.
func (p *program) explain(err error) string {
	var (
		m       *message
		problem *httpapi.Problem
		file    *tabular.Error
	)
	switch {
	case errors.As(err, &m):
		return p.ExplainMessage(m, p.explain)
	case errors.Is(err, httpapi.ErrUnreachable):
		hint := text{"请检查 --url（或 CREDITCTL_URL）和网络；重新执行不会造成重复",
			"check --url (or CREDITCTL_URL) and the network; running it again doubles nothing"}
		if certificate := new(tls.CertificateVerificationError); errors.As(err, &certificate) {
			hint = text{"证书由本单位的 CA 签发时，用环境变量 SSL_CERT_FILE 指明 CA 证书",
				"where the certificate is of a CA of your own, name the CA's in SSL_CERT_FILE"}
		}
		return p.Sayf(text{"连不上网关 %s：%v", "can't reach the gateway %s: %v"}, p.url, root(err)) + p.Hint(p.Say(hint))
	case errors.As(err, &problem):
		s := problem.Detail + " [" + problem.Code + "]"
		if problem.Submission != "" {
			s += "\n" + p.Sayf(text{"已受理的行在 %s 中", "rows taken before it are in %s"}, problem.Submission)
		}
		return s + p.Hint(problem.Hint)
	case errors.As(err, &file):
		return file.Message.In(p.Lang.Code()) + " [" + file.Code + "]" + p.Hint(file.Hint.In(p.Lang.Code()))
	}
	return p.Explain(err)
}

// root is the innermost cause of an error from the network.
func root(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
