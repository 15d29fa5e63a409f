package command

import "strings"

// Language is one of the two in which a program speaks to people.
type Language int

const (
	Chinese Language = iota
	English
)

// Text is one message, Chinese first and English second, kept side by side so
// that neither is forgotten.
type Text [2]string

// Say picks the text of this language.
func (l Language) Say(t Text) string { return t[l] }

// Code is the language as the API and the schemas name it.
func (l Language) Code() string { return l.Say(Text{"zh", "en"}) }

// LanguageOf finds --lang before the command line is parsed, for help and
// usage errors speak it too. Without it the locale decides, by the precedence
// of POSIX.
func LanguageOf(args []string, env func(string) string) (Language, error) {
	lang := English
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				lang = Chinese
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
			lang = Chinese
		case "en":
			lang = English
		default:
			return lang, UsageError(&Message{Text: Text{"--lang 只能是 zh 或 en", "--lang is zh or en"}})
		}
	}
	return lang, nil
}
