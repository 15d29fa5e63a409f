package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xinqiao/creditgw/peers"
)

// benchRegions are the founders, as many as there are nodes.
var benchRegions = []peers.Region{"110000", "120000", "130000", "140000", "150000", "210000", "220000"}

// benchCluster is one process per region, started and ended by this one.
type benchCluster struct {
	flags   benchFlags
	dir     string
	genesis peers.Genesis
	nodes   []*benchNode
}

// benchNode is one region's process.
type benchNode struct {
	region peers.Region
	dir    string
	cmd    *exec.Cmd
	alive  io.Closer // the process ends when this is closed
	log    *os.File
	up     benchUp
	before time.Duration // CPU used when loading began
}

// benchUp is the line that a server prints when it can be loaded.
type benchUp struct {
	Items    string `json:"items"`              // address of the item listener
	URL      string `json:"url,omitempty"`      // of the HTTP API; door only
	Operator string `json:"operator,omitempty"` // tokens of the HTTP API
	App      string `json:"app,omitempty"`
	Agency   string `json:"agency,omitempty"`
}

// foundBench makes keys, genesis and directories.
func foundBench(dir string, f benchFlags) (*benchCluster, error) {
	c := &benchCluster{flags: f, dir: dir}
	keys := make([]*Keys, f.nodes)
	members := make([]peers.Member, f.nodes)
	for i, region := range benchRegions[:f.nodes] {
		n := &benchNode{region: region, dir: filepath.Join(dir, string(region))}
		if err := os.MkdirAll(n.dir, 0o700); err != nil {
			return nil, err
		}
		addr, err := freeUDP()
		if err != nil {
			return nil, err
		}
		pass := passphrases{Keys: []byte(rand.Text()), Recovery: []byte(rand.Text())}
		keys[i], members[i], err = createKeys(n.dir, founderInfo{Region: region, Name: "bench " + string(region), Addr: addr}, rand.Reader, pass)
		if err != nil {
			return nil, err
		}
		if err := createFile(filepath.Join(n.dir, benchPassphrase), append(pass.Keys, '\n'), 0o600); err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	var err error
	if c.genesis, err = peers.Join(members); err != nil {
		return nil, err
	}
	for i, n := range c.nodes {
		if c.genesis, err = c.genesis.Sign(n.region, keys[i].Batch); err != nil {
			return nil, err
		}
	}
	for _, n := range c.nodes {
		if err := writeGenesis(filepath.Join(n.dir, genesisName), c.genesis); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// freeUDP names a free port: the genesis holds the addresses before anyone
// listens. Another program may take it in between; then the server says so.
func freeUDP() (string, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return conn.LocalAddr().String(), conn.Close()
}

// start starts all servers and returns when they can be loaded.
func (c *benchCluster) start(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range c.nodes {
		g.Go(func() error {
			if err := n.start(ctx, c.flags); err != nil {
				return fmt.Errorf("region %s: %w", n.region, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (n *benchNode) start(ctx context.Context, f benchFlags) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{benchServerName, "--dir", n.dir, "--profile", f.profile}
	if !f.witness {
		args = append(args, "--witness=false")
	}
	if f.pprof != "" {
		args = append(args, "--pprof", filepath.Join(f.pprof, string(n.region)+".pprof"))
	}
	if n.log, err = os.OpenFile(n.dir+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	n.cmd = exec.Command(self, args...)
	n.cmd.Stderr = n.log
	if n.alive, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	line := make(chan error, 1)
	go func() {
		raw, err := bufio.NewReader(io.LimitReader(out, 4096)).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(raw, &n.up)
		}
		line <- err
	}()
	select {
	case err := <-line:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop ends the process as an operator would and waits for it.
func (n *benchNode) stop() error {
	if n.cmd == nil || n.cmd.Process == nil {
		return nil
	}
	err := n.alive.Close()
	limit := time.AfterFunc(30*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer limit.Stop()
	err = errors.Join(err, n.cmd.Wait(), n.log.Close())
	n.cmd = nil
	return err
}

// Close ends all servers.
func (c *benchCluster) Close() error {
	var g errgroup.Group
	for _, n := range c.nodes {
		g.Go(n.stop)
	}
	return g.Wait()
}

// restart ends all servers, starts them on what they have, and returns how many
// milliseconds it took until all of them had the whole ledger again.
func (c *benchCluster) restart(ctx context.Context, size uint64) (int64, error) {
	if err := c.Close(); err != nil {
		return 0, err
	}
	from := time.Now()
	starting, cancel := context.WithTimeout(ctx, benchStart)
	defer cancel()
	if err := c.start(starting); err != nil {
		return 0, err
	}
	for _, n := range c.nodes {
		if _, err := n.state(starting, size); err != nil {
			return 0, err
		}
	}
	return time.Since(from).Milliseconds(), nil
}

// readCPU remembers what starting has taken.
func (c *benchCluster) readCPU(ctx context.Context) error {
	for _, n := range c.nodes {
		s, err := n.state(ctx, 0)
		if err != nil {
			return err
		}
		n.before = s.CPU
	}
	return nil
}

// inspect compares the ledgers of all nodes and reads what they use.
func (c *benchCluster) inspect(ctx context.Context, r *benchReport) error {
	ctx, cancel := context.WithTimeout(ctx, benchStart)
	defer cancel()
	for _, n := range c.nodes {
		s, err := n.state(ctx, 0)
		if err != nil {
			return err
		}
		r.LedgerSize = max(r.LedgerSize, s.Size)
	}
	for _, n := range c.nodes {
		s, err := n.state(ctx, r.LedgerSize)
		if err != nil {
			return err
		}
		if r.Root == "" {
			r.Root = s.Root
		}
		if s.Size != r.LedgerSize || s.Root != r.Root {
			return fmt.Errorf("the ledger of region %s has size %d and root %s, another %d and %s", n.region, s.Size, s.Root, r.LedgerSize, r.Root)
		}
		disk, err := diskUsage(n.dir)
		if err != nil {
			return err
		}
		r.Batches, r.RaftEntries = s.Batches, s.RaftIndex
		r.DiskBytes = max(r.DiskBytes, disk)
		r.RSSAnonBytes = max(r.RSSAnonBytes, s.RSSAnon)
		r.ServerCPUMS += (s.CPU - n.before).Milliseconds()
	}
	return nil
}

// diskUsage is the length of all files below dir; files may come and go.
func diskUsage(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				total += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return total, err
}
