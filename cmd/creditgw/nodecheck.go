package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/exchange/journal"
)

// checkDirName is where a check of a running node works: copies of the indexes,
// second names of the files that only grow. It is removed when the check ends.
const checkDirName = "check"

// checkHour is when a node checks itself, in local time: the quietest one.
const checkHour = 2

// checks makes a running node read again everything that it holds. What trusts
// its pages is read by children, as creditgw check does it.
type checks struct {
	node   *node
	wall   func() time.Time
	logger *slog.Logger
	begin  chan struct{} // one token: a check is wanted

	damaged, finished prometheus.Gauge

	mu     sync.Mutex
	latest httpapi.Check
}

func newChecks(n *node) *checks {
	c := &checks{
		node: n, wall: n.cfg.Wall, logger: n.cfg.Logger, begin: make(chan struct{}, 1),
		damaged: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "creditgw_check_damaged", Help: "Damaged places that the last check has found.",
		}),
		finished: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "creditgw_check_finished_timestamp_seconds", Help: "When the last check ended.",
		}),
	}
	n.metrics.MustRegister(c.damaged, c.finished)
	return c
}

// Start begins a check unless one is under way.
func (c *checks) Start() httpapi.Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latest.State != httpapi.CheckRunning {
		c.latest = httpapi.Check{State: httpapi.CheckRunning, Started: c.wall()}
		c.begin <- struct{}{} // there is room: the one before has been taken
	}
	return c.latest
}

func (c *checks) Latest() httpapi.Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.latest
	out.Parts = append([]httpapi.CheckPart(nil), out.Parts...)
	return out
}

// run makes the checks that are asked for, and one every night.
func (c *checks) run(ctx context.Context) error {
	night := time.NewTimer(untilNight(c.wall()))
	defer night.Stop()
	for {
		select {
		case <-c.begin:
			c.check(ctx)
		case <-night.C:
			c.Start()
			night.Reset(untilNight(c.wall()))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func untilNight(now time.Time) time.Duration {
	local := now.In(exchange.Shanghai)
	next := time.Date(local.Year(), local.Month(), local.Day(), checkHour, 0, 0, 0, exchange.Shanghai)
	if !next.After(local) {
		next = next.AddDate(0, 0, 1)
	}
	return next.Sub(local)
}

func (c *checks) check(ctx context.Context) {
	damage := 0
	state, reason := httpapi.CheckSound, ""
	for _, part := range nodeParts {
		found, err := c.part(ctx, part.name)
		if err != nil {
			state, reason = httpapi.CheckFailed, fmt.Sprintf("%s: %v", part.name, err)
			c.logger.Error("a check of this node could not be made", "part", part.name, "error", err)
			continue
		}
		for _, d := range found.Damage {
			c.logger.Error("this node holds something damaged", "alarm", true, "part", part.name, "damage", d)
		}
		damage += len(found.Damage)
		c.mu.Lock()
		c.latest.Parts = append(c.latest.Parts, httpapi.CheckPart{Part: found.Part, Entries: found.Entries, Erased: found.Erased, Damage: found.Damage})
		c.mu.Unlock()
	}
	if damage > 0 {
		state = httpapi.CheckDamaged
	}
	now := c.wall()
	c.damaged.Set(float64(damage))
	c.finished.Set(float64(now.Unix()))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest.State, c.latest.Reason, c.latest.Finished = state, reason, now
}

// part reads one part. Damage is looked at twice: a copy of the ledger reads as
// damaged where something was erased under it.
func (c *checks) part(ctx context.Context, name string) (partCheck, error) {
	switch name {
	case vaultName: // its keys are copied nowhere
		found := partCheck{Part: name}
		r, err := c.node.vault.Check()
		found.Entries, found.Erased = r.Slots, r.Erased
		found.found(err)
		return found, nil
	case raftName:
		found := partCheck{Part: name}
		r, err := c.node.consensus.CheckLog()
		found.Entries = r.Entries
		found.found(err)
		return found, nil
	}
	found, err := c.copied(ctx, name)
	if err == nil && len(found.Damage) > 0 {
		return c.copied(ctx, name)
	}
	return found, err
}

// copied has a child read a copy.
func (c *checks) copied(ctx context.Context, name string) (found partCheck, err error) {
	dir := c.node.path(checkDirName)
	if err := os.RemoveAll(dir); err != nil { // of a check that a crash has ended
		return found, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, file := range []string{genesisName, memberName, tokensName} {
		if err := os.Link(c.node.path(file), filepath.Join(dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
	}
	switch name {
	case ledgerName:
		err = c.node.store.Copy(filepath.Join(dir, name))
	case journalName:
		err = journal.Link(c.node.path(journalName), filepath.Join(dir, name))
	case witnessName:
		err = c.node.witness.Copy(filepath.Join(dir, name))
	case casebookName:
		err = c.node.casebook.Copy(filepath.Join(dir, name))
	}
	if err != nil {
		return found, err
	}
	child := checkChild{dir: dir, part: name, progress: func(int64, int64) {}}
	return child.run(ctx)
}
