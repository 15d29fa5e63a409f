package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type demoFlags struct {
	dir, http, samples string
	once               bool
}

func (p *program) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use: "demo",
		Short: p.Say(text{"在本机运行四个地区，把处罚文件送到企业提醒",
			"run four regions on this machine and carry penalty files to the firms' reminders"}),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dir, "dir", "", p.Say(text{"数据目录（默认新建临时目录）", "data directory (by default a new temporary one)"}))
	flags.StringVar(&f.http, "http", "127.0.0.1:8600", p.Say(text{
		"第一个地区的 HTTP 地址，其余地区用随后的三个端口", "HTTP address of the first region; the others take the three ports after it"}))
	flags.StringVar(&f.samples, "samples", "", p.Say(text{"样例目录（含 manifest.json），默认用内置样例",
		"folder of samples with a manifest.json, instead of the built-in ones"}))
	flags.BoolVar(&f.once, "once", false, p.Say(text{"核对完毕即退出", "exit when everything has been checked"}))
	return cmd
}

// demoReport is what --json prints.
type demoReport struct {
	ElapsedMS int64        `json:"elapsed_ms"`
	Leader    string       `json:"leader"`
	Files     []demoFile   `json:"files"`
	Regions   []demoRegion `json:"regions"`
	// Checkpoint is the witnessed one, as text.
	Checkpoint string `json:"checkpoint"`
}

type demoFile struct {
	File        string         `json:"file"`
	Submission  string         `json:"submission"`
	Received    int            `json:"received"`
	Accepted    int            `json:"accepted"`
	Quarantined int            `json:"quarantined"`
	Duplicate   int            `json:"duplicate"`
	ByRule      map[string]int `json:"by_rule"`
}

type demoRegion struct {
	Region     string         `json:"region"`
	LedgerSize uint64         `json:"ledger_size"`
	Root       string         `json:"root"`
	Witnessed  uint64         `json:"witnessed"` // leaves under the newest witnessed checkpoint
	Opened     int            `json:"opened"`
	Reminders  map[string]int `json:"reminders"`
}

func (p *program) demo(ctx context.Context, f demoFlags) (err error) {
	started := p.now()
	samples, err := openSamples(f.samples)
	if err != nil {
		return err
	}
	dir, err := emptyDir(f.dir, "creditgw-demo-")
	if err != nil {
		return err
	}
	if f.dir == "" && f.once {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	logFile, err := os.OpenFile(filepath.Join(dir, "demo.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	logger := slog.New(slog.NewJSONHandler(logFile, &slog.HandlerOptions{Level: slog.LevelInfo}))

	p.narrate(text{"建立四个地区：密钥、创世文件、账本 …", "founding four regions: keys, genesis, ledger …"})
	d, err := p.foundDemo(dir, f.http, logger)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() { failed <- d.run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-failed, d.Close())
	}()
	report, err := p.tell(ctx, d, samples)
	if err != nil {
		return &message{Text: text{"演示没有走通，日志在 " + logFile.Name(), "the demonstration failed; its log is " + logFile.Name()}, Cause: err}
	}
	report.ElapsedMS = p.now().Sub(started).Milliseconds()
	if err := d.writeIndex(); err != nil {
		return err
	}
	if err := p.reportDemo(d, report, f.once); err != nil || f.once {
		return err
	}
	<-ctx.Done()
	return nil
}

// emptyDir is a directory for a new ledger, made if none is named.
func emptyDir(dir, prefix string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", prefix)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(names) > 0 {
		return "", usageError(&message{
			Text: text{dir + " 不是空目录", dir + " is not empty"},
			Hint: text{"每次新建一本账本，请换一个目录", "each run founds a new ledger; choose another directory"},
		})
	}
	return filepath.Abs(dir)
}

// narrate tells people what is going on; programs read only the report.
func (p *program) narrate(t text, args ...any) {
	fmt.Fprintln(p.Err, p.Sayf(t, args...))
}

func (p *program) reportDemo(d *demo, r demoReport, once bool) error {
	if p.JSON {
		return p.PrintJSON(r)
	}
	out := func(t text, args ...any) { fmt.Fprintf(p.Out, p.Say(t)+"\n", args...) }
	out(text{"\n文件", "\nfiles"})
	for _, f := range r.Files {
		out(text{"  %-26s 收到 %4d = 受理 %4d + 退回 %3d + 重复 %2d", "  %-26s received %4d = accepted %4d + quarantined %3d + duplicate %2d"},
			f.File, f.Received, f.Accepted, f.Quarantined, f.Duplicate)
	}
	out(text{"\n地区", "\nregions"})
	for i, region := range r.Regions {
		out(text{"  %s  账本 %d 条  根 %s…  收到外区 %4d 条  提醒 %4d 条  %s", "  %s  ledger %d  root %s…  opened %4d  reminders %4d  %s"},
			region.Region, region.LedgerSize, region.Root[:16], region.Opened, region.Reminders["issued"], d.regions[i].url)
	}
	out(text{"\n见证检查点（每行一个地区的签名）", "\nwitnessed checkpoint, one line for each region's signature"})
	out(text{"%s", "%s"}, strings.TrimSuffix(r.Checkpoint, "\n"))
	out(text{"\n四个节点的账本一致。用时 %v。主节点 %s。", "\nThe four ledgers agree. It took %v. Leader %s."},
		time.Duration(r.ElapsedMS)*time.Millisecond, r.Leader)
	if !once {
		out(text{"令牌和地址见 %s；按 Ctrl-C 结束。", "Tokens and addresses are in %s; Ctrl-C ends it."}, filepath.Join(d.dir, demoIndexName))
	}
	return nil
}
