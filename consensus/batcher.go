package consensus

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// maxQueued bounds what a peer may have waiting at the leader, in bytes. Its
// own node's items are in its memory anyway.
const maxQueued = 4 << 20

var errNotLeading = errors.New("consensus: this node does not lead")

// A source is one node's queue at the leader. A node has one.
type source struct {
	peer  string // the node's id
	quota *quota
	items []proposed
	bytes int
	limit int    // 0: none
	lost  func() // tells the node to send everything again
	gone  bool   // items were lost: nothing may follow them on this queue
}

// A batcher makes Raft entries of what is waiting: no timer, an entry is cut
// when there is a place for it under way, and takes what has come until then. So
// entries are small when little is going on and full under load.
//
// It takes from the sources in turn, item by item: a region that floods the
// leader gets its share and waits for the rest, and by its quota it does not get
// every share that the others leave.
type batcher struct {
	// apply gives an entry to Raft; wait returns when it has been applied
	// here. Entries are given in order, so it is not called concurrently.
	apply func(data []byte) (wait func() error)
	fault func(error)
	slots chan struct{} // one per entry under way
	done  <-chan struct{}

	mu       sync.Mutex
	space    *sync.Cond    // signalled when a queue has shrunk
	office   chan struct{} // closed while leading
	leading  bool
	sources  []*source
	quotas   quotas
	turn     int
	waiting  int    // items in all queues
	mark     []byte // goes into the next entry; nil for none
	wake     chan struct{}
	underWay []*departed // the entries that hold a slot
}

// A departed entry is known by its first item; one without items has the zero id.
type departed struct {
	first proposalID
	from  []*source // of each item
}

func newBatcher(inFlight int, apply func([]byte) func() error, fault func(error), done <-chan struct{}) *batcher {
	b := &batcher{
		apply: apply, fault: fault, done: done,
		slots: make(chan struct{}, inFlight), wake: make(chan struct{}, 1), office: make(chan struct{}),
		quotas: quotas{},
	}
	b.space = sync.NewCond(&b.mu)
	return b
}

// source enters a node's queue of at most limit bytes, 0 for any number, in the
// place of an older one of that node: more queues are not more turns. lost is
// called when items of it were lost; it must not call back. The queue is dead then.
func (b *batcher) source(node string, limit int, lost func()) *source {
	b.mu.Lock()
	s := &source{peer: node, quota: b.quotas.of(node), limit: limit, lost: lost}
	var older *source
	if i := slices.IndexFunc(b.sources, func(o *source) bool { return o.quota == s.quota }); i >= 0 {
		older = b.sources[i]
		b.remove(i)
	}
	b.sources = append(b.sources, s)
	b.mu.Unlock()
	if older != nil {
		older.lost()
	}
	return s
}

// leave takes a queue out. What is in it will be sent again to whoever leads.
func (b *batcher) leave(s *source) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.sources, s); i >= 0 {
		b.remove(i)
	}
}

func (b *batcher) remove(i int) {
	s := b.sources[i]
	b.sources = slices.Delete(b.sources, i, i+1)
	b.waiting -= len(s.items)
	s.items, s.bytes, s.gone = nil, 0, true
	b.space.Broadcast()
}

// push queues items and blocks while the source has too much waiting.
func (b *batcher) push(s *source, items ...proposed) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s.limit > 0 && s.bytes > s.limit && b.leading && !s.gone {
		b.space.Wait()
	}
	if !b.leading || s.gone {
		return errNotLeading
	}
	for _, p := range items {
		p.from = s
		s.items = append(s.items, p)
		s.bytes += len(p.item)
	}
	b.waiting += len(items)
	b.poke()
	return nil
}

func (b *batcher) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// lead opens or closes the batcher. Closing it loses what is waiting.
func (b *batcher) lead(leading bool) {
	b.mu.Lock()
	if leading == b.leading {
		b.mu.Unlock()
		return
	}
	b.leading = leading
	if leading {
		close(b.office)
	} else {
		b.office = make(chan struct{})
	}
	b.mu.Unlock()
	if !leading {
		b.lose()
	}
}

// attach has the next entry carry a mark; without items to come it makes an
// entry of its own.
func (b *batcher) attach(mark []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leading {
		b.mark = mark
		b.poke()
	}
}

// inCharge reports whether the batcher is open.
func (b *batcher) inCharge() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leading
}

// inOffice returns a channel that is closed once the batcher is open.
func (b *batcher) inOffice() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.office
}

