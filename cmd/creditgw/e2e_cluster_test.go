//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

// These tests run the program as institutions do: one process per region, set
// up by commands and files, and called over HTTP. Nothing of a node is reached
// from inside.

// patience bounds any one wait. It is far beyond what a wait takes, for a test
// that fails only because its machine is busy is worth nothing.
const patience = 60 * time.Second

// cluster is four regions on this machine.
type cluster struct {
	t     *testing.T
	dir   string
	nodes []*gateway
}

// gateway is one region: its directory, and its process while one runs.
type gateway struct {
	t      *testing.T
	region peers.Region
	dir    string
	addr   string // QUIC
	url    string
	log    string
	tokens map[exchange.Role]string
	env    []string // of the process, beside the test's own
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has been waited for
}

// agencies are the authorities of the sample register that send files.
var agencies = map[peers.Region]string{
	"110000": "111100000000030173", "120000": tianjinAuthority, "130000": "12130000000003033X", "140000": "12140000000003041W",
	"150000": "1215000000000305XQ", // joins later
}

// startCluster founds a ledger through the command line, starts the nodes and
// imports the sample registers through the API.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t)
	c.serve()
	return c
}

// newCluster founds a ledger; no node runs yet.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	for _, m := range demoMembers {
		c.nodes = append(c.nodes, newGateway(t, c.dir, m.region, freePort(t)))
	}
	c.found()
	return c
}

// without is the cluster of the others.
func (c *cluster) without(one *gateway) *cluster {
	return &cluster{t: c.t, dir: c.dir, nodes: slices.DeleteFunc(slices.Clone(c.nodes), func(n *gateway) bool { return n == one })}
}

// serve starts the nodes and imports the registers.
func (c *cluster) serve() {
	c.t.Helper()
	c.t.Cleanup(c.report)
	for _, n := range c.nodes {
		n.start()
	}
	s, err := openSamples("")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range c.nodes {
		n.awaitReady()
		for register, file := range map[string]string{
			exchange.RegisterAuthorities: s.manifest.Registers.Authorities, exchange.RegisterFirms: s.manifest.Registers.Firms,
		} {
			f, err := s.Open(file)
			if err != nil {
				c.t.Fatal(err)
			}
			v, err := n.client(exchange.RoleOperator).ImportRegister(n.context(), register, f)
			if closeErr := f.Close(); err != nil || closeErr != nil || v.Accepted != v.Rows {
				c.t.Fatalf("register %s: %d of %d rows: %v", file, v.Accepted, v.Rows, errors.Join(err, closeErr))
			}
		}
	}
}

// newGateway makes keys, configuration and tokens of a region.
func newGateway(t *testing.T, parent string, region peers.Region, addr string) *gateway {
	t.Helper()
	n := &gateway{
		t: t, region: region, dir: filepath.Join(parent, string(region)), addr: addr,
		log: filepath.Join(parent, string(region)+".log"), tokens: map[exchange.Role]string{},
	}
	http := freePort(t)
	n.url = "http://" + http
	for _, name := range []string{"passphrase", "recovery"} {
		if err := os.WriteFile(n.file(name), []byte(name+" of "+string(region)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	creditgw(t, "init", "--region", string(region), "--name", "地区 "+string(region), "--addr", addr, "--http", http,
		"--dir", n.dir, "--passphrase-file", n.file("passphrase"), "--recovery-passphrase-file", n.file("recovery"))
	for _, role := range []exchange.Role{exchange.RoleAgencyEntry, exchange.RoleOperator, exchange.RoleApp, exchange.RoleAuditor} {
		args := []string{"token", "add", "--role", string(role), "--dir", n.dir}
		if role == exchange.RoleAgencyEntry {
			args = append(args, "--scope", "unit="+agencies[region]+",source="+agencies[region])
		}
		n.tokens[role] = strings.TrimSpace(creditgw(t, args...))
	}
	return n
}

// file is a file of the region's people outside the node's directory.
func (n *gateway) file(name string) string { return n.dir + "." + name }

// found joins the members, has each sign in turn and hands the genesis out.
func (c *cluster) found() {
	c.t.Helper()
	genesis := filepath.Join(c.dir, genesisName)
	args := []string{"genesis", "join", "-o", genesis}
	for _, n := range c.nodes {
		args = append(args, filepath.Join(n.dir, memberName))
	}
	creditgw(c.t, args...)
	for _, n := range c.nodes {
		creditgw(c.t, "genesis", "sign", "--dir", n.dir, "--passphrase-file", n.file("passphrase"), genesis)
	}
	signed, err := os.ReadFile(genesis)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range c.nodes {
		if err := os.WriteFile(filepath.Join(n.dir, genesisName), signed, 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
}

// buildPrograms builds the real programs, once, and returns their folder. The
// test binary would do under the node's name, but with the race detector in it
// keys take a minute to open. The folder lies where the scripts' programs do
// and is removed with them.
var buildPrograms = sync.OnceValues(func() (string, error) {
	scripted, err := exec.LookPath("creditgw")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(scripted), "built") + string(filepath.Separator)
	if out, err := exec.Command("go", "build", "-o", dir, "../creditgw", "../creditctl").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

// built is the path of a program.
func built(t *testing.T, name string) string {
	t.Helper()
	dir, err := buildPrograms()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// creditgw runs a command that must succeed and returns what it prints.
func creditgw(t *testing.T, args ...string) string {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), built(t, "creditgw"), args...)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("creditgw %v: %v\n%s", args, err, &stderr)
	}
	return out.String()
}

// givenPorts are those that a test of this process has: its node may not have
// taken it yet, or be down.
var givenPorts sync.Map

// freePort is an address free for TCP and UDP, outside the range from which
// the kernel gives ports to others: a node that is down keeps its address.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if _, given := givenPorts.LoadOrStore(addr, t.Name()); given {
			continue
		}
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", addr)
		if err = errors.Join(err, tcp.Close()); err != nil {
			continue
		}
		if udp.Close() == nil {
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// start runs the node. Its log is appended to the one it had before.
func (n *gateway) start() {
	n.t.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	n.cmd = exec.Command(built(n.t, "creditgw"), "serve", "--config", filepath.Join(n.dir, configName))
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.Env = append(append(os.Environ(), "CREDITGW_NETWORK=lan"), n.env...)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	cmd, exited := n.cmd, make(chan struct{})
	n.exited = exited
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(exited)
	}()
	n.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
	})
}

// signal sends a signal to the process: SIGKILL, SIGSTOP, SIGCONT.
func (n *gateway) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
}

