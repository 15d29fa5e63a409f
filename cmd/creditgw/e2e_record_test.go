//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// firm is a firm of the sample register.
type firm struct{ uscc, name string }

// firms gives one firm for each home region.
var firms = map[peers.Region]firm{
	"110000": {"91110115MA494E1A0J", "北京测试顺丰汽车运输服务有限公司"},
	"120000": {"91120113MA6E05G65K", "天津测试骏和货运有限公司"},
	"130000": {"91130100MAC008G7XY", "河北测试恒骏旅游客运有限公司"},
	"140000": {"91141000MAE6H7EC78", "山西测试达顺供应链管理有限公司"},
}

var authorityNames = map[peers.Region]string{
	"110000": "北京市交通运输综合执法总队", "120000": "天津市交通运输综合行政执法总队",
	"130000": "河北省交通运输综合行政执法监督局", "140000": "山西省交通运输综合行政执法局",
}

// cleanRecord is a sound record out of the samples, in canonical form, by
// field code.
var cleanRecord = sync.OnceValues(func() (map[string]string, error) {
	raw, err := fs.ReadFile(builtIn, "samples/bj-penalties.json")
	if err != nil {
		return nil, err
	}
	var file struct {
		Records []map[string]string `json:"records"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	return file.Records[0], nil
})

var decisions atomic.Int64

// notice is a penalty that this region's agency lays on the firm of home, a
// new decision each time.
func (n *gateway) notice(home peers.Region) map[string]string {
	n.t.Helper()
	clean, err := cleanRecord()
	if err != nil {
		n.t.Fatal(err)
	}
	record := make(map[string]string, len(clean))
	for field, value := range clean {
		record[field] = value
	}
	record["CF_XDR_MC"], record["CF_XDR_SHXYM"] = firms[home].name, firms[home].uscc
	record["CF_CFJG"], record["CF_CFJGDM"] = authorityNames[n.region], agencies[n.region]
	record["CF_SJLY"], record["CF_SJLYDM"] = authorityNames[n.region], agencies[n.region]
	record["CF_WSH"] = fmt.Sprintf("交执罚〔2025〕%06d号", decisions.Add(1))
	return record
}

// notices are several to one home region.
func (n *gateway) notices(home peers.Region, count int) []any {
	n.t.Helper()
	records := make([]any, count)
	for i := range records {
		records[i] = n.notice(home)
	}
	return records
}

func recordsFile(records []any) ([]byte, error) {
	return json.Marshal(map[string]any{"records": records})
}

// submit sends records that must all be accepted and returns their ids.
func (n *gateway) submit(wait exchange.Wait, records ...any) []exchange.EntryID {
	n.t.Helper()
	file, err := recordsFile(records)
	if err != nil {
		n.t.Fatal(err)
	}
	v, err := n.client(exchange.RoleAgencyEntry).Submit(n.context(), httpapi.File{
		Body: bytes.NewReader(file), Media: httpapi.MediaJSON, Wait: wait,
	})
	if err != nil || v.Accepted != len(records) {
		n.t.Fatalf("%s accepted %d of %d records: %v %+v", n.region, v.Accepted, len(records), err, v.Findings)
	}
	ids := make([]exchange.EntryID, len(v.Records))
	for i, row := range v.Records {
		ids[i] = *row.ID
		if wait == exchange.WaitCommitted && !row.State.OnLedger() || wait == exchange.WaitWitnessed && row.State != exchange.StateWitnessed {
			n.t.Fatalf("%s: row %d is %s", n.region, row.Row, row.State)
		}
	}
	return ids
}

// ledger reads the region's whole ledger as an auditor and checks that nothing
// in it is missing or twice: indexes, ids, and each origin's batches and the
// items in them.
func (n *gateway) ledger(size uint64) []httpapi.LedgerEntry {
	n.t.Helper()
	var entries []httpapi.LedgerEntry
	for uint64(len(entries)) < size {
		page, err := n.client(exchange.RoleAuditor).Entries(n.context(), uint64(len(entries)), 0)
		if err != nil || len(page.Items) == 0 {
			n.t.Fatalf("%s: entries from %d: %d, %v", n.region, len(entries), len(page.Items), err)
		}
		entries = append(entries, page.Items...)
	}
	entries = entries[:size]
	seen := map[exchange.EntryID]bool{}
	seq, item := map[peers.Region]uint64{}, map[peers.Region]int{}
	for i, e := range entries {
		if e.Index != uint64(i) || seen[e.ID] {
			n.t.Fatalf("%s: entry %d has index %d, id %s twice: %v", n.region, i, e.Index, e.ID, seen[e.ID])
		}
		seen[e.ID] = true
		next := e.Seq == seq[e.Origin]+1 && e.Item == 0
		same := e.Seq == seq[e.Origin] && e.Item == item[e.Origin]+1
		if !next && !same {
			n.t.Fatalf("%s: entry %d of %s is item %d of batch %d, after item %d of batch %d",
				n.region, i, e.Origin, e.Item, e.Seq, item[e.Origin], seq[e.Origin])
		}
		seq[e.Origin], item[e.Origin] = e.Seq, e.Item
	}
	return entries
}

// recordsOf lists the ids of one origin's records in ledger order.
func recordsOf(entries []httpapi.LedgerEntry, origin peers.Region) (ids []exchange.EntryID) {
	for _, e := range entries {
		if e.Origin == origin && e.Class == exchange.ClassRecord {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// phone is the server of the app in a home region, which keeps its cursor.
type phone struct {
	*gateway
	cursor string
	items  []exchange.Reminder
}

// newPhone binds the firm of the region.
func newPhone(n *gateway) *phone {
	n.t.Helper()
	if err := n.client(exchange.RoleApp).Bind(n.context(), firms[n.region].uscc, httpapi.Binding{}); err != nil {
		n.t.Fatal(err)
	}
	return &phone{gateway: n}
}

// pull takes what is new, waiting for it if there is nothing.
func (p *phone) pull() {
	p.t.Helper()
	page, err := p.client(exchange.RoleApp).Reminders(p.context(), p.cursor, 500, httpapi.MaxWait)
	if err != nil {
		p.t.Fatal(err)
	}
	p.cursor = page.Next
	p.items = append(p.items, page.Items...)
}

// await pulls until each record has been reminded of, and checks that every
// item came once and in order.
func (p *phone) await(records ...exchange.EntryID) {
	p.t.Helper()
	missing := func() bool {
		return slices.ContainsFunc(records, func(id exchange.EntryID) bool { return p.reminder(id) == nil })
	}
	for tries := 0; missing(); tries++ {
		if tries > len(records)+10 {
			p.t.Fatalf("%s: reminders are missing, %d came for %d records", p.region, len(p.items), len(records))
		}
		p.pull()
	}
	for i := 1; i < len(p.items); i++ {
		if p.items[i].Seq <= p.items[i-1].Seq {
			p.t.Fatalf("%s: seq %d comes after %d", p.region, p.items[i].Seq, p.items[i-1].Seq)
		}
	}
}

func (p *phone) reminder(record exchange.EntryID) *exchange.Reminder {
	for i := range p.items {
		if p.items[i].Record == record {
			return &p.items[i]
		}
	}
	return nil
}

// awaitDelivery waits until the origin sees what a recipient said of a record.
func (n *gateway) awaitDelivery(t *testing.T, record exchange.EntryID, state exchange.AckState) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s sees %s", n.region, state), func() bool {
		v, err := n.client(exchange.RoleAgencyEntry).Record(n.context(), record)
		return err == nil && slices.ContainsFunc(v.Deliveries, func(d exchange.Delivery) bool { return d.State == state })
	})
}
