package feed

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

// fake is a source in memory. Items with an empty title are passed over, as
// those of unbound firms are.
type fake struct {
	mu      sync.Mutex
	items   []exchange.Reminder
	changed chan struct{}
}

func newFake() *fake { return &fake{changed: make(chan struct{})} }

func (s *fake) add(titles ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, title := range titles {
		s.items = append(s.items, exchange.Reminder{Seq: uint64(len(s.items) + 1), Title: title})
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// fakeScan is how many items the fake looks at in one call.
const fakeScan = 5

func (s *fake) Feed(after uint64, limit int) (out []exchange.Reminder, next uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = after
	for _, r := range s.items[after:min(int(after)+fakeScan, len(s.items))] {
		if len(out) == limit {
			break
		}
		if next = r.Seq; r.Title != "" {
			out = append(out, r)
		}
	}
	return out, next, nil
}

func (s *fake) FeedEnd() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.items)), nil
}

func (s *fake) FeedTag(seq uint64) (tag [tagSize]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq > uint64(len(s.items)) {
		return tag, exchange.ErrNotFound
	}
	copy(tag[:], "tag "+s.items[seq-1].Title)
	return tag, nil
}

func (s *fake) Position() exchange.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return exchange.Position(len(s.items))
}

func (s *fake) WaitFor(ctx context.Context, at exchange.Position) error {
	for {
		s.mu.Lock()
		n, changed := len(s.items), s.changed
		s.mu.Unlock()
		if exchange.Position(n) >= at {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func titles(items []exchange.Reminder) (out []string) {
	for _, r := range items {
		out = append(out, r.Title)
	}
	return out
}

func isError(err error, kind exchange.ErrorKind, code string) bool {
	var e *exchange.Error
	return errors.As(err, &e) && e.Kind == kind && e.Code == code && e.Text.ZH != "" && e.Hint.EN != ""
}

func TestPagesFollowOneAnother(t *testing.T) {
	source := newFake()
	source.add("a", "b", "", "c", "", "", "", "", "", "", "", "d")
	f := New(source, time.Now)
	var got []string
	for cursor := ""; len(got) < 4; {
		page, err := f.Pull(t.Context(), cursor, 2, 0)
		if err != nil || len(page.Items) == 0 || page.Next == "" {
			t.Fatalf("after %v: %+v, %v", got, page, err)
		}
		got, cursor = append(got, titles(page.Items)...), page.Next
	}
	if !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("pulled %v", got)
	}
}

// A client that pulls again with an old cursor gets the same items again.
func TestRedelivery(t *testing.T) {
	source := newFake()
	source.add("a", "b")
	f := New(source, time.Now)
	for range 2 {
		page, err := f.Pull(t.Context(), "", 1, 0)
		if err != nil || !slices.Equal(titles(page.Items), []string{"a"}) {
			t.Fatalf("%v, %v", page, err)
		}
	}
}

func TestLongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newFake()
		f := New(source, time.Now)
		begin := time.Now()
		page, err := f.Pull(t.Context(), "", 10, time.Hour)
		if err != nil || len(page.Items) != 0 || page.Next == "" || time.Since(begin) != MaxWait {
			t.Fatalf("an empty feed answers %+v, %v after %v", page, err, time.Since(begin))
		}

		go func() {
			time.Sleep(3 * time.Second)
			source.add("") // not shown: it wakes nobody up for good
			time.Sleep(3 * time.Second)
			source.add("a")
		}()
		begin = time.Now()
		page, err = f.Pull(t.Context(), page.Next, 10, MaxWait)
		if err != nil || !slices.Equal(titles(page.Items), []string{"a"}) || time.Since(begin) != 6*time.Second {
			t.Fatalf("%+v, %v after %v", page, err, time.Since(begin))
		}

		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		if _, err := f.Pull(ctx, page.Next, 10, MaxWait); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that hung up: %v", err)
		}
	})
}

