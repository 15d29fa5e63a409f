package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// checkpoint is the ledger at its present size, or at an earlier one, and what
// the regions have witnessed of it. As text it is the witnessed checkpoint
// alone, for whoever verifies it.
func (a *API) checkpoint(w http.ResponseWriter, r *http.Request, _ exchange.Principal) error {
	q := parameters(r, "size", "format")
	head := a.Ledger.Head()
	size := q.size("size", head.Size, head.Size)
	_, given := q.number("size")
	format := q.oneOf("format", "json", "text")
	if q.err != nil {
		return q.err
	}
	witnessed, err := a.covering(size, given)
	if err != nil {
		return err
	}
	if format == "text" {
		if witnessed.Size == 0 {
			return errUnwitnessed
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, err := w.Write(witnessed.Marshal())
		return err
	}
	root, err := a.Ledger.RootAt(size)
	if err != nil {
		return err
	}
	out := Checkpoint{Ledger: a.Ledger.Directory().Ledger(), Size: size, Root: root, LedgerSize: head.Size}
	if witnessed.Size > 0 {
		out.Witnessed = shownCheckpoint(witnessed)
	}
	return reply(w, http.StatusOK, out)
}

var errUnwitnessed = exchange.Fail(exchange.KindNotFound, "NOT_WITNESSED", "尚无见证到该长度的检查点，请稍后再取", "no witnessed checkpoint covers this size yet; come again later")

// covering is the newest witnessed checkpoint, or the earliest kept one of at
// least a given size; size 0 if there is none.
func (a *API) covering(size uint64, given bool) (peers.Checkpoint, error) {
	if !given || size == 0 {
		latest, _ := a.Checkpoints.Latest()
		return latest, nil
	}
	_, covering, err := a.Checkpoints.Around(size - 1)
	if errors.Is(err, exchange.ErrNotFound) {
		return peers.Checkpoint{}, nil
	}
	return covering, err
}

func shownCheckpoint(c peers.Checkpoint) *Witnessed {
	out := &Witnessed{
		Regions: []peers.Region{},
		Size:    c.Size, Root: c.Root, Directory: c.Directory, At: exchange.Moment(c.Time()),
		Text: string(c.Marshal()),
	}
	for _, l := range c.Cosignatures {
		if !slices.Contains(out.Regions, l.Region) {
			out.Regions = append(out.Regions, l.Region)
		}
	}
	return out
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
			Origin: e.Header.Origin, To: listed(e.Header.Recipients), IssuedAt: exchange.Moment(e.Header.IssuedAt),
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
		t.first = e.Batch.First
		t.leaves = ledger.LeafHashes(len(whole), func(i int) []byte { return whole[i].RawHeader })
	}
	return ledger.InclusionOf(t.leaves, uint64(e.Item()))
}
