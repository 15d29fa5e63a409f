package store

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/xinqiao/creditgw/exchange"
)

// refusals logs batches that were not taken, so that an operator sees who sent
// what. No code is logged more often than the first three times and then once a
// second: a hostile region must not fill disks.
type refusals struct {
	logger *slog.Logger
	said   map[exchange.Code]*rate.Sometimes
}

// codeReplayed stands for batches that were accepted before. After a change of
// leader they are ordinary.
const codeReplayed exchange.Code = "REPLAYED"

func newRefusals(logger *slog.Logger) *refusals {
	return &refusals{logger: logger, said: map[exchange.Code]*rate.Sometimes{}}
}

// note is called by Apply alone, one result after the other.
func (r *refusals) note(index uint64, result *exchange.BatchResult) {
	level, code, detail := slog.LevelWarn, codeReplayed, ""
	switch {
	case result.Rejection != nil:
		code, detail = result.Rejection.Code, result.Rejection.Detail
	case result.Replayed:
		level = slog.LevelInfo
	default:
		return
	}
	sometimes := r.said[code]
	if sometimes == nil {
		sometimes = &rate.Sometimes{First: 3, Interval: time.Second}
		r.said[code] = sometimes
	}
	sometimes.Do(func() {
		r.logger.Log(context.Background(), level, "batch not taken", "code", string(code),
			"origin", string(result.Origin), "seq", result.Seq, "detail", detail, "raft_index", index)
	})
}
