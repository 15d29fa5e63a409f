package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// member is one name and value of an object.
type member struct {
	name  []byte // without quotes and escapes
	value []byte // as written
}

var (
	errObject  = errors.New("tabular: not an object with distinct names")
	errMembers = errors.New("tabular: an object has too many members")
)

const jsonSpace = " \t\r\n"

// splitObject takes an object of at most so many members apart, in its order,
// and refuses a name given twice. The decoder that read raw has found it to be
// JSON, so that only borders are looked for here: a decoder for each member
// costs more than all the rest of reading a file.
func splitObject(raw []byte, most int) ([]member, error) {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(raw, jsonSpace), []byte("{"))
	if !ok {
		return nil, errObject
	}
	const usual = 48 // somewhat more than a record has
	members := make([]member, 0, usual)
	for {
		if rest = bytes.TrimLeft(rest, jsonSpace+","); rest[0] == '}' {
			return members, nil
		}
		if len(members) == most {
			return nil, errMembers
		}
		quoted, behind := cutValue(rest)
		value, behind := cutValue(bytes.TrimLeft(behind, jsonSpace+":"))
		name := unquote(quoted)
		twice := slices.ContainsFunc(members, func(m member) bool { return bytes.Equal(m.name, name) })
		if twice || bytes.ContainsRune(name, utf8.RuneError) {
			return nil, errObject
		}
		members, rest = append(members, member{name, value}), behind
	}
}

// cutValue cuts text behind the JSON value that it begins with.
func cutValue(text []byte) (value, rest []byte) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++ // over what is escaped
			continue
		case c == '"':
			quoted = !quoted
		case quoted:
			continue
		case c == '{', c == '[':
			depth++
		case depth == 0 && strings.IndexByte(jsonSpace+",}", c) >= 0:
			return text[:i], text[i:] // a number or a word has no end of its own
		case c == '}', c == ']':
			depth--
		default:
			continue
		}
		if depth == 0 && !quoted {
			return text[:i+1], text[i+1:]
		}
	}
	return text, nil
}

// unquote returns the text of a JSON string.
func unquote(quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	var s string
	_ = json.Unmarshal(quoted, &s)
	return []byte(s)
}

// authored takes apart {"record":…,"author":…}.
func authored(members []member) (record, author []byte, ok bool) {
	for _, m := range members {
		switch string(m.name) {
		case "record":
			record = m.value
		case "author":
			author = m.value
		default:
			return nil, nil, false
		}
	}
	return record, author, record != nil
}
