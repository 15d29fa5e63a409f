package store

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// A candidate is a batch that waits for its verdict, and what was computed of
// it. All of that is a function of its bytes and of the key that it names, so
// candidates of one Raft entry are prepared side by side.
type candidate struct {
	raw     []byte
	stored  bool // from a snapshot: bodies may be erased
	batch   exchange.Batch
	headers []exchange.Header
	leaves  []sm.Digest
	digest  sm.Digest // SM3 of the preamble
	wraps   envelope.Wraps
	erased  bitmap

	malformed *exchange.Rejection

	key      *sm.BatchPublic // with which it was prepared; nil: not yet
	signed   bool
	contents *exchange.Rejection // BAD_ROOT, BAD_WRAPS or BAD_BODY
}

// parse reads a candidate. It hashes nothing yet but the preamble.
func parse(raw []byte, stored bool) *candidate {
	c := &candidate{raw: raw, stored: stored}
	read := exchange.ParseBatch
	if stored {
		read = exchange.ParseStoredBatch
	}
	var err error
	if c.batch, err = read(raw); err != nil {
		c.malformed = malformed(err, -1)
		return c
	}
	c.digest = sm.Sum(c.batch.RawPreamble)
	c.headers = make([]exchange.Header, len(c.batch.Items))
	for i, item := range c.batch.Items {
		if c.headers[i], err = exchange.ParseHeader(item.Header); err != nil {
			c.malformed = malformed(err, i)
			return c
		}
		if item.Body == nil {
			c.erased = c.erased.with(i, len(c.batch.Items))
		}
	}
	return c
}

func malformed(err error, item int) *exchange.Rejection {
	r := exchange.Malformed("%v", err)
	r.Item = item
	return r
}

// verified is Config.Verified.
type verified func(ok bool, key *sm.BatchPublic, preamble, signature []byte)

// prepare does the costly part once: the signature and every digest that the
// preamble or a header names.
func (c *candidate) prepare(key *sm.BatchPublic, observe verified) {
	if c.key == key {
		return
	}
	c.key = key
	p := &c.batch.Preamble
	c.signed = key.Verify(sm.LabelBatch, p.Ledger, c.batch.RawPreamble, c.batch.Signature) == nil
	if observe != nil {
		observe(c.signed, key, c.batch.RawPreamble, c.batch.Signature)
	}
	if c.signed && c.leaves == nil {
		c.contents = c.checkContents()
	}
}

// checkContents makes the leaf hashes and compares every digest.
func (c *candidate) checkContents() *exchange.Rejection {
	c.leaves = ledger.LeafHashes(len(c.batch.Items), func(i int) []byte { return c.batch.Items[i].Header })
	if ledger.RootOf(c.leaves) != c.batch.Preamble.Root {
		return refuse(exchange.CodeBadRoot, -1, "the root is not that of the headers")
	}
	if r := c.checkWraps(); r != nil {
		return r
	}
	bodies := make([]sm.Digest, len(c.batch.Items))
	sm.SumEach(bodies, func(b []byte, i int) []byte { return append(b, c.batch.Items[i].Body...) })
	for i, item := range c.batch.Items {
		gone := item.Body == nil
		if gone && c.headers[i].Class == exchange.ClassGovernance {
			return refuse(exchange.CodeBadBody, i, "a governance body is never erased")
		}
		if !gone && bodies[i] != c.headers[i].BodyDigest {
			return refuse(exchange.CodeBadBody, i, "the body is not the one that the header names")
		}
	}
	return nil
}

func (c *candidate) checkWraps() *exchange.Rejection {
	want := c.batch.Preamble.WrapsDigest
	if len(c.batch.Wraps) == 0 {
		if !want.IsZero() {
			return refuse(exchange.CodeBadWraps, -1, "the wraps are missing")
		}
		return nil
	}
	var err error
	if c.wraps, err = envelope.ParseWraps(c.batch.Wraps); err != nil {
		return refuse(exchange.CodeBadWraps, -1, "the wraps are malformed")
	}
	if c.wraps.Len() != len(c.batch.Items) || c.wraps.Digest() != want {
		return refuse(exchange.CodeBadWraps, -1, "the wraps are not those that the preamble names")
	}
	// The digest survives erasure, so a leader could erase on the way.
	for i := range c.batch.Items {
		if c.wraps.Erased(i) != c.erased.has(i) {
			return refuse(exchange.CodeBadWraps, i, "the keys of one item are erased")
		}
	}
	return nil
}

// checkHeaders compares headers with the preamble, the directory and the
// wraps.
func (c *candidate) checkHeaders(directory *peers.Directory) *exchange.Rejection {
	readers := make([]string, 0, peers.MaxMembers)
	sealed := false
	for i := range c.headers {
		h := &c.headers[i]
		if h.Origin != c.batch.Preamble.Origin {
			return refuse(exchange.CodeBadHeader, i, "the origin is not the batch's")
		}
		readers = readers[:0]
		if h.Class != exchange.ClassGovernance {
			if len(h.Recipients) == 0 {
				return refuse(exchange.CodeBadHeader, i, "a home record has no place on the shared ledger")
			}
			sealed = true
			readers = append(readers, string(h.Origin))
		}
		for _, r := range h.Recipients {
			if !directory.Exchanges(r) {
				return refuse(exchange.CodeBadHeader, i, "a recipient is not a member that receives")
			}
			readers = append(readers, string(r))
		}
		if !c.covers(i, readers) {
			return refuse(exchange.CodeBadHeader, i, "the wraps do not cover exactly the recipients and the origin")
		}
	}
	if !sealed && len(c.batch.Wraps) > 0 {
		return refuse(exchange.CodeBadHeader, 0, "wraps of clear bodies only")
	}
	return nil
}

func (c *candidate) covers(item int, readers []string) bool {
	if len(c.batch.Wraps) == 0 {
		return len(readers) == 0
	}
	return c.wraps.Covers(item, readers)
}

func refuse(code exchange.Code, item int, format string, args ...any) *exchange.Rejection {
	return &exchange.Rejection{Code: code, Item: item, Detail: fmt.Sprintf(format, args...)}
}

// each calls f for 0 to n-1, a few calls at a time, and returns when all have
// returned. Their order must not matter.
func each(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var group sync.WaitGroup
	var next atomic.Int64
	for range workers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	group.Wait()
}
