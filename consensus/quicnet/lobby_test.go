package quicnet

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/xinqiao/creditgw/consensus/waiting"
)

// Who only holds places makes room, and from where most come first.
func TestWhoHoldsPlacesMakesRoom(t *testing.T) {
	var l lobby
	var out []string
	enter := func(name, from string) *visitor {
		v := &visitor{from: netip.MustParseAddr(from), out: func() { out = append(out, name) }}
		l.enter(v)
		return v
	}
	first := enter("first", "192.0.2.1")
	enter("another", "192.0.2.2")
	for range maxPending - 2 {
		enter("holder", "192.0.2.1")
	}
	if len(out) > 0 {
		t.Fatalf("%v went while there was room", out)
	}
	l.leave(first)
	enter("holder", "192.0.2.1")
	enter("a member", "192.0.2.3")
	for range 10 {
		enter("holder", "192.0.2.1")
	}
	if len(out) != 11 || slices.ContainsFunc(out, func(name string) bool { return name != "holder" }) {
		t.Errorf("%v went", out)
	}
	if l.size() != maxPending {
		t.Errorf("%d places are taken of %d", l.size(), maxPending)
	}
}

func TestWhereOneComesFrom(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:700": "192.0.2.1", "[::ffff:192.0.2.1]:7": "192.0.2.1",
		"[2001:db8::1]:7": "2001:db8::", "[2001:db8::ffff:2]:9": "2001:db8::",
	} {
		udp, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := comesFrom(udp); got.String() != want {
			t.Errorf("%s comes from %s, want %s", addr, got, want)
		}
	}
}

// A stranger that opens connections and says nothing keeps no member out.
func TestAStrangerDoesNotHoldTheDoorShut(t *testing.T) {
	n := newNetwork(t, "south", "north")
	south, north := n.node("south", 5, ""), n.node("north", 5, "")
	greeted := make(chan string, 1)
	south.Handle("greet", func(peer string, _ net.Conn) { greeted <- peer })
	_, client, err := tlsConfigs()
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveUDPAddr("udp", n.peers["south"].Address)
	if err != nil {
		t.Fatal(err)
	}
	stranger := &quic.Transport{Conn: listenUDP(t, "127.0.0.1:0")}
	defer stranger.Close()
	for range maxPending {
		if _, err := stranger.Dial(t.Context(), addr, client, quicConfig()); err != nil {
			t.Fatal(err)
		}
	}
	waiting.Until(t, "all places are taken", func() bool { return south.lobby.size() == maxPending })
	ctx, cancel := context.WithTimeout(t.Context(), handshakeTimeout/2)
	defer cancel()
	c, err := north.Open(ctx, "south", "greet")
	if err != nil {
		t.Fatalf("a member is kept out: %v", err)
	}
	defer c.Close()
	if peer := <-greeted; peer != "north" {
		t.Errorf("%q came in", peer)
	}
}
