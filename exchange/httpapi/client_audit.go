package httpapi

import (
	"context"
	"net/http"
	"net/url"
)

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
