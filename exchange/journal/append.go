package journal

import (
	"context"
	"fmt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// call is one Append on its way through the writer.
type call struct {
	events []byte // with their headers
	count  int
	done   chan result // one place, so that the writer never waits
}

type result struct {
	last exchange.Position
	err  error
}

// Append returns when the events are durable, all or none, in this order. With
// ctx's error it is open whether they will be. Concurrent calls share an fsync.
func (j *Journal) Append(ctx context.Context, events ...exchange.Event) (exchange.Position, error) {
	if len(events) == 0 {
		return 0, fmt.Errorf("journal: nothing to append")
	}
	c := &call{count: len(events), done: make(chan result, 1)}
	for i := range events {
		raw, err := marshalEvent(&events[i])
		if err != nil {
			return 0, fmt.Errorf("journal: event %d of the call: %w", i, err)
		}
		if len(c.events)+eventHeaderSize+len(raw) > maxFrame {
			return 0, ErrTooLarge
		}
		c.events = appendEvent(c.events, raw)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	j.mu.Lock()
	if err := j.unusable(); err != nil {
		j.mu.Unlock()
		return 0, err
	}
	j.queue = append(j.queue, c)
	j.mu.Unlock()
	j.signal()
	select {
	case r := <-c.done:
		return r.last, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (j *Journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// write is the one writer. It ends when the journal is closed and its queue is
// empty, or when a write has failed.
func (j *Journal) write() {
	defer close(j.stopped)
	for range j.wake {
		for {
			group, closing := j.take()
			if len(group) == 0 {
				if closing {
					return
				}
				break
			}
			if err := j.commit(group); err != nil {
				j.fail(group, err)
				return
			}
		}
	}
}

// take removes the calls of the next frame from the queue.
func (j *Journal) take() (group []*call, closing bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n, size := 0, 0
	for n < len(j.queue) && (n == 0 || size+len(j.queue[n].events) <= groupSize) {
		size += len(j.queue[n].events)
		n++
	}
	group = j.queue[:n:n]
	j.queue = j.queue[n:]
	return group, j.closing
}

// commit writes the group as one frame, syncs it and answers its calls.
func (j *Journal) commit(group []*call) error {
	s, err := j.room()
	if err != nil {
		return err
	}
	h := frameHeader{first: j.last + 1} // only the writer moves last
	for _, c := range group {
		h.length += uint32(len(c.events))
		h.count += uint32(c.count)
	}
	frame := make([]byte, frameHeaderSize, h.size())
	for _, c := range group {
		frame = append(frame, c.events...)
	}
	events := frame[frameHeaderSize:]
	h.chain = sm.Sum(j.chain[:], events)
	copy(frame, h.append(nil))
	frame = append(frame, commitMark)

	offset := s.size
	if _, err := s.file.WriteAt(frame, offset); err != nil {
		return fmt.Errorf("journal: write: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("journal: fsync: %w", err)
	}
	j.chain = h.chain
	s.mu.Lock()
	s.index = indexFrame(s.index, h, offset, events)
	s.size += h.size()
	s.mu.Unlock()

	j.mu.Lock()
	last := j.last
	j.last += exchange.Position(h.count)
	j.announce()
	j.mu.Unlock()
	for _, c := range group {
		last += exchange.Position(c.count)
		c.done <- result{last: last}
	}
	return nil
}

// room returns the segment for the next frame, a new one if the last is full.
func (j *Journal) room() (*segment, error) {
	full := j.segments[len(j.segments)-1]
	if full.size < j.rollAt || len(full.index) == 0 {
		return full, nil
	}
	s, err := createSegment(j.cfg.Dir, segmentHeader{
		first: j.last + 1, previousFirst: full.header.first, previousLength: full.size, chain: j.chain})
	if err != nil {
		return nil, err
	}
	full.mu.Lock()
	full.next = &s.header
	full.mu.Unlock()
	j.mu.Lock()
	j.segments = append(j.segments, s)
	j.mu.Unlock()
	return s, nil
}

// fail ends the journal: nothing that waits is acknowledged.
func (j *Journal) fail(group []*call, err error) {
	j.mu.Lock()
	j.failed = err
	group = append(group, j.queue...)
	j.queue = nil
	j.announce()
	j.mu.Unlock()
	j.cfg.Fatal(err)
	for _, c := range group {
		c.done <- result{err: err}
	}
}
