package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/xinqiao/creditgw/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 5, 6, 12, 0, 0, 7e6, exchange.Shanghai)

// unbound is a small event that can be told from others by its USCC.
func unbound(subject string) exchange.Event {
	return exchange.Event{At: noon, Unbound: &exchange.FirmUnbound{Subject: []byte(subject)}}
}

// openDir opens a journal that must not fail, with small segments if rollAt is.
func openDir(t testing.TB, dir string, rollAt int64) *Journal {
	t.Helper()
	j, err := open(config(t, dir, nil), rollAt)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func config(t testing.TB, dir string, log *bytes.Buffer) Config {
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewJSONHandler(log, nil))
	}
	return Config{Dir: dir, Logger: logger, Fatal: func(err error) { t.Errorf("fatal: %v", err) }}
}

func appendAll(t testing.TB, j *Journal, events ...exchange.Event) exchange.Position {
	t.Helper()
	last, err := j.Append(t.Context(), events...)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// readAll reads the subjects of unbound events from a position on and checks that
// positions count up by one.
func readAll(t testing.TB, j *Journal, from exchange.Position) []string {
	t.Helper()
	var got []string
	err := j.Read(from, func(at exchange.Position, e exchange.Event) error {
		if want := from + exchange.Position(len(got)); at != want {
			t.Errorf("position %d where %d was next", at, want)
		}
		got = append(got, string(e.Unbound.Subject))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func closeJournal(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatWasAppendedIsReadBackAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	events := oneOfEach()
	j := openDir(t, dir, segmentSize)
	if last := appendAll(t, j, events...); last != exchange.Position(len(events)) {
		t.Fatalf("last is %d after %d events", last, len(events))
	}
	closeJournal(t, j)

	j = openDir(t, dir, segmentSize)
	defer closeJournal(t, j)
	if j.Last() != exchange.Position(len(events)) {
		t.Fatalf("last is %d after reopening", j.Last())
	}
	for i, want := range events {
		got, err := j.ReadOne(exchange.Position(i + 1))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("position %d (-appended +read):\n%s", i+1, diff)
		}
	}
	for _, at := range []exchange.Position{0, j.Last() + 1} {
		if _, err := j.ReadOne(at); !errors.Is(err, exchange.ErrNotFound) {
			t.Errorf("position %d: %v, want not found", at, err)
		}
	}
}

func TestReadStartsAnywhereAcrossSegments(t *testing.T) {
	j := openDir(t, t.TempDir(), 3<<10)
	defer closeJournal(t, j)
	var want []string
	for i := range 60 {
		pair := []string{fmt.Sprintf("%03d-a-%0200d", i, 0), fmt.Sprintf("%03d-b", i)}
		want = append(want, pair...)
		appendAll(t, j, unbound(pair[0]), unbound(pair[1]))
	}
	if len(j.segments) < 3 {
		t.Fatalf("only %d segments", len(j.segments))
	}
	for from := range len(want) + 1 {
		if diff := cmp.Diff(want[from:], readAll(t, j, exchange.Position(from+1)), equateEmpty); diff != "" {
			t.Fatalf("from %d (-want +got):\n%s", from+1, diff)
		}
	}
	stop := errors.New("enough")
	n := 0
	err := j.Read(5, func(exchange.Position, exchange.Event) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("after visit's error: %v, %d visits", err, n)
	}
}

// One frame holds many marks here, so most look-ups begin inside it.
func TestReadOneFindsEventsInsideALargeFrame(t *testing.T) {
	dir := t.TempDir()
	j := openDir(t, dir, segmentSize)
	pad := strings.Repeat("x", 900)
	var events []exchange.Event
	for i := range 500 {
		events = append(events, unbound(fmt.Sprintf("%03d%s", i, pad)))
	}
	appendAll(t, j, events...)
	appendAll(t, j, unbound("behind"))
	check := func() {
		t.Helper()
		for i := range events {
			e, err := j.ReadOne(exchange.Position(i + 1))
			if err != nil || !bytes.Equal(e.Unbound.Subject, events[i].Unbound.Subject) {
				t.Fatalf("position %d: %v", i+1, err)
			}
		}
		if e, err := j.ReadOne(501); err != nil || string(e.Unbound.Subject) != "behind" {
			t.Fatalf("position 501: %v", err)
		}
	}
	check()
	closeJournal(t, j)
	j = openDir(t, dir, segmentSize)
	defer closeJournal(t, j)
	check()
}

func TestConcurrentCallsKeepTheirEventsTogetherAndShareFrames(t *testing.T) {
	dir := t.TempDir()
	j := openDir(t, dir, 8<<10)
	const callers, calls = 16, 20
	positions := make([][]exchange.Position, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				last, err := j.Append(context.Background(),
					unbound(fmt.Sprintf("%d/%d/a", c, i)), unbound(fmt.Sprintf("%d/%d/b", c, i)))
				if err != nil {
					t.Error(err)
				}
				positions[c] = append(positions[c], last)
			}
		})
	}
	wg.Wait()
	closeJournal(t, j)

	j = openDir(t, dir, 8<<10)
	defer closeJournal(t, j)
	got := readAll(t, j, 1)
	if len(got) != callers*calls*2 {
		t.Fatalf("%d events of %d", len(got), callers*calls*2)
	}
	for c := range callers {
		for i, last := range positions[c] {
			if i > 0 && last <= positions[c][i-1] {
				t.Errorf("caller %d: call %d is at %d, the one before at %d", c, i, last, positions[c][i-1])
			}
			if a, b := got[last-2], got[last-1]; a != fmt.Sprintf("%d/%d/a", c, i) || b != fmt.Sprintf("%d/%d/b", c, i) {
				t.Errorf("caller %d, call %d: %q, %q at %d", c, i, a, b, last)
			}
		}
	}
}

