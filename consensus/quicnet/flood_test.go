package quicnet

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"

	"github.com/xinqiao/creditgw/consensus/waiting"
)

// An unheard caller sends from an address that is not its own: what is sent
// back goes to somebody else. It is kept here to be looked at.
type unheard struct {
	net.PacketConn
	mu   sync.Mutex
	sent int // bytes
	back [][]byte
}

func (u *unheard) WriteTo(p []byte, to net.Addr) (int, error) {
	u.mu.Lock()
	u.sent += len(p)
	u.mu.Unlock()
	return u.PacketConn.WriteTo(p, to)
}

func (u *unheard) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, _, err := u.PacketConn.ReadFrom(p)
		if err != nil {
			return 0, nil, err
		}
		u.mu.Lock()
		u.back = append(u.back, append([]byte(nil), p[:n]...))
		u.mu.Unlock()
	}
}

// Until an address has proven that it hears us it gets Retry packets, which are
// smaller than what it sent, and no handshake is computed for it: nobody can
// have us flood somebody else, or keep us busy from forged addresses.
func TestAnUnverifiedAddressGetsARetryOnly(t *testing.T) {
	n := newNetwork(t, "south")
	south := n.node("south", 5, "")
	_, client, err := tlsConfigs()
	if err != nil {
		t.Fatal(err)
	}
	caller := &unheard{PacketConn: listenUDP(t, "127.0.0.1:0")}
	transport := &quic.Transport{Conn: caller}
	defer transport.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	addr, err := net.ResolveUDPAddr("udp", n.peers["south"].Address)
	if err != nil {
		t.Fatal(err)
	}
	dialled := make(chan error, 1)
	go func() {
		_, err := transport.Dial(ctx, addr, client, quicConfig())
		dialled <- err
	}()
	waiting.Until(t, "it was asked again and again who it is", func() bool {
		caller.mu.Lock()
		defer caller.mu.Unlock()
		return len(caller.back) >= 3
	})
	cancel()
	if err := <-dialled; !errors.Is(err, context.Canceled) {
		t.Fatalf("dialled without having heard anything: %v", err)
	}
	caller.mu.Lock()
	defer caller.mu.Unlock()
	got := 0
	for _, p := range caller.back {
		got += len(p)
		// RFC 9000, 17.2.5: a long header whose type is 3.
		if p[0]&0xf0 != 0xf0 {
			t.Errorf("a packet of %d bytes that is no Retry: %x", len(p), p[0])
		}
	}
	if got > caller.sent {
		t.Errorf("%d bytes came back in %d packets for %d sent", got, len(caller.back), caller.sent)
	}
	if south.lobby.size() > 0 {
		t.Error("it holds a place among the connections")
	}
}
