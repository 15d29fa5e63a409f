package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// What bench measures: the way of a sealed record to every ledger, the same
// while one region floods the others, or the way of a file to the reminder.
const (
	benchLedger = "ledger"
	benchFlood  = "flood"
	benchDoor   = "door"
)

type benchFlags struct {
	profile    string
	dir, pprof string
	clients    int
	flood      int // clients that flood; flood only
	nodes      int
	size       int // of a record in bytes, before it is sealed; ledger only
	duration   time.Duration
	every      time.Duration // between two requests of a client; 0: as soon as it is answered
	records    int           // end with this many answers; 0: after duration
	restart    bool
	witness    bool
}

// benchStart is how long the nodes may take to come up.
const benchStart = time.Minute

func (p *program) benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use: "bench ledger|flood|door",
		Short: p.Say(text{"在本机启动各节点进程，经网络加压并报告速率和时延",
			"start a process per node here, load them over the network and report rate and latency"}),
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{benchLedger, benchFlood, benchDoor},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.profile = args[0]
			return p.bench(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.clients, "clients", 256, p.Say(text{"客户端个数，每个一次只有一个请求", "clients, each with one request at a time"}))
	flags.IntVar(&f.flood, "flood", 1000, p.Say(text{"flood：洪泛地区的客户端个数，--clients 分布在其余地区", "flood: clients of the region that floods; --clients are the other regions'"}))
	flags.DurationVar(&f.duration, "duration", 3*time.Second, p.Say(text{"计时长度，此前先预热", "length of the timed part, which follows a warm-up"}))
	flags.DurationVar(&f.every, "every", 0, p.Say(text{"每个客户端按此间隔发请求（默认收到答复即发下一个）", "let each client keep this pace (by default it goes on when it is answered)"}))
	flags.IntVar(&f.records, "records", 0, p.Say(text{"完成这么多请求后结束，不看 --duration", "end with this many requests answered, whatever --duration says"}))
	flags.IntVar(&f.nodes, "nodes", 4, p.Say(text{"节点个数", "nodes"}))
	flags.IntVar(&f.size, "size", 1024, p.Say(text{"ledger：每条记录的字节数", "ledger: bytes of a record"}))
	flags.BoolVar(&f.witness, "witness", true, p.Say(text{"见证；设为 false 可量出见证的代价", "mark and cosign; false shows what that costs"}))
	flags.StringVar(&f.dir, "dir", "", p.Say(text{"数据目录，运行后保留（默认用临时目录）", "data directory, which is kept (by default a temporary one)"}))
	flags.StringVar(&f.pprof, "pprof", "", p.Say(text{"把各节点的 CPU 采样写入此目录", "write the nodes' CPU profiles into this directory"}))
	flags.BoolVar(&f.restart, "restart", false, p.Say(text{"最后重启全部节点并报告用时", "restart all nodes at the end and report how long that takes"}))
	return cmd
}

