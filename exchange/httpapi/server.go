package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Config joins the API to its node. Everything is required but Rate and Burst.
type Config struct {
	Region   peers.Region
	Service  Service
	Casebook Casebook
	Ledger   Ledger
	Receipts Receipts
	// Checkpoints are the witnessed ones that this node keeps.
	Checkpoints Checkpoints
	Feed        Feed
	Tokens      Tokens
	Checks      Checks
	Catalogue   *schemas.Catalogue
	Clock       exchange.Clock // domain clock: the default of an ack's at
	// Linearize returns when this node has applied all that was committed
	// anywhere before the call.
	Linearize func(ctx context.Context) error
	Status    func() NodeStatus
	// Stopped says why this node must not serve; nil: it may. Status and
	// metrics are answered all the same.
	Stopped func() *exchange.Error
	Ready   func() []string      // codes of what is not ready; none: ready
	Metrics *prometheus.Registry // served at /metrics; gets this package's own
	// Rate and Burst bound the requests of one token. A zero Rate is
	// defaultRate; rate.Inf bounds nothing.
	Rate   rate.Limit
	Burst  int
	Logger *slog.Logger
}

const (
	defaultRate  = 200 // a second
	defaultBurst = 400
)

// API serves the routes.
type API struct {
	Config
	mux     *http.ServeMux
	metrics *metrics
	openKey inFlight

	workbooks chan struct{} // held while one is built; see rejects

	strangers rate.Sometimes // when a request without a valid token is logged

	mu         sync.Mutex
	allowances map[string]*allowance // by token id

	closing context.Context // ends long polls and streams
	close   context.CancelFunc
}

// New checks that nothing is missing and registers the metrics.
func New(cfg Config) (*API, error) {
	v := reflect.ValueOf(cfg)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Rate" && name != "Burst" && v.Field(i).IsZero() {
			return nil, errors.New("httpapi: " + name + " is missing")
		}
	}
	if cfg.Rate == 0 {
		cfg.Rate, cfg.Burst = defaultRate, defaultBurst
	}
	a := &API{Config: cfg, mux: http.NewServeMux(), allowances: map[string]*allowance{},
		strangers: rate.Sometimes{First: 3, Interval: time.Second}, workbooks: make(chan struct{}, maxWorkbooks)}
	a.closing, a.close = context.WithCancel(context.Background())
	var err error
	if a.metrics, err = newMetrics(cfg); err != nil {
		return nil, fmt.Errorf("httpapi: metrics: %w", err)
	}
	for _, t := range a.routes() {
		a.mux.Handle(t.pattern(), a.guard(t))
	}
	return a, nil
}

// Handler serves every route. A browser of another site can't write through
// it, and what matches no route is answered as a problem.
func (a *API) Handler() http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(a.unrouted(exchange.Fail(exchange.KindForbidden, "CROSS_ORIGIN", "拒绝跨站请求", "a request of another site is refused")))
	return secure(cross.Handler(http.HandlerFunc(a.dispatch)))
}

// dispatch lets the mux find the route, and answers in its place where it
// would answer in plain text.
func (a *API) dispatch(w http.ResponseWriter, r *http.Request) {
	h, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	var miss muxAnswer
	h.ServeHTTP(&miss, r)
	err := exchange.Fail(exchange.KindNotFound, "NO_ROUTE", "没有这个地址", "there is no such address")
	if miss.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", miss.Header().Get("Allow"))
		err = exchange.Fail(kindMethod, "METHOD", "此地址不支持该方法", "this address does not take that method")
	}
	a.unrouted(err).ServeHTTP(w, r)
}

// muxAnswer keeps what the mux would say of a request without a route.
type muxAnswer struct {
	header http.Header
	status int
}

func (m *muxAnswer) Header() http.Header {
	if m.header == nil {
		m.header = http.Header{}
	}
	return m.header
}
func (m *muxAnswer) Write(b []byte) (int, error) { return len(b), nil }
func (m *muxAnswer) WriteHeader(status int)      { m.status = status }

// secure sets what every answer has: nothing here is for a browser to run,
// embed or keep.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// Time-outs of a connection. Routes that read or write for long move their
// own deadlines: deadline.go.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	answerTimeout = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
)

// Server is an http.Server for the routes, to which the caller adds address
// and certificates. Its Shutdown ends long polls and streams at once and lets
// submissions finish.
func (a *API) Server() *http.Server {
	s := &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
	s.RegisterOnShutdown(a.close)
	return s
}

// waiting is the request's context, ended also when the server shuts down: for
// requests that only wait and lose nothing when told to come again.
func (a *API) waiting(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(a.closing, cancel)
	return ctx, func() { stop(); cancel() }
}
