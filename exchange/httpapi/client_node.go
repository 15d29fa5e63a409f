package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/xinqiao/creditgw/exchange"
)

// Checkpoint reads the ledger's present size and root.
func (c *Client) Checkpoint(ctx context.Context) (Checkpoint, error) {
	return get[Checkpoint](ctx, c, call{method: http.MethodGet, path: path("ledger", "checkpoint")})
}

// CheckpointAt reads the root of an earlier size, waiting until the node has
// as many leaves.
func (c *Client) CheckpointAt(ctx context.Context, size uint64) (Checkpoint, error) {
	q := url.Values{"size": {number(size)}, "min_size": {number(size)}}
	return get[Checkpoint](ctx, c, call{method: http.MethodGet, path: path("ledger", "checkpoint"), query: q})
}

// Inclusion proves a leaf under the root of a size.
func (c *Client) Inclusion(ctx context.Context, index, size uint64) (InclusionProof, error) {
	q := url.Values{"index": {number(index)}, "size": {number(size)}}
	return get[InclusionProof](ctx, c, call{method: http.MethodGet, path: path("ledger", "proof", "inclusion"), query: q})
}

// Consistency proves that the ledger of size to begins with that of from.
func (c *Client) Consistency(ctx context.Context, from, to uint64) (ConsistencyProof, error) {
	q := url.Values{"from": {number(from)}, "to": {number(to)}}
	return get[ConsistencyProof](ctx, c, call{method: http.MethodGet, path: path("ledger", "proof", "consistency"), query: q})
}

// Entries lists leaves from an index on.
func (c *Client) Entries(ctx context.Context, from uint64, limit int) (Page[LedgerEntry], error) {
	q := list("", limit)
	q.Set("from", number(from))
	return get[Page[LedgerEntry]](ctx, c, call{method: http.MethodGet, path: path("ledger", "entries"), query: q})
}

// Status reads the node's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, call{method: http.MethodGet, path: path("status")})
}

// StartCheck has the node read again everything that it holds.
func (c *Client) StartCheck(ctx context.Context) (Check, error) {
	return get[Check](ctx, c, call{method: http.MethodPost, path: path("checks")})
}

// LatestCheck reads how the check under way, or the last one, stands.
func (c *Client) LatestCheck(ctx context.Context) (Check, error) {
	return get[Check](ctx, c, call{method: http.MethodGet, path: path("checks")})
}

// Ready says whether the node is ready, and if not why.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	return get[Readiness](ctx, c, call{method: http.MethodGet, path: "/readyz", also: http.StatusServiceUnavailable})
}

// Stream follows the feed from a cursor and calls visit for each reminder with
// the cursor behind it, until ctx ends, visit fails or the server closes, which
// is io.EOF: call again with the last cursor.
func (c *Client) Stream(ctx context.Context, cursor string, visit func(item exchange.Reminder, cursor string) error) error {
	h := http.Header{"Accept": {"text/event-stream"}}
	if cursor != "" {
		h.Set("Last-Event-ID", cursor)
	}
	answer, err := c.do(ctx, call{method: http.MethodGet, path: path("reminders", "stream"), header: h})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return readEvents(answer.Body, visit)
}

// maxEvent bounds one line of a stream.
const maxEvent = 1 << 20

func readEvents(body io.Reader, visit func(exchange.Reminder, string) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	var id, data string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "" && data != "":
			var item exchange.Reminder
			if err := json.Unmarshal([]byte(data), &item); err != nil {
				return fmt.Errorf("event is not what this client reads: %w", err)
			}
			if err := visit(item, id); err != nil {
				return err
			}
			data = ""
		case name == "id":
			id = value
		case name == "data":
			data += value
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: stream cut off: %w", ErrUnreachable, err)
	}
	return io.EOF
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
