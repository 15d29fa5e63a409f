package main

import (
	"errors"
	"fmt"
	"strings"
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

// explain renders an error in the language of the program. Causes that come
// from below are technical and stay in English.
func (p *program) explain(err error) string {
	var m *message
	if !errors.As(err, &m) {
		return err.Error()
	}
	s := p.say(m.text)
	if m.cause != nil {
		s += p.say(text{"：", ": "}) + p.explain(m.cause)
	}
	if hint := p.say(m.hint); hint != "" {
		s += "\n" + p.say(text{"提示：", "hint: "}) + hint
	}
	return s
}
