// Package waiting is how tests wait for what other goroutines, and other nodes,
// bring about: on a condition, never for a time. Only tests import it.
package waiting

import (
	"context"
	"testing"
	"time"
)

// Limit bounds any one wait: far beyond what a wait takes, for a test that fails
// only because its machine is busy is worth nothing.
const Limit = time.Minute

// Until returns when ok is true, which is looked for every few milliseconds. what
// completes "still not so: …" when it does not become so within Limit.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(Limit)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Context ends after Limit, or with the test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Limit)
	t.Cleanup(cancel)
	return ctx
}
