package outbox

import (
	"sync"
	"time"
)

// heldAfter is how long a batch may be under way while the ledger grows by
// others' entries. The leader takes from the regions in turn, so that no load
// alone makes a region wait so long.
const heldAfter = 5 * time.Second

// A wait is that of the oldest batch under way. If the ledger does not grow
// either there is no leader, or it is cut off; if it does, the leader has time
// for others, but not for us.
type wait struct {
	mu    sync.Mutex
	since time.Time // zero: nothing is under way
	size  uint64    // of the ledger then
}

func (w *wait) begin(size uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.size = time.Now(), size
}

func (w *wait) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Time{}
}

func (w *wait) held(size uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.since.IsZero() && time.Since(w.since) >= heldAfter && size > w.size
}

// HeldBack reports whether the ledger takes in others' batches and leaves this
// region's out.
func (d *Drain) HeldBack() bool { return d.wait.held(d.cfg.Ledger.Head().Size) }

// complain says so in the log.
func (d *Drain) complain() {
	if d.HeldBack() {
		d.cfg.Logger.Error("this region's batches are held back while others' are committed", "alarm", true)
	}
}
