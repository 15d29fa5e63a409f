package casebook

import (
	"bytes"

	"github.com/xinqiao/creditgw/exchange"
)

// Names in the bucket of counts; a trailing slash takes a word after it.
const (
	countState       = "state/"
	countOpened      = "opened"
	countParked      = "parked/"
	countReminders   = "reminders/"
	countQuarantined = "quarantined/"
	countOutbox      = "outbox"
	countBound       = "bound"
	countAcks        = "acks"
	countStatements  = "statements/"
	countReports     = "reports/"
	countErasing     = "erasing"
)

// Counts are the casebook's totals, of one state of the file.
func (c *Casebook) Counts() (exchange.Counts, error) {
	out := exchange.Counts{
		Records: map[exchange.State]int{}, Parked: map[string]int{},
		Reminders: map[exchange.Stage]int{}, Quarantined: map[string]int{},
	}
	err := c.view(func(b buckets) error {
		one := func(name string) int { return int(number(b.counts.Get([]byte(name)))) }
		out.Opened, out.Outbox, out.Bound = one(countOpened), one(countOutbox), one(countBound)
		out.PendingAcks, out.Erasing = one(countAcks), one(countErasing)
		for prefix, add := range map[string]func(string, int){
			countState:       func(w string, n int) { out.Records[exchange.State(w)] = n },
			countParked:      func(w string, n int) { out.Parked[w] = n },
			countReminders:   func(w string, n int) { out.Reminders[exchange.Stage(w)] = n },
			countQuarantined: func(w string, n int) { out.Quarantined[w] = n },
		} {
			eachCount(b, prefix, add)
		}
		return c.splitCommitted(b, out.Records)
	})
	return out, err
}

// eachCount visits the counts whose name begins with prefix.
func eachCount(b buckets, prefix string, visit func(word string, n int)) {
	cursor := b.counts.Cursor()
	for key, raw := cursor.Seek([]byte(prefix)); bytes.HasPrefix(key, []byte(prefix)); key, raw = cursor.Next() {
		visit(string(key[len(prefix):]), int(number(raw)))
	}
}
