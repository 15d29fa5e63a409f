package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// batchPage is one page of batches, or why there is none.
type batchPage struct {
	httpapi.Page[httpapi.LedgerBatch]
	err error
}

// fetchBatches reads one page ahead, so that the network and the arithmetic
// work side by side. The channel ends with the ledger, an error or ctx.
func fetchBatches(ctx context.Context, c *httpapi.Client, from uint64) <-chan batchPage {
	pages := make(chan batchPage, 1)
	go func() {
		defer close(pages)
		for {
			var page batchPage
			page.Page, page.err = c.Batches(ctx, from)
			var more bool
			if page.err == nil {
				from, more, page.err = following(page.Next, from)
			}
			select {
			case pages <- page:
			case <-ctx.Done():
				return
			}
			if page.err != nil || !more {
				return
			}
		}
	}()
	return pages
}

// following reads where the next page begins. A gateway must not lead in
// circles.
func following(next string, from uint64) (uint64, bool, error) {
	if next == "" {
		return from, false, nil
	}
	n, err := strconv.ParseUint(next, 10, 64)
	if err != nil || n <= from {
		return from, false, errors.New("the gateway's pages do not go on")
	}
	return n, true, nil
}

// keptCheckpoints are read page by page as the audit comes to them.
type keptCheckpoints struct {
	client *httpapi.Client
	from   uint64
	read   []peers.Checkpoint
	ended  bool
}

// upTo are the checkpoints up to a size that were not given out yet.
func (k *keptCheckpoints) upTo(ctx context.Context, size uint64) (out []peers.Checkpoint, err error) {
	for {
		if len(k.read) == 0 && !k.ended {
			if err := k.fetch(ctx); err != nil {
				return nil, err
			}
		}
		if len(k.read) == 0 || k.read[0].Size > size {
			return out, nil
		}
		out, k.read = append(out, k.read[0]), k.read[1:]
	}
}

func (k *keptCheckpoints) fetch(ctx context.Context) error {
	page, err := k.client.Checkpoints(ctx, k.from)
	if err != nil {
		return err
	}
	for _, kept := range page.Items {
		c, err := peers.ParseCheckpoint([]byte(kept.Text))
		if err != nil {
			return err
		}
		k.read = append(k.read, c)
	}
	var more bool
	k.from, more, err = following(page.Next, k.from)
	k.ended = !more
	return err
}