// lose drops all that is waiting, for instance after an entry was lost: what
// was proposed behind the lost items must not overtake them.
func (b *batcher) lose() {
	b.mu.Lock()
	lost := b.sources
	b.sources, b.waiting, b.mark = nil, 0, nil
	for _, s := range lost {
		s.items, s.bytes, s.gone = nil, 0, true
	}
	b.space.Broadcast()
	b.mu.Unlock()
	for _, s := range lost {
		s.lost()
	}
}

// run cuts entries until the node shuts down.
func (b *batcher) run() {
	for {
		select {
		case b.slots <- struct{}{}:
		case <-b.done:
			return
		}
		mark, items, ok := b.next()
		if !ok {
			return
		}
		data, err := marshalPayload(mark, items)
		if err != nil {
			b.fault(err)
			return
		}
		entry := b.depart(items)
		wait := b.apply(data)
		go func() { // ends with Raft's answer, which Raft forgets when it shuts down
			if err := wait(); err != nil {
				b.lose()
			}
			b.arrive(entry)
		}()
	}
}

func (b *batcher) depart(items []proposed) *departed {
	entry := &departed{from: make([]*source, len(items))}
	for i, p := range items {
		entry.from[i] = p.from
	}
	if len(items) > 0 {
		entry.first = items[0].id
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay = append(b.underWay, entry)
	return entry
}

// find returns the entry with this first item, nil if none is under way. The
// caller holds mu.
func (b *batcher) find(first proposalID) *departed {
	for _, entry := range b.underWay {
		if entry.first == first {
			return entry
		}
	}
	return nil
}

// arrive frees an entry's slot, unless that has been done.
func (b *batcher) arrive(entry *departed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.underWay, entry); i >= 0 {
		b.underWay = slices.Delete(b.underWay, i, i+1)
		<-b.slots
		b.poke()
	}
}

// shown frees the slot of an entry that Raft is showing to the state machine:
// it has been committed, and the next one may be on its way while this one is
// being applied. Only one that is waiting to be applied holds its slot on, so
// a state machine that falls behind slows everybody down.
func (b *batcher) shown(ids []proposalID) {
	if len(ids) == 0 {
		return
	}
	b.mu.Lock()
	entry := b.find(ids[0])
	b.mu.Unlock()
	if entry != nil {
		b.arrive(entry)
	}
}

// next waits for items or a mark and cuts the next entry; false at the end.
func (b *batcher) next() (mark []byte, items []proposed, ok bool) {
	for {
		var pause <-chan time.Time
		b.mu.Lock()
		if b.ready() {
			var wait time.Duration
			items, wait = b.cut(time.Now())
			mark, b.mark = b.mark, nil
			if wait > 0 {
				pause = time.After(wait)
			}
		}
		b.mu.Unlock()
		if len(items) > 0 || mark != nil {
			return mark, items, true
		}
		select {
		case <-b.wake:
		case <-pause:
		case <-b.done:
			return nil, nil, false
		}
	}
}

// ready reports whether the next entry may leave. The second half of the places
// under way is for full entries: another one costs four nodes an fsync and a
// dozen messages, and grows while it waits for those that are under way.
func (b *batcher) ready() bool {
	if len(b.underWay) < max(cap(b.slots)/2, 1) || b.waiting >= maxEntryItems {
		return true
	}
	bytes := 0
	for _, s := range b.sources {
		bytes += s.bytes
	}
	return bytes >= maxEntryBytes
}

// cut takes what the next entry holds. With nothing taken, though items wait,
// they are of a node that is to wait so long.
func (b *batcher) cut(now time.Time) (items []proposed, wait time.Duration) {
	if b.waiting == 0 {
		return nil, 0
	}
	held, wait := b.quotas.flooding(now)
	items = make([]proposed, 0, min(b.waiting, maxEntryItems))
	size := 0
	for passed := 0; passed < len(b.sources) && len(items) < maxEntryItems; {
		b.turn %= len(b.sources)
		s := b.sources[b.turn]
		if len(s.items) == 0 || s.quota == held {
			b.turn++
			passed++
			continue
		}
		p := s.items[0]
		if size += len(p.item); size > maxEntryBytes && len(items) > 0 {
			break
		}
		b.turn++
		passed = 0
		items = append(items, p)
		s.items[0] = proposed{}
		s.items = s.items[1:]
		s.bytes -= len(p.item)
		s.quota.take(len(p.item))
		b.waiting--
	}
	b.space.Broadcast()
	if len(items) > 0 {
		wait = 0
	}
	return items, wait
}