// A pull that doesn't wait steps over what is not shown, and its cursor too.
func TestCursorPassesWhatIsNotShown(t *testing.T) {
	source := newFake()
	source.add(slices.Repeat([]string{""}, 3*fakeScan+1)...)
	f := New(source, time.Now)
	page, err := f.Pull(t.Context(), "", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := parse(page.Next); err != nil || p.seq != 3*fakeScan+1 {
		t.Errorf("the cursor is at %d, %v", p.seq, err)
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newFake()
		source.add("a", "", "b")
		f := New(source, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		var last string
		go func() {
			time.Sleep(time.Minute)
			source.add("c")
			time.Sleep(time.Minute)
			cancel()
		}()
		err := f.Stream(ctx, "", func(item exchange.Reminder, cursor string) error {
			got, last = append(got, item.Title), cursor
			return nil
		})
		if !errors.Is(err, context.Canceled) || !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Fatalf("streamed %v, %v", got, err)
		}

		source.add("d")
		broken := errors.New("connection lost")
		err = f.Stream(t.Context(), last, func(item exchange.Reminder, _ string) error {
			if item.Title != "d" {
				t.Errorf("resumed at %s", item.Title)
			}
			return broken
		})
		if err != broken {
			t.Errorf("a broken client gives %v", err)
		}
	})
}

func TestCursorsExpire(t *testing.T) {
	source := newFake()
	source.add("a", "b")
	now := time.Date(2024, 11, 5, 9, 0, 0, 0, exchange.Shanghai)
	f := New(source, func() time.Time { return now })
	cursor, err := f.Latest()
	if err != nil {
		t.Fatal(err)
	}
	source.add("c")
	now = now.Add(Lifetime)
	if page, err := f.Pull(t.Context(), cursor, 10, 0); err != nil || !slices.Equal(titles(page.Items), []string{"c"}) {
		t.Errorf("on its last day: %v, %v", page, err)
	}
	now = now.Add(time.Second)
	if _, err := f.Pull(t.Context(), cursor, 10, 0); !isError(err, exchange.KindGone, "CURSOR_EXPIRED") {
		t.Errorf("a second later: %v", err)
	}
	if err := f.Stream(t.Context(), cursor, nil); !isError(err, exchange.KindGone, "CURSOR_EXPIRED") {
		t.Errorf("streaming: %v", err)
	}
}

// A cursor of another gateway, or from before a restore, must not pass over what
// stands here in its place: the client starts over.
func TestACursorIsOfOneFeed(t *testing.T) {
	source := newFake()
	source.add("a", "b")
	f := New(source, time.Now)
	cursor := func() string {
		t.Helper()
		page, err := f.Pull(t.Context(), "", 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		return page.Next
	}
	before := cursor()
	for name, titles := range map[string][]string{"shorter": {"a"}, "empty": {}, "other": {"a", "x", "y"}} {
		source := newFake()
		source.add(titles...)
		if _, err := New(source, time.Now).Pull(t.Context(), before, 10, 0); !isError(err, exchange.KindGone, "CURSOR_EXPIRED") {
			t.Errorf("a feed that is %s takes it: %v", name, err)
		}
	}
	source.add("c")
	if page, err := f.Pull(t.Context(), before, 10, 0); err != nil || !slices.Equal(titles(page.Items), []string{"c"}) {
		t.Errorf("its own feed: %v, %v", page, err)
	}
}

func TestMalformedCursors(t *testing.T) {
	f := New(newFake(), time.Now)
	good := position{seq: 1, issued: 1}.String()
	for _, cursor := range []string{"1", good[:33], good + "A", "=" + good[1:], good[:33] + "B", "AQ" + good[2:], "\n" + good[1:]} {
		if _, err := f.Pull(t.Context(), cursor, 10, 0); !isError(err, exchange.KindInvalid, "CURSOR") {
			t.Errorf("%q gives %v", cursor, err)
		}
	}
}

// The bytes of docs/formats/casebook.md.
func TestCursorVector(t *testing.T) {
	p := position{seq: 258, issued: 1730768400, tag: [tagSize]byte{1, 2, 3, 4, 5, 6, 7, 8}}
	const want = "AgAAAAAAAAECAAAAAGcpbhABAgMEBQYHCA"
	if got := p.String(); got != want {
		t.Errorf("cursor is %s, want %s", got, want)
	}
	if got, err := parse(want); err != nil || got != p {
		t.Errorf("parsed %+v, %v", got, err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(position{seq: 1, issued: 1730768400}.String())
	f.Add("")
	f.Add("AgAAAAAAAAECAAAAAGcpbhABAgMEBQYHC!")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := parse(cursor)
		if err != nil {
			if !isError(err, exchange.KindInvalid, "CURSOR") {
				t.Fatalf("%q gives %v", cursor, err)
			}
			return
		}
		if p.String() != cursor {
			t.Fatalf("%q is a second spelling of %q", cursor, p.String())
		}
	})
}