// benchReport is what --json prints. Latencies and the rate are of requests
// that were answered within the timed part.
type benchReport struct {
	Profile     string  `json:"profile"`
	Nodes       int     `json:"nodes"`
	Clients     int     `json:"clients"`
	Size        int     `json:"size"` // bytes of one record (ledger) or file (door)
	DurationMS  int64   `json:"duration_ms"`
	RecordsPerS float64 `json:"records_per_s"`
	FirstTenth  float64 `json:"first_tenth_per_s"` // of the timed part
	LastTenth   float64 `json:"last_tenth_per_s"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	// Flood is what profile flood adds; the figures above are then those of the
	// other regions' clients while one region floods.
	Flood *benchFlooded `json:"flood,omitempty"`
	// WitnessedP50 and P99 are how long it takes from now until what a node
	// has applied now is witnessed, asked of every node again and again.
	WitnessedP50 float64 `json:"witnessed_p50_ms,omitempty"`
	WitnessedP99 float64 `json:"witnessed_p99_ms,omitempty"`
	LedgerSize   uint64  `json:"ledger_size"` // the same on all nodes, as is the root
	Root         string  `json:"root"`
	Batches      uint64  `json:"batches"`
	RaftEntries  uint64  `json:"raft_entries"`   // those of elections included
	RSSAnonBytes int64   `json:"rss_anon_bytes"` // of the node that has most
	DiskBytes    int64   `json:"disk_bytes"`     // of the node that has most
	RestartMS    int64   `json:"restart_ms,omitempty"`
	ServerCPUMS  int64   `json:"server_cpu_ms"` // of all nodes, warm-up included
	LoadCPUMS    int64   `json:"load_cpu_ms"`   // of the clients, warm-up included
}

func (p *program) bench(ctx context.Context, f benchFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	dir, err := emptyDir(f.dir, "creditgw-bench-")
	if err != nil {
		return err
	}
	if f.dir == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	cluster, err := foundBench(dir, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	starting, cancel := context.WithTimeout(ctx, benchStart)
	defer cancel()
	if err := cluster.start(starting); err != nil {
		return &message{Text: text{"节点没有起来，日志在 " + dir, "the nodes do not come up; their logs are in " + dir}, Cause: err}
	}
	report := benchReport{Profile: f.profile, Nodes: f.nodes, Clients: f.clients, Size: f.size}
	measure := map[string]func(context.Context, *benchReport) ([]benchSample, error){
		benchLedger: cluster.loadLedger, benchFlood: cluster.loadFlood, benchDoor: cluster.loadDoor,
	}[f.profile]
	if err := cluster.readCPU(ctx); err != nil {
		return err
	}
	before, err := cpuUsed()
	if err != nil {
		return err
	}
	witnessed := cluster.sampleWitnessed(ctx)
	samples, err := measure(ctx, &report)
	if err != nil {
		return err
	}
	if report.WitnessedP50, report.WitnessedP99, err = witnessed(); err != nil {
		return err
	}
	if len(samples) == 0 {
		return errors.New("no request was answered within the timed part")
	}
	after, err := cpuUsed()
	if err != nil {
		return err
	}
	report.LoadCPUMS = (after - before).Milliseconds()
	report.summarize(samples, f)
	if err := cluster.inspect(ctx, &report); err != nil {
		return err
	}
	if f.restart {
		if report.RestartMS, err = cluster.restart(ctx, report.LedgerSize); err != nil {
			return err
		}
	}
	return p.reportBench(report)
}

func (f *benchFlags) check() error {
	switch {
	case f.nodes < 2 || f.nodes > len(benchRegions):
		return usageError(&message{Text: text{"--nodes 应为 2 至 7", "--nodes takes 2 to 7"}})
	case f.profile == benchDoor && f.nodes > len(demoMembers):
		return usageError(&message{Text: text{"door 的 --nodes 应为 2 至 4", "--nodes of door takes 2 to 4"}})
	case f.profile == benchFlood && (f.flood < 1 || f.flood > 10_000):
		return usageError(&message{Text: text{"--flood 应为 1 至 10000", "--flood takes 1 to 10000"}})
	case f.clients < 1 || f.clients > 10_000:
		return usageError(&message{Text: text{"--clients 应为 1 至 10000", "--clients takes 1 to 10000"}})
	case f.size < 1 || f.size > 32<<10:
		return usageError(&message{Text: text{"--size 应为 1 至 32768", "--size takes 1 to 32768"}})
	case f.profile == benchFlood && f.records > 0:
		return usageError(&message{Text: text{"flood 不用 --records", "flood takes no --records"}})
	case f.records < 0 || f.every < 0:
		return usageError(&message{Text: text{"--records 和 --every 不能为负", "--records and --every take no negative values"}})
	case f.duration < 10*time.Millisecond:
		return usageError(&message{Text: text{"--duration 太短", "--duration is too short"}})
	}
	return nil
}

func (p *program) reportBench(r benchReport) error {
	if p.JSON {
		return p.PrintJSON(r)
	}
	_, err := fmt.Fprintln(p.Out, p.Sayf(text{
		"%s：%d 个节点，%d 个客户端，每条 %d 字节：%.0f 条/秒，p50 %.2f 毫秒，p99 %.2f 毫秒；账本 %d 条，各节点 root 一致",
		"%s: %d nodes, %d clients, %d bytes each: %.0f records/s, p50 %.2f ms, p99 %.2f ms; ledger of %d entries, one root on all nodes",
	}, r.Profile, r.Nodes, r.Clients, r.Size, r.RecordsPerS, r.P50, r.P99, r.LedgerSize))
	if r.Flood == nil || err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Out, p.Sayf(text{
		"洪泛前：%.0f 条/秒，p50 %.2f 毫秒，p99 %.2f 毫秒；洪泛地区 %d 个客户端，%.0f 条/秒；p99 之比 %.2f",
		"before the flood: %.0f records/s, p50 %.2f ms, p99 %.2f ms; the flood: %d clients, %.0f records/s; ratio of p99 %.2f",
	}, r.Flood.QuietPerS, r.Flood.QuietP50, r.Flood.QuietP99, r.Flood.Clients, r.Flood.PerS, r.P99/r.Flood.QuietP99))
	return err
}
