package quicnet

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// A lobby bounds connections that have not shown who they are. When all places
// are taken, one that comes from where most come from has to go, and of those the
// one that has been there for longest: a member needs a place for two round trips,
// whereas whoever only holds places has held his for longer.
type lobby struct {
	mu sync.Mutex
	in []*visitor // in the order in which they came
}

// A visitor is one connection in a lobby.
type visitor struct {
	from netip.Addr
	out  func() // closes it
}

// enter takes a place, from another if need be.
func (l *lobby) enter(v *visitor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in = append(l.in, v); len(l.in) <= maxPending {
		return
	}
	of := map[netip.Addr]int{}
	most := 0
	for _, v := range l.in {
		of[v.from]++
		most = max(most, of[v.from])
	}
	i := slices.IndexFunc(l.in, func(v *visitor) bool { return of[v.from] == most })
	l.in[i].out()
	l.in = slices.Delete(l.in, i, i+1)
}

// leave gives the place back, if it is still the visitor's.
func (l *lobby) leave(v *visitor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.in, v); i >= 0 {
		l.in = slices.Delete(l.in, i, i+1)
	}
}

func (l *lobby) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.in)
}

// comesFrom is what counts as one place to come from: an address, of which the
// Retry has shown that it is real, or an IPv6 network of 64 bits, of which one
// caller has all.
func comesFrom(addr net.Addr) netip.Addr {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	from := udp.AddrPort().Addr().Unmap().WithZone("")
	if from.Is6() {
		network, _ := from.Prefix(64) // 64 bits fit
		return network.Addr()
	}
	return from
}
