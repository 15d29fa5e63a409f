package tabular

import (
	"archive/zip"
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
)

// sharedTexts gathers the texts that cells of all sheets refer to by number.
type sharedTexts struct {
	texts  []string
	inside bool // an item has begun
	item   capture
}

func readShared(f *zip.File, limits Limits) ([]string, error) {
	if f == nil {
		return nil, nil // a workbook without texts
	}
	var s sharedTexts
	err := walk(f, limits, &s)
	return s.texts, err
}

func (s *sharedTexts) start(element xml.StartElement) {
	switch {
	case s.inside:
		s.item.start(element.Name.Local)
	case element.Name.Local == "si":
		s.inside = true
		s.item.of("t")
	}
}

func (s *sharedTexts) text(data []byte) { s.item.text(data) }

func (s *sharedTexts) end(name string) {
	s.item.end(name)
	if name == "si" {
		s.inside = false
		s.texts = append(s.texts, unescape(string(s.item.gathered)))
	}
}

var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescape undoes the writing of characters that XML has no room for as _xHHHH_.
func unescape(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	return escaped.ReplaceAllStringFunc(text, func(s string) string {
		code, err := strconv.ParseUint(s[2:6], 16, 16)
		if err != nil || code >= 0xd800 && code < 0xe000 {
			return "" // half a character
		}
		return string(rune(code))
	})
}
