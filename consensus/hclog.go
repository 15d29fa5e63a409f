package consensus

import (
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// A raftLogger passes Raft's log lines to slog. What it does not override is
// hclog's null logger: Raft uses none of it.
type raftLogger struct {
	hclog.Logger
	to *slog.Logger
}

func newRaftLogger(to *slog.Logger) hclog.Logger {
	return &raftLogger{Logger: hclog.NewNullLogger(), to: to.With("component", "raft")}
}

// level maps Raft's levels one step down: an unreachable peer is an error to
// Raft, a lost election a warning; to a node with three others neither is.
func level(l hclog.Level) slog.Level {
	switch l {
	case hclog.Error:
		return slog.LevelWarn
	case hclog.Warn:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func (l *raftLogger) Log(at hclog.Level, msg string, args ...any) {
	l.to.Log(context.Background(), level(at), msg, args...)
}

func (l *raftLogger) Trace(string, ...any)          {}
func (l *raftLogger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *raftLogger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *raftLogger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *raftLogger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l *raftLogger) With(args ...any) hclog.Logger {
	return &raftLogger{Logger: l.Logger, to: l.to.With(args...)}
}

func (l *raftLogger) Named(string) hclog.Logger      { return l }
func (l *raftLogger) ResetNamed(string) hclog.Logger { return l }
