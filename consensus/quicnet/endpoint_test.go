package quicnet

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus/waiting"
)

func TestNamedStreamsAreServedWithTheirPeersName(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 1, ""), n.node("south", 1, "")
	south.Handle("echo", func(peer string, c net.Conn) {
		io.WriteString(c, peer+" says ")
		io.Copy(c, io.LimitReader(c, 5))
	})
	c, err := north.Open(waiting.Context(t), "south", "echo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "north says hello" {
		t.Errorf("%q, %v", got, err)
	}
	// A name that nobody handles ends the stream, not the connection.
	c2, err := north.Open(waiting.Context(t), "south", "nothing")
	if err != nil {
		t.Fatal(err)
	}
	defer c2.Close()
	if b, err := io.ReadAll(c2); err == nil && len(b) > 0 {
		t.Errorf("got %q from a handler that does not exist", b)
	}
	waiting.Until(t, "the stream was counted", func() bool { return south.Refused()["stream"] == 1 })
}

// A node that comes back is reached at once, though nothing told its peers that
// the old connection is dead.
func TestARestartedPeerIsReachedAgain(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north := n.node("north", 1, "")
	first := n.node("south", 1, "")
	vote := func() error {
		return north.RequestVote("south", "", &raft.RequestVoteRequest{Term: 2}, new(raft.RequestVoteResponse))
	}
	if err := vote(); err != nil {
		t.Fatal(err)
	}
	addr := n.conns["south"].LocalAddr().String()
	n.conns["south"].Close() // as if the process were killed: no farewell
	first.Close()
	n.conns["south"] = listenUDP(t, addr)
	second := n.node("south", 1, "")
	if _, err := second.linkTo(waiting.Context(t), "north"); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "south votes again", func() bool { return vote() == nil })
}

func TestCloseEndsEverything(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 1, ""), n.node("south", 1, "")
	stopped := make(chan struct{})
	south.Handle("wait", func(_ string, c net.Conn) {
		c.Write([]byte("!"))
		io.Copy(io.Discard, c)
		close(stopped)
	})
	c, err := north.Open(waiting.Context(t), "south", "wait")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := north.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	<-stopped // the peer's handler ends with the connection
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("a closed endpoint still sends")
	}
	if _, err := north.Open(waiting.Context(t), "south", "wait"); err == nil {
		t.Error("a closed endpoint still dials")
	}
}