// kill ends the process without a goodbye.
func (n *gateway) kill() {
	n.t.Helper()
	n.signal(syscall.SIGKILL)
	<-n.exited
}

// stop ends the process as systemd does.
func (n *gateway) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	select {
	case <-n.exited:
	case <-time.After(patience):
		n.t.Fatalf("%s does not end", n.region)
	}
	if code := n.cmd.ProcessState.ExitCode(); code != exitDone {
		n.t.Errorf("%s ended with %d when it was asked to", n.region, code)
	}
}

func (n *gateway) client(role exchange.Role) *httpapi.Client {
	return &httpapi.Client{URL: n.url, Token: n.tokens[role], Lang: "en"}
}

// context bounds one call.
func (n *gateway) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	n.t.Cleanup(cancel)
	return ctx
}

func (n *gateway) awaitReady() {
	n.t.Helper()
	eventually(n.t, string(n.region)+" is ready", func() bool {
		select {
		case <-n.exited:
			n.t.Fatalf("%s ended: %s", n.region, n.cmd.ProcessState)
		default:
		}
		ready, err := n.client("").Ready(n.context())
		return err == nil && ready.Ready
	})
}

// leader is the node that the others take for the leader.
func (c *cluster) leader() (found *gateway) {
	c.t.Helper()
	eventually(c.t, "all know one leader", func() bool {
		named := map[string]int{}
		found = nil
		for _, n := range c.nodes {
			status, err := n.client(exchange.RoleAuditor).Status(n.context())
			if err != nil || status.Leader == "" {
				return false
			}
			named[status.Leader]++
			if status.Leader == status.Node {
				found = n
			}
		}
		return found != nil && len(named) == 1
	})
	return found
}

// follower is a node other than those given that does not lead.
func (c *cluster) follower(not ...*gateway) *gateway {
	c.t.Helper()
	leader := c.leader()
	for _, n := range c.nodes {
		if n != leader && (len(not) == 0 || n != not[0]) {
			return n
		}
	}
	return nil
}

func (c *cluster) region(code peers.Region) *gateway {
	for _, n := range c.nodes {
		if n.region == code {
			return n
		}
	}
	return nil
}

// agree waits until the nodes have the longest ledger among them and compares
// their roots. It returns the size.
func (c *cluster) agree() uint64 {
	c.t.Helper()
	var size uint64
	for _, n := range c.nodes {
		head, err := n.client(exchange.RoleAuditor).Checkpoint(n.context())
		if err != nil {
			c.t.Fatal(err)
		}
		size = max(size, head.Size)
	}
	want, err := c.nodes[0].client(exchange.RoleAuditor).CheckpointAt(c.nodes[0].context(), size)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range c.nodes[1:] {
		if got, err := n.client(exchange.RoleAuditor).CheckpointAt(n.context(), size); err != nil || got.Root != want.Root {
			c.t.Fatalf("%s has root %s at %d, %s has %s: %v", n.region, got.Root, size, c.nodes[0].region, want.Root, err)
		}
	}
	return size
}

// report fails the test for a process that panicked, and shows how the logs
// end if it has failed.
func (c *cluster) report() {
	for _, n := range c.nodes {
		log, err := os.ReadFile(n.log)
		if err != nil {
			continue
		}
		if at := bytes.Index(log, []byte("panic: ")); at >= 0 {
			c.t.Errorf("%s: %s", n.region, log[at:min(len(log), at+4000)])
		}
		if c.t.Failed() {
			c.t.Logf("end of %s's log:\n%s", n.region, log[max(0, len(log)-3000):])
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		case <-tick.C:
		}
	}
}

// hang stops the process for as long as f runs, without ending it.
func (n *gateway) hang(f func()) {
	n.t.Helper()
	n.signal(syscall.SIGSTOP)
	defer n.signal(syscall.SIGCONT)
	f()
}
