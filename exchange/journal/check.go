package journal

import (
	"errors"
	"fmt"
	"os"

	"github.com/xinqiao/creditgw/exchange"
)

// Report is what Check has read.
type Report struct {
	Segments int
	Events   uint64
	Bytes    int64
	Torn     int64 // bytes of a tail that Open will cut off
}

// Check reads, hashes and decodes the whole journal of a stopped node and
// changes nothing. It tells progress, which may be nil, after each segment.
// The error joins one fault for each damaged segment.
func Check(dir string, progress func(read, total int64)) (r Report, err error) {
	d, err := lock(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	segments, err := listSegments(dir, os.O_RDONLY)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, closeSegments(segments)) }()
	var total int64
	for _, s := range segments {
		total += s.size
	}
	var faults []error
	for _, s := range segments {
		if err := r.add(s); err != nil {
			faults = append(faults, err)
		}
		if progress != nil {
			progress(r.Bytes, total)
		}
	}
	return r, errors.Join(faults...)
}

func (r *Report) add(s *segment) error {
	r.Segments++
	r.Bytes += s.size
	decode := func(at exchange.Position, raw []byte) error {
		if _, err := unmarshalEvent(raw); err != nil {
			return fmt.Errorf("%w: %s: position %d: %w", errVisit, s.path, at, err)
		}
		r.Events++
		return nil
	}
	if s.next != nil {
		_, err := s.verify(decode)
		return err
	}
	t, err := scan(s.file, s.path, s.header, s.size, decode)
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		isTorn, readErr := torn(s.file, t.end, s.size, t.last+1)
		if readErr != nil {
			return fmt.Errorf("journal: read %s: %w", s.path, readErr)
		}
		if isTorn {
			r.Torn = s.size - t.end
			return nil
		}
	}
	return err
}
