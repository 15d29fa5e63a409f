package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// checkpoint is the ledger at its present size, or at an earlier one.
func (a *API) checkpoint(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "size")
	head := a.Ledger.Head()
	size := q.size("size", head.Size, head.Size)
	if q.err != nil {
		return q.err
	}
	root, err := a.Ledger.RootAt(size)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, Checkpoint{Ledger: a.Ledger.Directory().Ledger(), Size: size, Root: root, LedgerSize: head.Size})
}

// size reads a ledger size that must not be beyond max.
func (q *query) size(name string, absent, max uint64) uint64 {
	n, given := q.number(name)
	if !given {
		return absent
	}
	if n > max {
		q.fail(name, "不超过 ledger_size 的整数", "a size of at most ledger_size")
		return absent
	}
	return n
}

// required reads a number that must be given.
func (q *query) required(name string) uint64 {
	n, given := q.number(name)
	if !given {
		q.fail(name, "必填的整数", "given as an integer")
	}
	return n
}

func (a *API) inclusion(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "index", "size")
	head := a.Ledger.Head()
	index, size := q.required("index"), q.size("size", head.Size, head.Size)
	if q.err == nil && index >= size {
		q.fail("index", "小于 size 的整数", "below size")
	}
	if q.err != nil {
		return q.err
	}
	path, err := a.Ledger.Inclusion(index, size)
	if err != nil {
		return err
	}
	root, err := a.Ledger.RootAt(size)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, InclusionProof{Index: index, Size: size, Root: root, Path: listed(path), LedgerSize: head.Size})
}

func (a *API) consistency(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "from", "to")
	head := a.Ledger.Head()
	from, to := q.required("from"), q.size("to", head.Size, head.Size)
	if q.err == nil && from > to {
		q.fail("from", "不大于 to 的整数", "at most to")
	}
	if q.err != nil {
		return q.err
	}
	out := ConsistencyProof{From: from, To: to, LedgerSize: head.Size}
	path, err := a.Ledger.Consistency(from, to)
	if err != nil {
		return err
	}
	out.Path = listed(path)
	if out.FromRoot, err = a.Ledger.RootAt(from); err != nil {
		return err
	}
	if out.ToRoot, err = a.Ledger.RootAt(to); err != nil {
		return err
	}
	return reply(w, http.StatusOK, out)
}

// maxEntries bounds a page of entries: each carries its batch's preamble,
// signature and a path.
const maxEntries = 256

// entries lists leaves with what proves their region's signature. Bodies are
// not part of it.
func (a *API) entries(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "from", "limit")
	from, given := q.number("from")
	if !given {
		from = 0
	}
	limit := min(q.limit(), maxEntries)
	if q.err != nil {
		return q.err
	}
	head := a.Ledger.Head()
	found, err := a.Ledger.Entries(from, limit)
	if err != nil {
		return err
	}
	out := Page[LedgerEntry]{Items: make([]LedgerEntry, 0, len(found)), LedgerSize: head.Size}
	var batch batchTree
	for i := range found {
		e := &found[i]
		path, err := batch.inclusion(a.Ledger, e)
		if err != nil {
			return err
		}
		out.Items = append(out.Items, LedgerEntry{
			Index: e.Index, Header: e.RawHeader, ID: e.Header.ID, Class: e.Header.Class, Kind: e.Header.Kind,
			Origin: e.Header.Origin, To: listed(e.Header.Recipients), IssuedAt: time.Unix(e.Header.IssuedAt, 0).In(exchange.Shanghai),
			Preamble: e.Batch.RawPreamble, Signature: e.Batch.Signature, Seq: e.Batch.Preamble.Seq, Item: e.Item(), Path: listed(path),
		})
	}
	if n := len(found); n > 0 && found[n-1].Index+1 < head.Size {
		out.Next = strconv.FormatUint(found[n-1].Index+1, 10)
	}
	return reply(w, http.StatusOK, out)
}

// batchTree holds the leaves of the batch that was asked for last; a page's
// entries come batch by batch.
type batchTree struct {
	first  uint64
	leaves []sm.Digest
}

func (t *batchTree) inclusion(l Ledger, e *exchange.Entry) ([]sm.Digest, error) {
	if t.leaves == nil || t.first != e.Batch.First {
		whole, err := l.Entries(e.Batch.First, e.Batch.Preamble.N)
		if err != nil {
			return nil, err
		}
		t.first, t.leaves = e.Batch.First, make([]sm.Digest, len(whole))
		for i := range whole {
			t.leaves[i] = ledger.LeafHash(whole[i].RawHeader)
		}
	}
	return ledger.InclusionOf(t.leaves, uint64(e.Item()))
}
