package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector asks ledger and casebook when metrics are scraped.
type collector struct {
	cfg    Config
	gauges map[string]*prometheus.Desc
}

// gauges that a scrape finds: name, label if any, help.
var gauges = []struct{ name, label, help string }{
	{"ledger_size", "", "Leaves of the ledger that this node has applied."},
	{"casebook_followed", "", "Leaves of the ledger that the casebook has read."},
	{"records", "state", "Records of this region, by state."},
	{"records_opened", "", "Records of other regions opened here."},
	{"records_parked", "code", "Entries that could not be opened or accepted, by code."},
	{"reminders_made", "stage", "Reminders made here, whether or not the firm is bound."},
	{"quarantine_items", "rule", "Bad rows that wait to be mended, by rule."},
	{"outbox_entries", "", "Entries accepted and not yet committed."},
	{"firms_bound", "", "Firms that have a user of the app."},
	{"acks_pending", "", "Acknowledgements not yet told to their origin."},
	{"records_erasing", "", "Records taken down and not yet stated to be erased here."},
	{"raft_term", "", "Raft term."},
	{"raft_committed", "", "Raft index that is committed."},
	{"raft_applied", "", "Raft index that is applied."},
	{"journal_position", "", "Position of the journal's last durable event."},
	{"peer_refused", "reason", "What came from other nodes and was refused, by reason."},
	{"leaders_deposed", "", "Elections forced against a leader that held a region's batches back, since the start."},
	{"log_held_back", "", "1 while the Raft log can't be cut because nothing is witnessed that far."},
	{"peer_lag", "node", "Raft entries that a node is behind; known to the leader only."},
	{"witnessed_size", "", "Leaves under the newest witnessed checkpoint."},
	{"witnessed_age_seconds", "", "Age of the newest witnessed checkpoint by the witnesses' clocks."},
	{"marked_size", "", "Leaves under the last mark of a leader."},
	{"cosigned_size", "region", "Leaves under the newest cosignature of a region."},
	{"witness_alarm", "code", "1 while an alarm about witnesses stands."},
	{"evidence_kept", "", "Bundles of evidence kept since the start."},
	{"leader", "", "1 when this node leads."},
	{"ready", "", "1 when this node is ready."},
}

func newCollector(cfg Config) *collector {
	c := &collector{cfg: cfg, gauges: map[string]*prometheus.Desc{}}
	for _, g := range gauges {
		var labels []string
		if g.label != "" {
			labels = []string{g.label}
		}
		c.gauges[g.name] = prometheus.NewDesc("creditgw_"+g.name, g.help, labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.gauges {
		out <- d
	}
}

// Collect implements prometheus.Collector. A part that fails leaves its gauges
// out, which is what an alert on absence is for.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	set := func(name string, value float64, label ...string) {
		out <- prometheus.MustNewConstMetric(c.gauges[name], prometheus.GaugeValue, value, label...)
	}
	set("ledger_size", float64(c.cfg.Ledger.Head().Size))
	set("casebook_followed", float64(c.cfg.Casebook.Followed()))
	set("ready", truth(len(c.cfg.Ready()) == 0))
	s := c.cfg.Status()
	set("leader", truth(s.Leader != "" && s.Leader == s.Node))
	set("raft_term", float64(s.Term))
	set("raft_committed", float64(s.Committed))
	set("raft_applied", float64(s.Applied))
	set("journal_position", float64(s.Journal))
	set("witnessed_size", float64(s.Witness.Size))
	set("marked_size", float64(s.Witness.Marked))
	set("evidence_kept", float64(s.Witness.Evidence))
	if s.Witness.AgeSeconds != nil {
		set("witnessed_age_seconds", *s.Witness.AgeSeconds)
	}
	for _, r := range s.Witness.Regions {
		set("cosigned_size", float64(r.Size), string(r.Region))
	}
	for _, code := range s.Witness.Alarms {
		set("witness_alarm", 1, code)
	}
	for reason, n := range s.Refused {
		set("peer_refused", float64(n), reason)
	}
	set("leaders_deposed", float64(s.Deposed))
	set("log_held_back", truth(s.LogHeldBack))
	for _, p := range s.Peers {
		if p.Lag != nil {
			set("peer_lag", float64(*p.Lag), p.Node)
		}
	}
	counts, err := c.cfg.Casebook.Counts()
	if err != nil {
		return
	}
	set("records_opened", float64(counts.Opened))
	set("outbox_entries", float64(counts.Outbox))
	set("firms_bound", float64(counts.Bound))
	set("acks_pending", float64(counts.PendingAcks))
	set("records_erasing", float64(counts.Erasing))
	for state, n := range counts.Records {
		set("records", float64(n), string(state))
	}
	for code, n := range counts.Parked {
		set("records_parked", float64(n), code)
	}
	for stage, n := range counts.Reminders {
		set("reminders_made", float64(n), string(stage))
	}
	for rule, n := range counts.Quarantined {
		set("quarantine_items", float64(n), rule)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
