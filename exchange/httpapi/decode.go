package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
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
	e.Hint = schemas.Text{ZH: "连接中断或发送过慢，请重新发送；重复发送是安全的", EN: "it broke off or came too slowly; send it again, which is safe"}
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

// badJSON says what is wrong, and where as far as that is known: a name of our
// own, or a byte counted from 1.
func badJSON(zh, en string) error {
	e := exchange.Fail(exchange.KindInvalid, "JSON", "请求体不是所要求的 JSON："+zh, "the body is not the JSON asked for: "+en)
	e.Hint = schemas.Text{ZH: "各字段见 /v1/openapi.json", EN: "/v1/openapi.json has the members"}
	return e
}

func badJSONAt(at int64, zh, en string) error {
	place := strconv.FormatInt(at, 10)
	return badJSON(zh+"（第 "+place+" 字节）", en+" (byte "+place+")")
}

// decodeJSON is strict: one value, valid UTF-8, no member twice, none unknown,
// no deep nesting. What is taken silently today can't be given a meaning
// tomorrow.
func decodeJSON(raw []byte, into any) error {
	if !utf8.Valid(raw) {
		return badJSON("不是 UTF-8", "it is not UTF-8")
	}
	if err := plainJSON(raw); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var (
		mistyped *json.UnmarshalTypeError
		moment   *time.ParseError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mistyped) && mistyped.Field != "":
		return badJSON("字段 "+mistyped.Field+" 类型不符", "member "+mistyped.Field+" has the wrong type")
	case errors.As(err, &moment):
		return badJSON("时间应写作 2026-04-02T09:00:00+08:00，带时区", "a time must be written as 2026-04-02T09:00:00+08:00, with its zone")
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return badJSON("有未知的字段", "there is an unknown member")
	}
	return badJSON("类型不符", "a value has the wrong type")
}

// memberLetters are all that names of members have. encoding/json matches names
// without regard to case, which would give each of them many spellings.
const memberLetters = "abcdefghijklmnopqrstuvwxyz_"

// plainJSON refuses what is not exactly one value without a repeated or oddly
// spelt member name and within the depth limit.
func plainJSON(raw []byte) error {
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
			return badJSONAt(d.InputOffset()+1, "格式错误", "a syntax error")
		}
		if n := len(open); n > 0 && open[n-1].names != nil {
			top := &open[n-1]
			if name, ok := token.(string); ok && !top.value {
				if top.names[name] || strings.Trim(name, memberLetters) != "" {
					return badJSONAt(d.InputOffset(), "字段重复或未知", "a repeated or unknown member")
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
			return badJSONAt(d.InputOffset(), "嵌套过深", "it is nested too deeply")
		}
		if len(open) == 0 {
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return badJSONAt(d.InputOffset()+1, "此后还有内容", "something follows the value")
			}
			return nil
		}
	}
}
