package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// Bounds of an upload: a sender must give something every readPause, and all
// of it within readTotal. 256 MiB take 15 minutes at 2.3 Mbit/s.
const (
	readPause = 30 * time.Second
	readTotal = 15 * time.Minute
)

// pacedBody moves the connection's read deadline on as the body comes in, so
// that a large file may take its time and a trickle may not take for ever.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	until   time.Time
}

// paced lifts the server's short time-outs from an upload.
func paced(w http.ResponseWriter, body io.ReadCloser) io.ReadCloser {
	return &pacedBody{ReadCloser: body, control: http.NewResponseController(w), until: time.Now().Add(readTotal)}
}

func (b *pacedBody) Read(p []byte) (int, error) {
	next := time.Now().Add(readPause)
	if next.After(b.until) {
		next = b.until
	}
	// A writer without deadlines is a test's recorder.
	_ = b.control.SetReadDeadline(next)
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		// The server reads on to notice a hang-up. A deadline left standing would
		// look like one and end the request while its rows are judged.
		_ = b.control.SetReadDeadline(time.Time{})
		return n, io.EOF
	}
	// Here it stands: before it answers, the server reads on for the rest of a
	// body, which may never come.
	return n, bodyError(err)
}

// answerWithin sets how long the answer may still take; 0 takes the limit off
// until it is set again.
func answerWithin(w http.ResponseWriter, d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(at)
}
