package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
)

// maxFreshWait bounds how long a read is held back until it is fresh enough.
const maxFreshWait = 25 * time.Second

// freshen holds a read back until this node knows what the caller knows
// (?min_size=, a ledger_size seen before) or what anybody knows (?read=leader).
// Without either, reads are monotone on this node and may be behind others.
func (a *API) freshen(r *http.Request) error {
	q := &query{values: r.URL.Query()} // the handler judges the other names
	size, given := q.number("min_size")
	leader := q.oneOf("read", "leader") == "leader"
	if q.err != nil || !given && !leader {
		return q.err
	}
	ctx, cancel := a.catchingUp(r)
	defer cancel()
	if leader {
		if err := a.Linearize(ctx); err != nil {
			return behind(err)
		}
		size = max(size, a.Ledger.Head().Size)
	}
	if err := a.Ledger.WaitSize(ctx, size); err != nil {
		return behind(err)
	}
	if strings.HasPrefix(r.URL.Path, "/v1/ledger/") {
		return nil
	}
	return behind(a.waitFollowed(ctx, size))
}

// catchingUp bounds how long a read waits for this node.
func (a *API) catchingUp(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := a.waiting(r)
	ctx, stop := context.WithTimeout(ctx, maxFreshWait)
	return ctx, func() { stop(); cancel() }
}

// waitFollowed returns when the casebook has read size leaves.
func (a *API) waitFollowed(ctx context.Context, size uint64) error {
	for {
		seen := a.Casebook.Position()
		if a.Casebook.Followed() >= size {
			return nil
		}
		if err := a.Casebook.WaitFor(ctx, seen+1); err != nil {
			return err
		}
	}
}

func behind(err error) error {
	if err == nil {
		return nil
	}
	return &exchange.Error{Kind: exchange.KindUnavailable, Code: "BEHIND", Cause: err,
		Text: schemas.Text{ZH: "本节点尚未追上所要求的账本位置", EN: "this node has not caught up with the ledger that was asked for"},
		Hint: schemas.Text{ZH: "请稍后重试，或去掉 min_size、read 参数", EN: "try again later, or without min_size and read"}}
}
