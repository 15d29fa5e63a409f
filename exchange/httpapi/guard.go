package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// guard stands in front of a route: who is it, may he, how often, how much;
// and behind it: the answer, the log line and the metrics.
func (a *API) guard(t route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a.metrics.inFlight.Inc()
		defer a.metrics.inFlight.Dec()
		id := rand.Text()
		w.Header().Set("X-Request-Id", id)
		out := &recorder{ResponseWriter: w}
		p, err := a.admit(w, r, t)
		if err == nil && !t.public {
			var leave func()
			if leave, err = a.enter(w, p); err == nil {
				defer leave()
			}
		}
		if err == nil {
			err = a.answer(out, r, p, t)
		}
		var e *exchange.Error
		if err != nil {
			e = fault(err)
			if out.status == 0 {
				// Also when the request's context has ended: a sender who was too slow
				// may still listen, and what nobody answers the server calls 200. Who
				// has left is counted as such.
				to := http.ResponseWriter(out)
				if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
					to = w
				}
				refuse(to, r, id, err)
			}
		}
		a.account(r, t, p, out, e, id, time.Since(began))
	})
}

// unrouted answers what no route takes.
func (a *API) unrouted(err *exchange.Error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, id := time.Now(), rand.Text()
		w.Header().Set("X-Request-Id", id)
		out := &recorder{ResponseWriter: w}
		refuse(out, r, id, err)
		a.account(r, route{method: "OTHER", path: "none"}, exchange.Principal{}, out, err, id, time.Since(began))
	})
}

// admit says who calls, and bounds the body before anything reads it.
func (a *API) admit(w http.ResponseWriter, r *http.Request, t route) (exchange.Principal, error) {
	var p exchange.Principal
	if !t.public {
		token, ok := bearer(r)
		if ok {
			p, ok = a.Tokens.Lookup(token)
		}
		if !ok {
			return exchange.Principal{}, errToken
		}
		if len(t.roles) > 0 {
			if err := p.Require(t.roles...); err != nil {
				return p, err
			}
		}
	}
	if r.ContentLength > t.body {
		return p, &http.MaxBytesError{Limit: t.body}
	}
	r.Body = http.MaxBytesReader(w, r.Body, t.body)
	return p, nil
}

var errToken = func() error {
	e := exchange.Fail(kindUnauthenticated, "TOKEN", "令牌缺失、无效或已过期", "the token is missing, unknown or expired")
	e.Hint.ZH, e.Hint.EN = "令牌由本地区信用中心发放（creditgw token add），放在请求头 Authorization: Bearer 令牌",
		"the region's credit centre issues tokens (creditgw token add); send Authorization: Bearer TOKEN"
	return e
}()

// maxToken bounds what is hashed for a look-up.
const maxToken = 256

func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= maxToken
}

// answer runs the handler. A panic is a fault of ours that must not take the
// node along.
func (a *API) answer(w http.ResponseWriter, r *http.Request, p exchange.Principal, t route) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			a.Logger.Error("panic in a handler", "route", t.pattern(), "stack", string(debug.Stack()))
			err = exchange.Fail(exchange.KindInternal, "INTERNAL", "系统内部错误，已记入日志", "our fault; the log knows more")
		}
	}()
	if stopped := a.Stopped(); stopped != nil && !t.public && !t.always {
		return stopped
	}
	switch {
	case t.public || t.ownQuery:
	case t.method == http.MethodGet:
		if err := a.freshen(r); err != nil {
			return err
		}
	default:
		if err := parameters(r).err; err != nil {
			return err
		}
	}
	return t.handle(w, r, p)
}

// account counts the request and logs it: ids and codes, never a value that
// could name a firm or a person. Of those without a valid token the first few are
// logged, and then one a second.
func (a *API) account(r *http.Request, t route, p exchange.Principal, out *recorder, e *exchange.Error, id string, took time.Duration) {
	a.metrics.request(t, out.code(), took)
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request", id), slog.String("method", t.method), slog.String("path", shownPath(t.path, r)),
		slog.Int("status", out.code()), slog.Int64("bytes", out.bytes), slog.Duration("took", took),
	}
	if p.ID != "" {
		attrs = append(attrs, slog.String("token", p.ID), slog.String("role", string(p.Role)))
	}
	if e != nil {
		attrs = append(attrs, slog.String("code", e.Code))
		if e.Kind == exchange.KindInternal {
			level = slog.LevelError
			if e.Cause != nil {
				attrs = append(attrs, slog.String("cause", e.Cause.Error()))
			}
		}
	}
	if t.public && e == nil {
		level = slog.LevelDebug // probes and scrapes
	}
	if p.ID == "" {
		// Whoever has no token can't fill the disk with log lines.
		a.strangers.Do(func() { a.Logger.LogAttrs(r.Context(), level, "http", attrs...) })
		return
	}
	a.Logger.LogAttrs(r.Context(), level, "http", attrs...)
}

// ownID is the form of what may stand in a log: a submission, a record, a key
// or a register. A USCC has none of them, wherever in a path it is given.
var ownID = regexp.MustCompile(`^(?:s-[a-z0-9]{26}|[0-9a-f]{32}|[0-9a-f]{64}|firms|authorities)$`)

// shownPath is the route with the ids of this request.
func shownPath(pattern string, r *http.Request) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if !strings.HasPrefix(s, "{") {
			continue
		}
		segments[i] = r.PathValue(strings.Trim(s, "{}"))
		if !ownID.MatchString(segments[i]) {
			segments[i] = "***"
		}
	}
	return strings.Join(segments, "/")
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (o *recorder) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *recorder) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	n, err := o.ResponseWriter.Write(b)
	o.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (o *recorder) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// statusGone is what nginx logs for a client that left before the answer.
const statusGone = 499

func (o *recorder) code() int {
	if o.status == 0 {
		return statusGone
	}
	return o.status
}

// reply writes v as JSON.
func reply(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// owns reports whether an agency may see what submitter sent. Roles that are
// not an agency's see all of their region.
func owns(p exchange.Principal, submitter string) bool {
	return !p.Is(agencies...) || slices.Contains(p.Scope.Units, submitter)
}
