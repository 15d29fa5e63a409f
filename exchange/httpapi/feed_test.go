package httpapi_test

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/xinqiao/creditgw/exchange"
)

func reminder(seq uint64) exchange.Reminder {
	fine := int64(20000)
	return exchange.Reminder{ID: recordID.String() + "-issued", Seq: seq, Op: exchange.OpNew, Record: recordID, Stage: exchange.StageIssued,
		SubjectUSCC: firmUSCC, SubjectName: "某公司", Authority: "某总队", DecisionNo: "津交罚〔2026〕1号", FineFen: &fine, IssuedAt: received}.In("zh")
}

// feed has items 1 to last; its cursor is the last seq seen.
type feed struct {
	mu   sync.Mutex
	last uint64
	more chan struct{}
	err  error
}

func (f *feed) add() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	close(f.more)
	f.more = make(chan struct{})
}

func (f *feed) after(cursor string) (items []exchange.Reminder, more <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var seen uint64
	if cursor != "" {
		if seen, err = strconv.ParseUint(cursor, 10, 64); err != nil {
			return nil, nil, exchange.Fail(exchange.KindGone, "CURSOR_EXPIRED", "游标已失效", "the cursor has expired")
		}
	}
	for n := seen + 1; n <= f.last; n++ {
		items = append(items, reminder(n))
	}
	return items, f.more, f.err
}

func (f *feed) Pull(ctx context.Context, cursor string, limit int, wait time.Duration) (exchange.Page[exchange.Reminder], error) {
	deadline := time.After(wait)
	for {
		items, more, err := f.after(cursor)
		if err != nil || len(items) > 0 {
			items = items[:min(limit, len(items))]
			page := exchange.Page[exchange.Reminder]{Items: items}
			if len(items) > 0 {
				page.Next = strconv.FormatUint(items[len(items)-1].Seq, 10)
			}
			return page, err
		}
		select {
		case <-more:
		case <-deadline:
			return exchange.Page[exchange.Reminder]{Next: cursor}, nil
		case <-ctx.Done():
			return exchange.Page[exchange.Reminder]{}, ctx.Err()
		}
	}
}

func (f *feed) Stream(ctx context.Context, cursor string, send func(exchange.Reminder, string) error) error {
	for {
		items, more, err := f.after(cursor)
		if err != nil {
			return err
		}
		for _, item := range items {
			cursor = strconv.FormatUint(item.Seq, 10)
			if err := send(item, cursor); err != nil {
				return err
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *feed) Latest() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strconv.FormatUint(f.last, 10), f.err
}
