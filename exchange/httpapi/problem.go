package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

// Problem is an RFC 9457 problem document: every answer that is not a success.
// Programs look at Code, people read Title, Detail and Hint. It is also the
// client's error.
type Problem struct {
	Type     string `json:"type"` // urn:xinqiao:problem: and the kind
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Code     string `json:"code"`
	Instance string `json:"instance"`       // urn:xinqiao:request: and the id that the log has too
	Hint     string `json:"hint,omitempty"` // how to mend it
	// Submission names a file that broke off after some of its rows were
	// taken. They count; sent again, they come back as duplicates.
	Submission string `json:"submission,omitempty"`
}

func (p *Problem) Error() string {
	s := p.Code + ": " + p.Detail
	if p.Detail == "" {
		s = p.Code + ": " + p.Title
	}
	return s
}

const (
	problemType     = "urn:xinqiao:problem:"
	problemInstance = "urn:xinqiao:request:"
	problemMedia    = "application/problem+json"
)

// The kinds that only HTTP knows stand beside those of exchange.
const (
	kindUnauthenticated exchange.ErrorKind = "unauthenticated"
	kindMethod          exchange.ErrorKind = "method-not-allowed"
)

// kinds is the one table from kinds to HTTP.
var kinds = map[exchange.ErrorKind]struct {
	status int
	title  schemas.Text
}{
	exchange.KindInvalid:     {http.StatusBadRequest, schemas.Text{ZH: "请求有误", EN: "Invalid request"}},
	exchange.KindUnreadable:  {http.StatusBadRequest, schemas.Text{ZH: "文件无法读取", EN: "Unreadable file"}},
	exchange.KindUnsupported: {http.StatusUnsupportedMediaType, schemas.Text{ZH: "不支持的格式", EN: "Unsupported format"}},
	exchange.KindTooLarge:    {http.StatusRequestEntityTooLarge, schemas.Text{ZH: "内容过大", EN: "Too large"}},
	exchange.KindForbidden:   {http.StatusForbidden, schemas.Text{ZH: "无权操作", EN: "Not allowed"}},
	exchange.KindNotFound:    {http.StatusNotFound, schemas.Text{ZH: "未找到", EN: "Not found"}},
	exchange.KindConflict:    {http.StatusConflict, schemas.Text{ZH: "与现状冲突", EN: "Conflict"}},
	exchange.KindGone:        {http.StatusGone, schemas.Text{ZH: "已失效", EN: "Gone"}},
	exchange.KindBusy:        {http.StatusTooManyRequests, schemas.Text{ZH: "请求过于频繁", EN: "Too many requests"}},
	exchange.KindUnavailable: {http.StatusServiceUnavailable, schemas.Text{ZH: "暂时不可用", EN: "Unavailable"}},
	exchange.KindInternal:    {http.StatusInternalServerError, schemas.Text{ZH: "系统内部错误", EN: "Internal error"}},
	kindUnauthenticated:      {http.StatusUnauthorized, schemas.Text{ZH: "未认证", EN: "Not authenticated"}},
	kindMethod:               {http.StatusMethodNotAllowed, schemas.Text{ZH: "方法不被允许", EN: "Method not allowed"}},
}

// fault turns whatever a handler returned into the one error type of the
// domain. Errors nobody named are ours, and their text stays in the log.
func fault(err error) *exchange.Error {
	var (
		named *exchange.Error
		file  *tabular.Error
		large *http.MaxBytesError
	)
	switch {
	case errors.As(err, &named):
		return named
	case errors.As(err, &file):
		kind := exchange.KindUnreadable
		switch file.Status {
		case http.StatusUnsupportedMediaType:
			kind = exchange.KindUnsupported
		case http.StatusRequestEntityTooLarge:
			kind = exchange.KindTooLarge
		}
		return &exchange.Error{Kind: kind, Code: file.Code, Text: file.Message, Hint: file.Hint, Status: file.Status}
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, exchange.ErrNotFound):
		return exchange.Fail(exchange.KindNotFound, "NOT_FOUND", "没有这个对象，或它不属于您", "there is no such thing, or it is not yours to see")
	case errors.Is(err, context.DeadlineExceeded):
		return &exchange.Error{Kind: exchange.KindUnavailable, Code: "TIMEOUT", Cause: err,
			Text: schemas.Text{ZH: "等待超时", EN: "the wait timed out"},
			Hint: schemas.Text{ZH: "请稍后重试", EN: "try again later"}}
	case errors.Is(err, context.Canceled):
		return exchange.Fail(exchange.KindUnavailable, "CLOSING", "节点正在停止，请稍后重试", "the node is closing down; try again later")
	}
	return &exchange.Error{Kind: exchange.KindInternal, Code: "INTERNAL", Cause: err,
		Text: schemas.Text{ZH: "系统内部错误，已记入日志", EN: "our fault; the log knows more"},
		Hint: schemas.Text{ZH: "请将 instance 告知管理员", EN: "give the instance to the operator"}}
}

// refuse writes err as a problem and says with which status.
func refuse(w http.ResponseWriter, r *http.Request, request string, err error) int {
	e := fault(err)
	kind, ok := kinds[e.Kind]
	if !ok {
		kind = kinds[exchange.KindInternal]
	}
	lang := language(r)
	p := Problem{
		Type: problemType + string(e.Kind), Title: kind.title.In(lang), Status: kind.status,
		Detail: e.Text.In(lang), Hint: e.Hint.In(lang), Code: e.Code, Instance: problemInstance + request,
	}
	if e.Status != 0 {
		p.Status = e.Status
	}
	var cut *brokenOff
	if errors.As(err, &cut) {
		p.Submission = cut.submission
	}
	h := w.Header()
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="creditgw"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", "1")
		}
	}
	h.Set("Content-Type", problemMedia)
	h.Set("Content-Language", lang)
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		// The status is sent; a client that went away is nobody to tell.
		_ = json.NewEncoder(w).Encode(p)
	}
	return p.Status
}

func tooLarge(limit int64) *exchange.Error {
	if limit == 0 {
		return exchange.Fail(exchange.KindTooLarge, "BODY_TOO_LARGE", "此地址不接受请求体", "this address takes no body")
	}
	bytes := strconv.FormatInt(limit, 10)
	return exchange.Fail(exchange.KindTooLarge, "BODY_TOO_LARGE", "请求体超过 "+bytes+" 字节", "the body is over "+bytes+" bytes")
}

// brokenOff is a submission of which some rows were taken before it failed.
type brokenOff struct {
	submission string
	cause      error
}

func (b *brokenOff) Error() string { return "submission " + b.submission + ": " + b.cause.Error() }
func (b *brokenOff) Unwrap() error { return b.cause }

func invalid(code, zh, en string) error {
	return exchange.Fail(exchange.KindInvalid, code, zh, en)
}

// badParameter is a query or path value that can't be read. The value is not
// repeated: it may be anything.
func badParameter(name, wantZH, wantEN string) error {
	return invalid("PARAMETER", "参数 "+name+" 应为"+wantZH, "parameter "+name+" must be "+wantEN)
}

func isProblem(contentType string) bool {
	return strings.HasPrefix(contentType, problemMedia)
}
