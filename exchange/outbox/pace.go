package outbox

import "time"

// A Pace says when the next batch leaves. A batch costs a signature, an SM2
// encryption for each recipient, a verification on every node and its share of a
// Raft entry, whatever it holds. So one batch is under way at a time, and what
// comes meanwhile goes with the next: only what nearly fills a batch by itself
// need not wait.
//
// When a batch has landed, those who waited for it come back within moments. The
// next one gives them a little time: else it would leave with the other half of
// the load, and the two halves would wait for each other for ever.
//
// The zero Pace is ready. It has no clock: its user tells it what took how long.
type Pace struct {
	usual  int           // entries that a batch held lately
	flight time.Duration // a batch's way to the ledger lately
}

const (
	// window is how many batches may be under way.
	window = 4
	// full is the number of entries that are worth a place of their own.
	full = 128
	// patience is the part of a batch's way that the next one may wait for
	// company, and so what that can add to a latency.
	patience = 8
)

// Wait returns how long a batch of the waiting entries is to wait for more from
// the moment on when it could have left, 0 if it is to leave now. It returns
// false if another batch has to land first.
func (p *Pace) Wait(waiting, underWay int) (time.Duration, bool) {
	switch {
	case underWay >= window || underWay > 0 && waiting < full:
		return 0, false
	case underWay > 0 || waiting >= p.usual:
		return 0, true
	}
	return p.flight / patience, true
}

// Left notes the number of entries of a batch that has left.
func (p *Pace) Left(entries int) { p.usual = max(entries, p.usual*3/4) }

// Landed notes how long a batch was under way.
func (p *Pace) Landed(took time.Duration) { p.flight = (p.flight + took) / 2 }
