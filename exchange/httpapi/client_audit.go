package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Statement reads what the region stated of a subject; nil while its next
// anchor has to be waited for.
func (c *Client) Statement(ctx context.Context, uscc string) ([]byte, error) {
	answer, err := c.do(ctx, call{method: http.MethodPost, path: path("subjects", uscc, "statement")})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusAccepted {
		return nil, nil
	}
	return readFile(answer.Body)
}

// readFile reads a file whose bytes must not change.
func readFile(body io.Reader) ([]byte, error) {
	file, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w: file cut off: %w", ErrUnreachable, err)
	}
	return file, nil
}

// Batches lists whole batches from the one with a leaf on.
func (c *Client) Batches(ctx context.Context, from uint64) (Page[LedgerBatch], error) {
	q := url.Values{"from": {number(from)}}
	return get[Page[LedgerBatch]](ctx, c, call{method: http.MethodGet, path: path("ledger", "batches"), query: q})
}

// GovernanceBatches is Batches with only those that changed the directory.
func (c *Client) GovernanceBatches(ctx context.Context, from uint64) (Page[LedgerBatch], error) {
	q := url.Values{"from": {number(from)}, "class": {auditGovernance}}
	return get[Page[LedgerBatch]](ctx, c, call{method: http.MethodGet, path: path("ledger", "batches"), query: q})
}

// Checkpoints lists the kept witnessed checkpoints from the first that covers a
// leaf on.
func (c *Client) Checkpoints(ctx context.Context, from uint64) (Page[KeptCheckpoint], error) {
	q := list("", maxCheckpoints)
	q.Set("from", number(from))
	return get[Page[KeptCheckpoint]](ctx, c, call{method: http.MethodGet, path: path("ledger", "checkpoints"), query: q})
}
