package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/ident"
)

const (
	defaultLimit = 100
	maxLimit     = 500
	maxCursor    = 512
)

// query is a request's query string, read strictly: a parameter that the route
// doesn't know, or one given twice, is refused, for a misspelt filter must not
// widen what it should narrow, nor a dry_run in a place that has none be a run.
// The first fault stays.
type query struct {
	values url.Values
	err    error
}

// parameters reads the query string of a route that knows the given names.
func parameters(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.err = invalid("PARAMETER", "查询字符串无法解析", "the query string can't be parsed")
		return q
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		known = slices.Concat(known, everyRead)
	}
	for name, given := range values {
		if !slices.Contains(known, name) {
			q.fault(unknownParameter(known))
		} else if len(given) > 1 {
			q.fail(name, "单一的值", "given once")
		}
	}
	return q
}

// everyRead names the parameters that every read takes: freshness in fresh.go.
var everyRead = []string{"min_size", "read"}

func (q *query) fail(name, zh, en string) { q.fault(badParameter(name, zh, en)) }

func (q *query) fault(err error) {
	if q.err == nil {
		q.err = err
	}
}

// unknownParameter says which names there are; the one given may be anything.
func unknownParameter(known []string) error {
	e := exchange.Fail(exchange.KindInvalid, "UNKNOWN_PARAMETER", "有未知的查询参数", "there is an unknown query parameter")
	e.Hint = schemas.Text{ZH: "此地址不带查询参数", EN: "this address takes none"}
	if len(known) > 0 {
		e.Hint = schemas.Text{ZH: "此地址的参数：" + strings.Join(known, "、"), EN: "it takes " + strings.Join(known, ", ")}
	}
	return e
}

func (q *query) text(name string, max int) string {
	v := q.values.Get(name)
	if len(v) > max {
		q.fail(name, "不超过 "+strconv.Itoa(max)+" 个字节", "at most "+strconv.Itoa(max)+" bytes")
		return ""
	}
	return v
}

func (q *query) oneOf(name string, words ...string) string {
	v := q.values.Get(name)
	if v != "" && !slices.Contains(words, v) {
		q.fail(name, " "+strings.Join(words, "、")+" 之一", "one of "+strings.Join(words, ", "))
		return ""
	}
	return v
}

func (q *query) flag(name string) bool {
	return q.oneOf(name, "true", "false") == "true"
}

// number is absent if the parameter is not given.
func (q *query) number(name string) (n uint64, given bool) {
	v := q.values.Get(name)
	if v == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		q.fail(name, "非负整数", "a non-negative integer")
	}
	return n, true
}

func (q *query) limit() int {
	n, given := q.number("limit")
	if !given {
		return defaultLimit
	}
	if n < 1 || n > maxLimit {
		q.fail("limit", " 1 至 500", "1 to 500")
		return defaultLimit
	}
	return int(n)
}

func (q *query) cursor() string { return q.text("cursor", maxCursor) }

// wait is a duration such as 25s, at most max.
func (q *query) wait(name string, max time.Duration) time.Duration {
	v := q.values.Get(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > max {
		q.fail(name, "不超过 "+max.String()+" 的时长，如 20s", "a duration of at most "+max.String()+", such as 20s")
		return 0
	}
	return d
}

func (q *query) region(name string) peers.Region {
	v := q.values.Get(name)
	if v == "" {
		return ""
	}
	region, err := peers.ParseRegion(v)
	if err != nil {
		q.fail(name, "六位行政区划代码", "a region code of six digits")
	}
	return region
}

// pathUSCC reads {uscc}, which must be a code that passes its check.
func pathUSCC(r *http.Request) (string, error) {
	uscc := r.PathValue("uscc")
	if ident.CheckUSCC(uscc) != nil {
		return "", invalid("USCC_CHECK", "统一社会信用代码校验不通过，请核对后重试", "the unified social credit code fails its check")
	}
	return uscc, nil
}

func pathEntry(r *http.Request) (exchange.EntryID, error) {
	id, err := sm.ParseDigest(r.PathValue("id"))
	if err != nil {
		return id, badParameter("id", " 64 位小写十六进制", "64 lower-case hexadecimal digits")
	}
	return id, nil
}
