package httpapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/xinqiao/creditgw/exchange"
)

// Limits of a page for auditors: of headers that are looked at, and of
// checkpoints.
const (
	auditEntries    = 8192
	maxCheckpoints  = 256
	auditGovernance = "governance"
)

// batches lists whole batches as they were signed, with the clear bodies in
// them and no sealed ones: what re-deriving the ledger takes.
func (a *API) batches(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "from", "class")
	from, _ := q.number("from")
	only := q.oneOf("class", auditGovernance) != ""
	if q.err != nil {
		return q.err
	}
	head := a.Ledger.Head()
	out := Page[LedgerBatch]{Items: []LedgerBatch{}, LedgerSize: head.Size}
	entries, err := a.Ledger.Entries(from, 1)
	if err != nil || len(entries) == 0 {
		return firstOf(err, func() error { return reply(w, http.StatusOK, out) })
	}
	if entries, err = a.Ledger.Entries(entries[0].Batch.First, auditEntries); err != nil {
		return err
	}
	next := entries[0].Batch.First
	for len(entries) > 0 {
		n := entries[0].Batch.Preamble.N
		if n > len(entries) {
			break // the page ends inside it; it is first on the next
		}
		if b, clear := ledgerBatch(entries[:n]); clear || !only {
			out.Items = append(out.Items, b)
		}
		next, entries = next+uint64(n), entries[n:]
	}
	if next < head.Size {
		out.Next = strconv.FormatUint(next, 10)
	}
	return reply(w, http.StatusOK, out)
}

func firstOf(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// ledgerBatch is a batch of which these are all entries, and whether there are
// clear bodies in it.
func ledgerBatch(entries []exchange.Entry) (b LedgerBatch, clear bool) {
	info := entries[0].Batch
	b = LedgerBatch{First: info.First, Preamble: info.RawPreamble, Signature: info.Signature, Headers: make([][]byte, len(entries))}
	for i := range entries {
		b.Headers[i] = entries[i].RawHeader
		if entries[i].Header.Class == exchange.ClassGovernance {
			b.Clear = append(b.Clear, ClearBody{Item: i, Body: entries[i].Body})
		}
	}
	return b, len(b.Clear) > 0
}

// checkpoints lists the witnessed checkpoints that this node keeps, from the
// first that covers a leaf on.
func (a *API) checkpoints(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "from", "limit")
	from, _ := q.number("from")
	limit := min(q.limit(), maxCheckpoints)
	if q.err != nil {
		return q.err
	}
	out := Page[KeptCheckpoint]{Items: []KeptCheckpoint{}, LedgerSize: a.Ledger.Head().Size}
	for len(out.Items) < limit {
		_, c, err := a.Checkpoints.Around(from)
		if errors.Is(err, exchange.ErrNotFound) {
			return reply(w, http.StatusOK, out)
		}
		if err != nil {
			return err
		}
		out.Items = append(out.Items, KeptCheckpoint{Size: c.Size, Text: string(c.Marshal())})
		from = c.Size
	}
	out.Next = strconv.FormatUint(from, 10)
	return reply(w, http.StatusOK, out)
}
