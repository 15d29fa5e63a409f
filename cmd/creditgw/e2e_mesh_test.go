//go:build linux

package main

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/xinqiao/creditgw/peers"
)

// A mesh is the network between the regions: each node is dialled at a door,
// which passes datagrams on to it as long as the path is not cut. It needs no
// rights on the machine, and the processes notice nothing but silence.
type mesh struct {
	t       *testing.T
	mu      sync.Mutex
	doors   map[peers.Region]*door
	region  map[netip.AddrPort]peers.Region // by the socket that a node sends from
	severed map[path]bool
}

// A path is one direction between two regions.
type path struct{ from, to peers.Region }

// A door stands at the address that the genesis names for a node. A node tells
// its peers apart by address, so each caller gets a line of its own.
type door struct {
	mesh   *mesh
	region peers.Region
	front  *net.UDPConn
	back   *net.UDPAddr
	lines  map[netip.AddrPort]*net.UDPConn // used by pass only
}

func newMesh(t *testing.T) *mesh {
	m := &mesh{t: t, doors: map[peers.Region]*door{}, region: map[netip.AddrPort]peers.Region{}, severed: map[path]bool{}}
	t.Cleanup(m.close)
	return m
}

// newMeshedCluster founds a ledger whose nodes reach each other by doors only.
func newMeshedCluster(t *testing.T) (*cluster, *mesh) {
	t.Helper()
	c, m := &cluster{t: t, dir: t.TempDir()}, newMesh(t)
	for _, member := range demoMembers {
		front, back := freePort(t), freePort(t)
		n := newGateway(t, c.dir, member.region, front)
		n.env = []string{"CREDITGW_LISTEN=" + back}
		c.nodes = append(c.nodes, n)
		m.open(member.region, front, back)
	}
	c.found()
	return c, m
}

func (m *mesh) open(region peers.Region, front, back string) {
	m.t.Helper()
	node := netip.MustParseAddrPort(back)
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(front)))
	if err != nil {
		m.t.Fatal(err)
	}
	d := &door{
		mesh: m, region: region, front: conn, back: net.UDPAddrFromAddrPort(node), lines: map[netip.AddrPort]*net.UDPConn{},
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.doors[region] = d
	m.region[node] = region
	go d.pass()
}

// passes reports whether a datagram gets from one region to another.
func (m *mesh) passes(from, to peers.Region) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.severed[path{from, to}]
}

// deafen keeps what the others say from a region. They still hear it.
func (m *mesh) deafen(region peers.Region) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for other := range m.doors {
		m.severed[path{other, region}] = true
	}
}

// isolate cuts a region off in both directions.
func (m *mesh) isolate(region peers.Region) {
	m.deafen(region)
	m.mu.Lock()
	defer m.mu.Unlock()
	for other := range m.doors {
		m.severed[path{region, other}] = true
	}
}

// heal mends all paths.
func (m *mesh) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.severed)
}

func (m *mesh) close() {
	for _, d := range m.doors {
		_ = d.front.Close() // pass ends by it
	}
}

// maxDatagram is the largest there is.
const maxDatagram = 64 << 10

// pass carries what callers send to the node, until the door is closed.
func (d *door) pass() {
	defer func() {
		for _, line := range d.lines {
			_ = line.Close() // answer ends by it
		}
	}()
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := d.front.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		d.mesh.mu.Lock()
		caller, known := d.mesh.region[from]
		d.mesh.mu.Unlock()
		if !known || !d.mesh.passes(caller, d.region) {
			continue
		}
		line := d.lines[from]
		if line == nil {
			if line, err = net.DialUDP("udp", nil, d.back); err != nil {
				return
			}
			d.lines[from] = line
			go d.answer(line, caller, from)
		}
		_, _ = line.Write(buf[:n]) // a node that is down loses it, as networks do
	}
}

// answer carries what the node says on one line back to its caller.
func (d *door) answer(line *net.UDPConn, caller peers.Region, to netip.AddrPort) {
	buf := make([]byte, maxDatagram)
	for {
		n, err := line.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && d.mesh.passes(d.region, caller) {
			_, _ = d.front.WriteToUDPAddrPort(buf[:n], to)
		}
	}
}
