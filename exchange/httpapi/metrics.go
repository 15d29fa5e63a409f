package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/xinqiao/creditgw/exchange"
)

// metrics are counted as things happen; collector.go asks for the rest when
// somebody looks. Labels are routes, codes and rules, never anything of a
// request's own.
type metrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	inFlight prometheus.Gauge
	rows     *prometheus.CounterVec
	rules    *prometheus.CounterVec
}

func newMetrics(cfg Config) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "creditgw_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "creditgw_http_request_duration_seconds", Help: "Time to answer, by route; waits are included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "creditgw_http_requests_in_flight", Help: "Requests being answered.",
		}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "creditgw_submission_rows_total", Help: "Rows taken in, by outcome.",
		}, []string{"outcome"}),
		rules: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "creditgw_submission_row_rules_total", Help: "Rows not accepted, by their first rule.",
		}, []string{"rule"}),
	}
	// Every outcome is there from the start, so that a rate has a zero.
	for _, outcome := range []exchange.Outcome{exchange.RowAccepted, exchange.RowQuarantined, exchange.RowDuplicate} {
		m.rows.WithLabelValues(string(outcome))
	}
	for _, c := range []prometheus.Collector{m.requests, m.took, m.inFlight, m.rows, m.rules, newCollector(cfg)} {
		if err := cfg.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) request(t route, status int, took time.Duration) {
	m.requests.WithLabelValues(t.method, t.path, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(t.method, t.path).Observe(took.Seconds())
}

func (m *metrics) submitted(v exchange.SubmissionView) {
	m.rows.WithLabelValues(string(exchange.RowAccepted)).Add(float64(v.Accepted))
	m.rows.WithLabelValues(string(exchange.RowQuarantined)).Add(float64(v.Quarantined))
	m.rows.WithLabelValues(string(exchange.RowDuplicate)).Add(float64(v.Duplicate))
	for rule, n := range v.ByRule {
		m.rules.WithLabelValues(rule).Add(float64(n))
	}
}

func (a *API) serveMetrics(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}
