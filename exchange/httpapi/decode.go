package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/exchange"
)

// maxJSONDepth bounds nesting. The deepest body there is has four levels.
const maxJSONDepth = 8

// readJSON reads a body that must be one JSON value of T's form. The route has
// bounded its length already.
func readJSON[T any](r *http.Request) (T, error) {
	var v T
	if err := requireJSON(r); err != nil {
		return v, err
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return v, bodyError(err)
	}
	return v, decodeJSON(raw, &v)
}

// bodyError names the reader's own faults as the sender's: a body that stops
// or is too slow is not our internal error.
func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	e := exchange.Fail(exchange.KindInvalid, "BODY_INCOMPLETE", "请求体未能读完", "the body could not be read to its end")
	e.Cause = err
	return e
}

func requireJSON(r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return exchange.Fail(exchange.KindUnsupported, "CONTENT_TYPE", "Content-Type 应为 application/json", "Content-Type must be application/json")
	}
	return nil
}

var errJSON = invalid("JSON", "请求体不是所要求的 JSON：有未知、重复或类型不符的字段，或格式错误",
	"the body is not the JSON asked for: an unknown, repeated or mistyped member, or a syntax error")

// decodeJSON is strict: one value, valid UTF-8, no member twice, none unknown,
// no deep nesting. What is taken silently today can't be given a meaning
// tomorrow.
func decodeJSON(raw []byte, into any) error {
	if !utf8.Valid(raw) || !plainJSON(raw) {
		return errJSON
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(into) != nil {
		return errJSON
	}
	return nil
}

// memberLetters are all that names of members have. encoding/json matches names
// without regard to case, which would give each of them many spellings.
const memberLetters = "abcdefghijklmnopqrstuvwxyz_"

// plainJSON reports whether raw is exactly one value without a repeated or
// oddly spelt member name and within the depth limit.
func plainJSON(raw []byte) bool {
	type level struct {
		names map[string]bool // nil in an array
		value bool            // in an object: a value comes next, not a name
	}
	var open []level
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if n := len(open); n > 0 && open[n-1].names != nil {
			top := &open[n-1]
			if name, ok := token.(string); ok && !top.value {
				if top.names[name] || strings.Trim(name, memberLetters) != "" {
					return false
				}
				top.names[name], top.value = true, true
				continue
			}
			top.value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > maxJSONDepth {
			return false
		}
		if len(open) == 0 {
			_, err := d.Token()
			return errors.Is(err, io.EOF)
		}
	}
}
