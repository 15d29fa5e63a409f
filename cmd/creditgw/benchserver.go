package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/crypto/envelope"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/outbox"
)

const (
	benchServerName = "bench-server"
	benchPassphrase = "passphrase"
)

// benchServer is one node of a benchmark, as its process sees it.
type benchServer struct {
	*node
	gate benchGate
}

// benchServerCommand is what bench runs in its child processes. It ends when
// its standard input does.
func (p *program) benchServerCommand() *cobra.Command {
	var dir, profile, samples string
	var witnessed bool
	cmd := &cobra.Command{
		Use: benchServerName, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.benchServe(cmd.Context(), dir, profile, samples, witnessed)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", "", "data directory of the node")
	flags.StringVar(&profile, "profile", benchLedger, "ledger or door")
	flags.BoolVar(&witnessed, "witness", true, "mark and cosign")
	flags.StringVar(&samples, "pprof", "", "file of the CPU profile")
	return cmd
}

func (p *program) benchServe(ctx context.Context, dir, profile, samples string, witnessed bool) (err error) {
	tuneCollector()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, p.in)
		stop()
	}()
	if samples != "" {
		if err := os.MkdirAll(filepath.Dir(samples), 0o755); err != nil {
			return err
		}
		f, err := os.Create(samples)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	logger := slog.New(slog.NewJSONHandler(p.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	pass, err := command.ReadPassphraseFile(filepath.Join(dir, benchPassphrase))
	if err != nil {
		return err
	}
	keys, self, err := loadKeys(dir, pass)
	if err != nil {
		return err
	}
	genesis, err := loadGenesis(dir, self)
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", self.Node.Addr)
	if err != nil {
		return err
	}
	cfg := nodeConfig{
		Dir: dir, Genesis: genesis, Self: self, Keys: keys, Conn: conn, Wall: time.Now, Rand: rand.Reader,
		Clock:       func() time.Time { return time.Now().In(exchange.Shanghai) },
		AckInterval: time.Second, Rate: rate.Inf, Logger: logger, Fatal: fatal(logger),
	}
	if !witnessed {
		keys.Witness, cfg.Marking = nil, consensus.Marking{Busy: never, Idle: never}
	}
	if profile == benchDoor {
		return p.benchDoorServer(ctx, cfg)
	}
	return p.benchLedgerServer(ctx, cfg)
}

// never is longer than any run.
const never = 365 * 24 * time.Hour

// benchLedgerServer opens of the node what a batch passes on its way to the
// ledger, and the gate in front of it.
func (p *program) benchLedgerServer(ctx context.Context, cfg nodeConfig) (err error) {
	n := &node{cfg: cfg, started: cfg.Wall(), keys: newKeyring(cfg), metrics: prometheus.NewRegistry(), closers: []func() error{ignoreClosed(cfg.Conn.Close)}}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := n.lock(); err != nil {
		return err
	}
	if err := n.openShared(); err != nil {
		return err
	}
	s := &benchServer{node: n}
	if err := n.linearize(ctx); err != nil {
		return ended(ctx, err)
	}
	s.gate = benchGate{
		cutter: outbox.Cutter{Ledger: cfg.Genesis.LedgerID(), Region: cfg.Self.Region, Keys: n.batchKeys, Secrets: envelope.NewSecrets(cfg.Rand)},
		ledger: n.store, proposer: proposer{n.consensus}, in: make(chan benchItem, exchange.MaxBatchItems),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.witness.Run(ctx) })
	g.Go(func() error { return s.gate.run(ctx) })
	g.Go(func() error {
		return s.listen(ctx, func(items string) error { return json.NewEncoder(p.Out).Encode(benchUp{Items: items}) })
	})
	return ended(ctx, g.Wait())
}

// ended is nil for an error that only says that the server was told to end.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// listen takes items and questions until ctx ends.
func (s *benchServer) listen(ctx context.Context, up func(addr string) error) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	if err := up(listener.Addr().String()); err != nil {
		return err
	}
	for {
		c, err := listener.Accept()
		if err != nil {
			return errors.Join(ctx.Err(), ignoreClosed(func() error { return err })())
		}
		go s.serveItems(ctx, c)
	}
}

// serveItems answers one connection, on which many requests may be under way.
func (s *benchServer) serveItems(ctx context.Context, c net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	out := make(chan benchFrame, 1024)
	go func() {
		_ = copyFrames(c, out, ctx.Done()) // a client that is gone asks nothing
		cancel()
	}()
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		f, err := readFrame(r)
		if err != nil {
			cancel()
			return
		}
		answer := func(payload []byte, err error) {
			reply := benchFrame{id: f.id, op: opDone, payload: payload}
			if err != nil {
				reply.op, reply.payload = opError, []byte(err.Error())
			}
			select {
			case out <- reply:
			case <-ctx.Done():
			}
		}
		switch f.op {
		case opState:
			go func() { answer(s.answerState(ctx, f.payload)) }()
			continue
		case opSeen:
			go func() { answer(nil, s.witness.Wait(ctx, s.store.Head().Size)) }()
			continue
		}
		entry, err := parseItem(f.payload)
		if err != nil || f.op != opItem || s.gate.in == nil {
			answer(nil, errors.Join(err, errors.New("not an item that is taken here")))
			continue
		}
		select {
		case s.gate.in <- benchItem{entry: entry, answer: func(err error) { answer(nil, err) }}:
		case <-ctx.Done():
			return
		}
	}
}

// benchState is what a server tells of itself.
type benchState struct {
	Size      uint64        `json:"size"`
	Root      string        `json:"root"`
	Batches   uint64        `json:"batches"`
	RaftIndex uint64        `json:"raft_index"`
	RSSAnon   int64         `json:"rss_anon"` // bytes
	CPU       time.Duration `json:"cpu"`
}

func (s *benchServer) answerState(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) != 8 {
		return nil, errors.New("size of a wrong length")
	}
	if err := s.store.WaitSize(ctx, binary.BigEndian.Uint64(payload)); err != nil {
		return nil, err
	}
	head := s.store.Head()
	state := benchState{Size: head.Size, Root: head.Root.String(), Batches: s.store.Stats().Batches, RaftIndex: head.RaftIndex}
	var err error
	if state.CPU, err = cpuUsed(); err != nil {
		return nil, err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(status) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(string(line), "RssAnon: %d kB", &kilobytes); n == 1 {
			state.RSSAnon = kilobytes << 10
		}
	}
	return json.Marshal(state)
}

// cpuUsed is the CPU time of this process.
func cpuUsed() (time.Duration, error) {
	var used syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
}
