package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

const (
	// streamPulse is how often an idle stream says that it lives, so that
	// proxies keep it and a dead one is noticed.
	streamPulse = 15 * time.Second
	// streamWrite bounds one write to a client that reads slowly or not at all.
	streamWrite = 30 * time.Second
)

// stream is the feed as server-sent events. Each event's id is the cursor
// behind it, which a client gives back as Last-Event-ID.
func (a *API) stream(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "cursor")
	cursor := q.cursor()
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		cursor = last
	}
	if q.err == nil && len(cursor) > maxCursor {
		q.fail("Last-Event-ID", "先前收到的游标", "a cursor received before")
	}
	if q.err != nil {
		return q.err
	}
	ctx, cancel := a.waiting(r)
	defer cancel()
	// An expired cursor can still be answered with a status now.
	if _, err := a.Feed.Pull(ctx, cursor, 1, 0); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	if err := out.write([]byte(": open\n\n")); err != nil {
		return nil
	}
	pulse := time.NewTicker(streamPulse)
	defer pulse.Stop()
	go func() {
		for {
			select {
			case <-pulse.C:
				if !a.mayGoOn(r) || out.write([]byte(":\n\n")) != nil {
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	lang := language(r)
	err := a.Feed.Stream(ctx, cursor, func(item exchange.Reminder, cursor string) error {
		items := []exchange.Reminder{item}
		translate(items, lang)
		return out.event(cursor, items[0])
	})
	out.end()
	if ctx.Err() != nil {
		return nil // the client left, or we close: it comes back with its cursor
	}
	return err
}

// mayGoOn is asked at every pulse: a stream has no end of its own, but a token
// may be revoked, and a node may have to stop serving. The client comes back and
// is told.
func (a *API) mayGoOn(r *http.Request) bool {
	token, _ := bearer(r)
	_, known := a.Tokens.Lookup(token)
	return known && a.Stopped() == nil
}

// eventWriter keeps events and pulses apart.
type eventWriter struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	ended   bool
}

func (e *eventWriter) event(cursor string, item exchange.Reminder) error {
	data, err := json.Marshal(item)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("id: " + cursor + "\nevent: reminder\ndata: ")
	b.Write(data) // JSON has no line break
	b.WriteString("\n\n")
	return e.write(b.Bytes())
}

func (e *eventWriter) write(b []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return http.ErrHandlerTimeout
	}
	// A writer without deadlines is a test's recorder.
	_ = e.control.SetWriteDeadline(time.Now().Add(streamWrite))
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.control.Flush()
}

// end makes sure that no pulse is written after the handler has returned.
func (e *eventWriter) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
}
