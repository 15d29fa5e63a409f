package witness

import (
	"maps"
	"slices"
	"time"

	"github.com/xinqiao/creditgw/peers"
)

// Alarm is a code for what people should look at. None of them stops the
// ledger.
type Alarm string

const (
	AlarmNoMark       Alarm = "NO_MARK"         // the ledger has grown and its leader does not mark it
	AlarmNotWitnessed Alarm = "NOT_WITNESSED"   // marked, and too few regions cosign
	AlarmBehind       Alarm = "LEDGER_BEHIND"   // others have cosigned what has not come here
	AlarmDisagreement Alarm = "DISAGREEMENT"    // somebody states another root than we do
	AlarmWaiting      Alarm = "WITNESS_WAITS"   // this witness asks the others what it has signed
	AlarmClock        Alarm = "CLOCK_SKEW"      // a witness's time is far from ours
	AlarmHalted       Alarm = "WITNESS_STOPPED" // see Halt
)

const (
	// patience is how long a mark or its cosignatures may take.
	patience = 2 * time.Second
	// remind is how long a disagreement stays an alarm.
	remind = 10 * time.Minute
	// skew is how far a witness's time may be from ours.
	skew = 5 * time.Minute
)

// Status is what a node knows of its witnesses.
type Status struct {
	Size     uint64    // of the newest witnessed checkpoint, 0 for none
	At       time.Time // its time
	Age      time.Duration
	Marked   uint64 // size of the last mark seen
	Regions  []Seen // ascending
	Alarms   []Alarm
	Evidence int    // bundles written since the start
	Refused  uint64 // lines and marks that nobody could use
	Halt     *Halt
}

// Seen is the newest cosignature of a region.
type Seen struct {
	Region peers.Region
	Size   uint64
	At     time.Time // the witness's claim
}

// Status returns the present state.
func (w *Witness) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.Alarms = slices.Clone(s.Alarms)
	if s.Size = w.latest.Size; s.Size > 0 {
		s.At = time.Unix(w.latest.Time(), 0)
		s.Age = max(w.cfg.Clock().Sub(s.At), 0)
	}
	for _, r := range slices.Sorted(maps.Keys(w.lines)) {
		s.Regions = append(s.Regions, Seen{Region: r, Size: w.lines[r].Size, At: time.Unix(w.lines[r].Time(), 0)})
	}
	return s
}

// watch keeps the times by which alarms are judged.
type watch struct {
	lastMark  uint64
	grown     time.Time            // since when the ledger is ahead of the last mark
	ahead     time.Time            // since when others state more than our ledger has
	behind    time.Time            // since when the last mark is ahead of what is witnessed
	pending   map[uint64]time.Time // marked sizes that are not witnessed
	disagreed map[string]time.Time // by region or node
}

func (a *watch) marked(size uint64, now time.Time) {
	if size <= a.lastMark {
		return
	}
	a.lastMark, a.grown = size, time.Time{}
	if a.pending == nil {
		a.pending = map[uint64]time.Time{}
	}
	if len(a.pending) < maxTallies {
		a.pending[size] = now
	}
}

// witnessed returns how long it took, if the size was marked here.
func (a *watch) witnessed(size uint64, now time.Time) (time.Duration, bool) {
	since, ok := a.pending[size]
	for s := range a.pending {
		if s <= size {
			delete(a.pending, s)
		}
	}
	return now.Sub(since), ok
}

func (a *watch) disagrees(who string) {
	if a.disagreed == nil {
		a.disagreed = map[string]time.Time{}
	}
	a.disagreed[who] = time.Time{} // look fills in when
}

// look sets the alarms anew.
func (w *Witness) look() {
	now, size := w.cfg.Clock(), w.cfg.Ledger.Size()
	latest, _ := w.Latest()
	a := &w.watch
	since(&a.grown, size > a.lastMark, now)
	since(&a.ahead, len(w.held) > 0, now)
	since(&a.behind, a.lastMark > latest.Size, now)
	var alarms []Alarm
	raise := func(alarm Alarm, on bool) {
		if on {
			alarms = append(alarms, alarm)
		}
	}
	raise(AlarmNoMark, late(a.grown, now))
	raise(AlarmNotWitnessed, late(a.behind, now))
	raise(AlarmBehind, late(a.ahead, now))
	for who, at := range a.disagreed {
		if at.IsZero() {
			a.disagreed[who] = now
		} else if now.Sub(at) > remind {
			delete(a.disagreed, who)
		}
	}
	raise(AlarmDisagreement, len(a.disagreed) > 0)
	raise(AlarmWaiting, w.signer.waiting != nil)
	raise(AlarmClock, w.skewed(now))
	raise(AlarmHalted, w.halted())
	w.mu.Lock()
	before := w.status.Alarms
	w.status.Alarms, w.status.Marked, w.status.Evidence = alarms, a.lastMark, w.evidence.written
	w.mu.Unlock()
	for _, alarm := range alarms {
		if !slices.Contains(before, alarm) {
			w.cfg.Logger.Error("witness alarm", "alarm", true, "code", string(alarm), "size", size, "marked", a.lastMark, "witnessed", latest.Size)
		}
	}
}

// skewed says whether the line of a region for the newest size is of a time
// far from that of most. It accuses no clock: ours may be the wrong one.
func (w *Witness) skewed(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.latest.Size == 0 || now.Sub(time.Unix(w.latest.Time(), 0)).Abs() > time.Hour {
		return w.latest.Size > 0 && w.latest.Time()-now.Unix() > int64(skew/time.Second)
	}
	for _, l := range w.latest.Cosignatures {
		if apart := time.Duration(l.Time-w.latest.Time()) * time.Second; apart.Abs() > skew {
			return true
		}
	}
	return false
}

func since(t *time.Time, is bool, now time.Time) {
	switch {
	case !is:
		*t = time.Time{}
	case t.IsZero():
		*t = now
	}
}

func late(since, now time.Time) bool { return !since.IsZero() && now.Sub(since) >= patience }
