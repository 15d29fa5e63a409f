package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// language is one of the two in which the program speaks to people.
type language int

const (
	english language = iota
	chinese
)

// text is one message in both languages, kept side by side so that neither is
// forgotten.
type text struct{ zh, en string }

func (l language) say(t text) string {
	if l == chinese {
		return t.zh
	}
	return t.en
}

func (p *program) say(t text) string { return p.lang.say(t) }

// sayf is say for formats. Both must take the same arguments in the same order.
func (p *program) sayf(t text, args ...any) string {
	return fmt.Sprintf(p.lang.say(t), args...)
}

// languageOf finds --lang before the command line is parsed, for help and
// usage errors speak it too. Without it the locale decides, by the precedence
// of POSIX.
func languageOf(args []string, env func(string) string) (language, error) {
	lang := english
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				lang = chinese
			}
			break
		}
	}
	for i, arg := range args {
		var value string
		switch {
		case arg == "--":
			return lang, nil
		case arg == "--lang" && i+1 < len(args):
			value = args[i+1]
		case strings.HasPrefix(arg, "--lang="):
			value = strings.TrimPrefix(arg, "--lang=")
		default:
			continue
		}
		switch value {
		case "zh":
			lang = chinese
		case "en":
			lang = english
		default:
			return lang, usageError(&message{text: text{
				"--lang 只能是 zh 或 en", "--lang is zh or en"}})
		}
	}
	return lang, nil
}

// message is an error that people read: what happened in both languages, the
// cause below it, and a hint what to do.
type message struct {
	text
	cause error
	hint  text
}

func (m *message) Error() string {
	if m.cause == nil {
		return m.en
	}
	return m.en + ": " + m.cause.Error()
}

func (m *message) Unwrap() error { return m.cause }

// explain renders an error in the language of the program, ending with a hint
// if there is one. Causes that come from below are technical and stay in
// English; problems come from the gateway in the right language.
func (p *program) explain(err error) string {
	var (
		m       *message
		problem *httpapi.Problem
		file    *tabular.Error
	)
	switch {
	case errors.As(err, &m):
		s := p.say(m.text)
		if m.cause != nil {
			s += p.say(text{"：", ": "}) + p.explain(m.cause)
		}
		return s + p.hint(p.say(m.hint))
	case errors.Is(err, httpapi.ErrUnreachable):
		return p.sayf(text{"连不上网关 %s：%v", "can't reach the gateway %s: %v"}, p.url, root(err)) +
			p.hint(p.say(text{"请检查 --url（或 CREDITCTL_URL）和网络；重新执行不会造成重复",
				"check --url (or CREDITCTL_URL) and the network; running it again doubles nothing"}))
	case errors.As(err, &problem):
		s := problem.Detail + " [" + problem.Code + "]"
		if problem.Submission != "" {
			s += "\n" + p.sayf(text{"已受理的行在 %s 中", "rows taken before it are in %s"}, problem.Submission)
		}
		return s + p.hint(problem.Hint)
	case errors.As(err, &file):
		return file.Message.In(p.code()) + " [" + file.Code + "]" + p.hint(file.Hint.In(p.code()))
	}
	return err.Error()
}

func (p *program) hint(hint string) string {
	if hint == "" {
		return ""
	}
	return "\n" + p.say(text{"提示：", "hint: "}) + hint
}

// code is the language as the API and the schemas name it.
func (p *program) code() string {
	if p.lang == chinese {
		return "zh"
	}
	return "en"
}

// root is the innermost cause of an error from the network.
func root(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
