package consensus

import (
	"math"
	"time"
)

// Taking from the sources in turn gives each node its place in the next entry.
// It does not keep that entry small, nor the nodes idle: a node that floods fills
// every entry, and all others hash and store what is in it. So a node that takes
// more than all others together, while these have something to say too, is held
// to floodRate by a token bucket. One that is alone is not, nor are several that
// share a full load.
const (
	floodRate  = 2 << 20 // bytes a second
	floodBurst = 1 << 20 // bytes
	// lately is how long a node counts as having something to say after an
	// item of it has got its place, and what halves the weight of a byte.
	lately = time.Second
)

// A quota is what one node has taken of the entries. Time is the leader's own and
// decides nothing but when an item gets its place.
type quota struct {
	tokens float64   // bytes; below 0 by an entry at most
	taken  float64   // bytes, those of a second ago by half
	last   time.Time // when an item got its place
	at     time.Time // as of when tokens and taken are
}

func (q *quota) advance(now time.Time) {
	passed := now.Sub(q.at).Seconds()
	q.tokens = min(q.tokens+floodRate*passed, floodBurst)
	q.taken *= math.Exp2(-passed / lately.Seconds())
	q.at = now
}

func (q *quota) take(bytes int) {
	q.tokens = max(q.tokens-float64(bytes), -maxEntryBytes)
	q.taken += float64(bytes)
	q.last = q.at
}

// quotas are those of all nodes that have proposed, by their ids.
type quotas map[string]*quota

func (qs quotas) of(node string) *quota {
	q := qs[node]
	if q == nil {
		q = &quota{tokens: floodBurst, at: time.Now()}
		qs[node] = q
	}
	return q
}

// flooding returns the quota of the node that is to wait, and how long; nil if
// none has to.
func (qs quotas) flooding(now time.Time) (*quota, time.Duration) {
	var most *quota
	total, active := 0.0, 0
	for _, q := range qs {
		q.advance(now)
		total += q.taken
		if most == nil || q.taken > most.taken {
			most = q
		}
		if now.Sub(q.last) < lately {
			active++
		}
	}
	if active < 2 || most.tokens >= 0 || 2*most.taken <= total {
		return nil, 0
	}
	return most, time.Duration(-most.tokens/floodRate*float64(time.Second)) + time.Millisecond
}
