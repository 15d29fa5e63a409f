package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/xinqiao/creditgw/exchange"
)

// A Cut is the journal up to one durable event. Nothing of it changes any more,
// so that it is read beside the writer, which never waits for it.
type Cut struct {
	segments []*segment // copies: the writer's go on growing
	release  func() error
}

// Cut is the journal as of now: every event whose Append has returned is in it.
// It can be read until the journal is closed.
func (j *Journal) Cut() *Cut {
	j.mu.Lock()
	segments := j.segments
	j.mu.Unlock()
	c := &Cut{release: func() error { return nil }}
	for _, s := range segments {
		s.mu.Lock()
		c.add(&segment{path: s.path, file: s.file, header: s.header, size: s.size})
		s.mu.Unlock()
	}
	return c
}

// OpenCut is the journal of a stopped node, without a torn tail, and changes
// nothing.
func OpenCut(dir string) (_ *Cut, err error) {
	d, err := lock(dir)
	if err != nil {
		return nil, err
	}
	segments, err := listSegments(dir, os.O_RDONLY)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	c := &Cut{segments: segments, release: func() error { return errors.Join(closeSegments(segments), d.Close()) }}
	if len(segments) == 0 {
		return c, nil
	}
	last := segments[len(segments)-1]
	if last.size, err = last.whole(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// whole is the size of the last segment without a torn tail.
func (s *segment) whole() (int64, error) {
	t, err := scan(s.file, s.path, s.header, s.size, nil)
	damage := (*DamageError)(nil)
	if !errors.As(err, &damage) {
		return t.end, err
	}
	isTorn, err := torn(s.file, t.end, s.size, t.last+1)
	switch {
	case err != nil:
		return 0, fmt.Errorf("journal: read %s: %w", s.path, err)
	case !isTorn:
		return 0, damage
	}
	return t.end, nil
}

// add appends a segment, which the one before leads to.
func (c *Cut) add(s *segment) {
	if n := len(c.segments); n > 0 {
		c.segments[n-1].next = &s.header
	}
	c.segments = append(c.segments, s)
}

// Each hands over the files, ascending, each after it has been verified against
// checksums and chain, and returns the position of the last event.
func (c *Cut) Each(visit func(name string, content io.Reader) error) (last exchange.Position, err error) {
	for _, s := range c.segments {
		var t tail
		if s.next != nil {
			t, err = s.verify(nil)
		} else {
			t, err = scan(s.file, s.path, s.header, s.size, nil)
		}
		if err != nil {
			return last, err
		}
		last = t.last
		if err := visit(filepath.Base(s.path), io.NewSectionReader(s.file, 0, s.size)); err != nil {
			return last, err
		}
	}
	return last, nil
}

// Close lets the files of a stopped node go.
func (c *Cut) Close() error { return c.release() }
