package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/crypto/selftest"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

func (p *program) serveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: p.Say(text{"运行一个节点", "run a node"}),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context(), file) },
	}
	cmd.Flags().StringVar(&file, "config", "", p.Say(text{"配置文件", "configuration file"}))
	_ = cmd.MarkFlagRequired("config")
	return cmd
}

// lanTimers are the zero value; a WAN's round trips of some 20 ms take longer
// elections and a calmer leader.
var wanTimers = consensus.Timers{
	Heartbeat: 3 * time.Second, Election: 3 * time.Second, Lease: 1500 * time.Millisecond,
}

const wanInFlight = 8

func (p *program) serve(ctx context.Context, file string) error {
	tuneCollector()
	c, err := loadConfig(file)
	if err != nil {
		return err
	}
	level, err := c.level()
	if err != nil {
		return usageError(err)
	}
	logger := slog.New(slog.NewJSONHandler(p.Err, &slog.HandlerOptions{Level: level}))
	if _, err := selftest.Run(); err != nil {
		return &message{Text: text{"密码自检未通过，节点不启动", "the self-test failed, the node does not start"}, Cause: err}
	}
	pass, err := p.passphrase(keyPassphrase(c.PassphraseFile))
	if err != nil {
		return err
	}
	keys, self, err := loadKeys(c.Dir, pass)
	if err != nil {
		return err
	}
	genesis, err := loadGenesis(c.Dir, self)
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", c.Listen)
	if err != nil {
		return &message{Text: text{"占用不了 QUIC 地址", "cannot take the QUIC address"}, Cause: err,
			Hint: text{"配置键 listen：须是本机的地址，UDP 端口空闲", "key listen: an address of this host, with a free UDP port"}}
	}
	listener, err := net.Listen("tcp", c.HTTP.Listen)
	if err != nil {
		return errors.Join(&message{Text: text{"占用不了 HTTP 地址", "cannot take the HTTP address"}, Cause: err,
			Hint: text{"配置键 http.listen：须是本机的地址，TCP 端口空闲", "key http.listen: an address of this host, with a free TCP port"}}, conn.Close())
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && c.HTTP.CertFile == "" {
		logger.Warn("tokens come here in clear: give a certificate, or put a TLS gateway in front", "http", at.String())
	}
	cfg := nodeConfig{
		Dir: c.Dir, Genesis: genesis, Self: self, Keys: keys, Passphrase: pass, Conn: conn, Wall: time.Now, Rand: rand.Reader,
		Clock:      func() time.Time { return time.Now().In(exchange.Shanghai) },
		EraseRound: c.Erasure.Round, Backups: time.Duration(c.Erasure.BackupDays) * 24 * time.Hour,
		AckInterval: time.Second, ShadowShare: c.Trust.ShadowVerify, Logger: logger, Fatal: fatal(logger),
	}
	if c.Network == "wan" {
		cfg.Timers, cfg.InFlight = wanTimers, wanInFlight
	}
	return p.runNode(ctx, cfg, listener, c.HTTP.CertFile, c.HTTP.KeyFile)
}

func (p *program) runNode(ctx context.Context, cfg nodeConfig, listener net.Listener, certFile, keyFile string) error {
	defer listener.Close()
	n, err := openNode(cfg)
	if err != nil {
		return &message{Text: text{"节点不启动", "the node does not start"}, Cause: err}
	}
	go watchdog(ctx)
	runErr := n.run(ctx, listener, certFile, keyFile, func() {
		cfg.Logger.Info("serving", "node", cfg.Self.Node.ID, "http", listener.Addr().String(), "quic", cfg.Conn.LocalAddr().String())
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // no systemd is no fault
	})
	return errors.Join(runErr, n.Close())
}

// watchdog tells systemd, if it asks, that the process is scheduled.
func watchdog(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
	}
}

// fatal ends the process at once, without a goodbye that would touch the disk.
func fatal(logger *slog.Logger) func(error) {
	return func(err error) {
		logger.Error("the node ends", "reason", err)
		fmt.Fprintln(os.Stderr, "creditgw: fatal:", err)
		os.Exit(exitInvalid)
	}
}

// loadGenesis reads the genesis and demands that it does not contradict this
// node's own directory. A node that is not in it waits to be let in.
func loadGenesis(dir string, self peers.Member) (*peers.Genesis, error) {
	path := filepath.Join(dir, genesisName)
	g, err := readGenesis(path)
	if err != nil {
		return nil, &message{
			Text: text{"读不到创世文件 " + path, "cannot read the genesis " + path}, Cause: err,
			Hint: text{"由 creditgw genesis join 合并，各方依次 sign 后放到该处", "made by creditgw genesis join, signed by every founder in turn"},
		}
	}
	if err := g.Verify(); err != nil {
		return nil, &message{Text: text{"创世文件无效 " + path, "the genesis is not valid: " + path}, Cause: err}
	}
	if err := checkFounder(&g, self); err != nil {
		return nil, err
	}
	return &g, nil
}