func TestCallsThatWaitTogetherShareAFrame(t *testing.T) {
	j := openDir(t, t.TempDir(), segmentSize)
	defer closeJournal(t, j)
	var group []*call
	for i := range 3 {
		raw, err := marshalEvent(&exchange.Event{Unbound: &exchange.FirmUnbound{Subject: fmt.Append(nil, i)}})
		if err != nil {
			t.Fatal(err)
		}
		group = append(group, &call{events: appendEvent(nil, raw), count: 1, done: make(chan result, 1)})
	}
	j.mu.Lock()
	j.queue = group
	j.mu.Unlock()
	j.signal()
	for i, c := range group {
		if r := <-c.done; r.err != nil || r.last != exchange.Position(i+1) {
			t.Errorf("call %d: %+v", i, r)
		}
	}
	head := make([]byte, frameHeaderSize)
	if _, err := j.segments[0].file.ReadAt(head, segmentHeaderSize); err != nil {
		t.Fatal(err)
	}
	if h, err := parseFrameHeader(head); err != nil || h.count != 3 {
		t.Errorf("first frame holds %d events: %v", h.count, err)
	}
}

func TestWaitReturnsOnceThePositionIsThere(t *testing.T) {
	j := openDir(t, t.TempDir(), segmentSize)
	waited := make(chan error)
	go func() { waited <- j.Wait(t.Context(), 2) }()
	appendAll(t, j, unbound("1"))
	appendAll(t, j, unbound("2"))
	if err := <-waited; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Wait(ctx, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	go func() { waited <- j.Wait(t.Context(), 3) }()
	closeJournal(t, j)
	if err := <-waited; !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := j.Append(t.Context(), unbound("late")); !errors.Is(err, errClosed) {
		t.Errorf("append after Close: %v", err)
	}
}

func TestWhatCanNotBeStoredIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	j := openDir(t, t.TempDir(), segmentSize)
	defer closeJournal(t, j)
	two := unbound("x")
	two.Closed = &exchange.SubmissionClosed{}
	half := unbound(strings.Repeat("x", maxFrame/2))
	for name, c := range map[string]struct {
		events []exchange.Event
		want   error
	}{
		"nothing":              {nil, nil},
		"an event of no kind":  {[]exchange.Event{{At: noon}}, errKinds},
		"an event of two":      {[]exchange.Event{two}, errKinds},
		"more than a frame":    {[]exchange.Event{half, half}, ErrTooLarge},
		"one good and one bad": {[]exchange.Event{unbound("x"), {}}, errKinds},
	} {
		if _, err := j.Append(t.Context(), c.events...); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Append(ctx, unbound("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled call: %v", err)
	}
	if j.Last() != 0 {
		t.Errorf("%d events were stored", j.Last())
	}
}

// The file is closed behind the journal's back, so that the write fails.
func TestAFailedWriteEndsTheProcessAndIsNeverAcknowledged(t *testing.T) {
	for name, file := range map[string]func(t *testing.T) *os.File{
		"the write fails": func(t *testing.T) *os.File {
			f, err := os.Create(filepath.Join(t.TempDir(), "closed"))
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			return f
		},
		// The null device takes what is written and knows no fsync.
		"the fsync fails": func(t *testing.T) *os.File {
			f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, t.TempDir(), nil)
			var fatal []error
			cfg.Fatal = func(err error) { fatal = append(fatal, err) }
			j, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			appendAll(t, j, unbound("before"))
			sound := j.segments[0].file
			j.segments[0].file = file(t)
			if err := sound.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if last, err := j.Append(t.Context(), unbound("after")); err == nil {
					t.Errorf("acknowledged at %d", last)
				}
			}
			if len(fatal) != 1 {
				t.Errorf("fatal was called %d times", len(fatal))
			}
			if err := j.Wait(t.Context(), 2); err == nil || err != fatal[0] {
				t.Errorf("wait: %v, fatal %v", err, fatal)
			}
			if j.Last() != 1 {
				t.Errorf("last is %d", j.Last())
			}
			_ = j.Close() // the process has ended long since
		})
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	j := openDir(t, dir, segmentSize)
	defer closeJournal(t, j)
	if _, err := Open(config(t, dir, nil)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second open: %v", err)
	}
	if _, err := Check(dir, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("check of a running node: %v", err)
	}
}

// A follower as the casebook is one: it waits and reads while others write and
// segments are closed under it.
func TestAFollowerSeesEveryEventOnceAndInOrder(t *testing.T) {
	j := openDir(t, t.TempDir(), 2<<10)
	defer closeJournal(t, j)
	const writers, calls = 4, 50
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range calls {
				if _, err := j.Append(context.Background(), unbound("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for next := exchange.Position(1); next <= writers*calls; {
		if err := j.Wait(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		err := j.Read(next, func(at exchange.Position, e exchange.Event) error {
			if at != next {
				t.Errorf("position %d where %d was next", at, next)
			}
			if one, err := j.ReadOne(at); err != nil || !bytes.Equal(one.Unbound.Subject, e.Unbound.Subject) {
				t.Errorf("position %d alone: %v", at, err)
			}
			next++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}
