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
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/access"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// demoIndexName says where everything of a running demonstration is.
const demoIndexName = "demo.json"

var demoMembers = []struct {
	region peers.Region
	name   string
}{
	{"110000", "北京市信用中心（演示）"},
	{"120000", "天津市信用中心（演示）"},
	{"130000", "河北省信用中心（演示）"},
	{"140000", "山西省信用中心（演示）"},
}

// demo is four regions in one process: the nodes that serve runs, over real
// sockets and real files. Only the domain clock is set.
type demo struct {
	dir     string
	clock   demoClock
	regions []*demoNode

	// One notice that is followed to its end, nil without any.
	sample  *exchange.EntryID
	origin  *demoNode
	sender  string // name of the submitting token
	home    peers.Region
	subject string // USCC
}

// demoNode is one region of the demonstration.
type demoNode struct {
	*node
	listener net.Listener
	url      string
	tokens   map[string]string // role to token file
	secrets  map[string]string // role to token
	agency   string            // USCC that holds the token agency-entry
	up       chan struct{}
}

// demoClock is a domain clock that goes on from where it was set.
type demoClock struct{ set atomic.Pointer[demoTime] }

type demoTime struct {
	at   time.Time // of the domain
	real time.Time
}

func (c *demoClock) Set(at time.Time) { c.set.Store(&demoTime{at: at, real: time.Now()}) }

func (c *demoClock) Now() time.Time {
	t := c.set.Load()
	return t.at.Add(time.Since(t.real)).In(exchange.Shanghai)
}

// foundDemo makes keys, genesis and directories, and opens the four nodes.
func (p *program) foundDemo(dir, firstHTTP string, logger *slog.Logger) (d *demo, err error) {
	host, port, err := net.SplitHostPort(firstHTTP)
	if err != nil {
		return nil, usageError(&message{Text: text{"--http 应为 HOST:PORT", "--http takes HOST:PORT"}})
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, usageError(err)
	}
	d = &demo{dir: dir}
	d.clock.Set(p.now())
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	configs := make([]nodeConfig, len(demoMembers))
	members := make([]peers.Member, len(demoMembers))
	for i, m := range demoMembers {
		configs[i], err = d.prepare(m.region, m.name, logger)
		if err != nil {
			return d, err
		}
		members[i] = configs[i].Self
	}
	genesis, err := peers.Join(members)
	if err != nil {
		return d, err
	}
	for i := range configs {
		if genesis, err = genesis.Sign(configs[i].Self.Region, configs[i].Keys.Batch); err != nil {
			return d, err
		}
	}
	if err := writeGenesis(filepath.Join(dir, genesisName), genesis); err != nil {
		return d, err
	}
	for i := range configs {
		configs[i].Genesis = &genesis
		if err := writeGenesis(filepath.Join(configs[i].Dir, genesisName), genesis); err != nil {
			return d, err
		}
		if err := d.open(configs[i], host, first, i); err != nil {
			return d, err
		}
	}
	return d, nil
}

// prepare makes one region's directory. Its passphrases are drawn and kept
// beside it: there is nothing to protect in a demonstration.
func (d *demo) prepare(region peers.Region, name string, logger *slog.Logger) (nodeConfig, error) {
	dir := filepath.Join(d.dir, string(region))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nodeConfig{}, err
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nodeConfig{}, err
	}
	pass := passphrases{Keys: []byte(rand.Text()), Recovery: []byte(rand.Text())}
	keys, member, err := createKeys(dir, founderInfo{Region: region, Name: name, Addr: conn.LocalAddr().String()}, rand.Reader, pass)
	if err == nil {
		err = createFile(filepath.Join(dir, "passphrase"), append(pass.Keys, '\n'), 0o600)
	}
	if err != nil {
		return nodeConfig{}, errors.Join(err, conn.Close())
	}
	logger = logger.With("region", string(region))
	return nodeConfig{
		Dir: dir, Self: member, Keys: keys, Conn: conn, Clock: d.clock.Now, Wall: time.Now, Rand: rand.Reader,
		AckInterval: 100 * time.Millisecond, ShadowShare: 0.01, Rate: rate.Inf, Logger: logger, Fatal: fatal(logger),
	}, nil
}

func (d *demo) open(cfg nodeConfig, host string, firstPort, i int) error {
	port := 0
	if firstPort != 0 {
		port = firstPort + i
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return &message{
			Text: text{"占用不了 HTTP 端口", "cannot take an HTTP port"}, Cause: err,
			Hint: text{"用 --http 换一个起始端口", "choose another first port with --http"},
		}
	}
	n, err := openNode(cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	d.regions = append(d.regions, &demoNode{
		node: n, listener: listener, url: "http://" + listener.Addr().String(),
		tokens: map[string]string{}, secrets: map[string]string{}, up: make(chan struct{}),
	})
	return nil
}

func (d *demo) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range d.regions {
		g.Go(func() error {
			if err := r.run(ctx, r.listener, "", "", func() { close(r.up) }); err != nil {
				return fmt.Errorf("region %s: %w", r.cfg.Self.Region, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// Close closes nodes and sockets.
func (d *demo) Close() error {
	var g errgroup.Group
	for _, r := range d.regions {
		g.Go(func() error { return errors.Join(r.Close(), ignoreClosed(r.listener.Close)()) })
	}
	return g.Wait()
}

func (d *demo) region(code peers.Region) (*demoNode, error) {
	for _, r := range d.regions {
		if r.cfg.Self.Region == code {
			return r, nil
		}
	}
	return nil, fmt.Errorf("the demonstration has no region %s", code)
}

// grant makes a token and leaves it in a file that demo.json names.
func (r *demoNode) grant(name string, role exchange.Role, scope exchange.Scope) error {
	if r.secrets[name] != "" {
		return nil
	}
	token, _, err := r.node.tokens.Add(access.Grant{Role: role, Scope: scope, Lifetime: 24 * time.Hour, Label: "demo " + name})
	if err != nil {
		return err
	}
	path := filepath.Join(r.cfg.Dir, name+".token")
	r.secrets[name], r.tokens[name] = token, path
	return createFile(path, []byte(token+"\n"), 0o600)
}

// client calls the region as the holder of one of its tokens.
func (r *demoNode) client(name string) *httpapi.Client {
	return &httpapi.Client{URL: r.url, Token: r.secrets[name]}
}

// writeIndex writes demo.json, with which other programs find their way.
func (d *demo) writeIndex() error {
	type entry struct {
		Region peers.Region      `json:"region"`
		URL    string            `json:"url"`
		Tokens map[string]string `json:"tokens"`
	}
	index := struct {
		Regions []entry           `json:"regions"`
		Sample  *exchange.EntryID `json:"sample_record"`
	}{Sample: d.sample}
	for _, r := range d.regions {
		index.Regions = append(index.Regions, entry{r.cfg.Self.Region, r.url, r.tokens})
	}
	b, err := marshalIndent(index)
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(d.dir, demoIndexName), b, 0o600)
}
