package consensus_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/waiting"
)

// A censor is the network of a node that, when it leads, does not take every
// item: those that drops names never come out of a member's stream.
type censor struct {
	consensus.Network
	drops func(peer string, item []byte) bool
}

func (x *censor) Handle(name string, h func(peer string, c net.Conn)) {
	if name != "propose" {
		x.Network.Handle(name, h)
		return
	}
	x.Network.Handle(name, func(peer string, c net.Conn) {
		inner, outer := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer c.Close()
			defer outer.Close()
			r := bufio.NewReader(c)
			for {
				var head [20]byte
				if _, err := io.ReadFull(r, head[:]); err != nil {
					return
				}
				item := make([]byte, binary.BigEndian.Uint32(head[16:]))
				if _, err := io.ReadFull(r, item); err != nil {
					return
				}
				if x.drops(peer, item) {
					continue
				}
				if _, err := outer.Write(append(head[:], item...)); err != nil {
					return
				}
			}
		}()
		h(peer, inner)
		inner.Close()
		c.Close()
		<-ended
	})
}

// deposed is how many elections were forced against a leader.
func (c *cluster) deposed() (n uint64) {
	for _, m := range c.members {
		n += m.node.Status().Deposed
	}
	return n
}

// A leader leaves one region's items out. If it only looks at whose stream they
// come on, another member's brings them in. If it looks at what they are, the
// others depose it: three of four have seen it.
func TestALeaderThatHoldsOneRegionsItemsBack(t *testing.T) {
	for name, c := range map[string]struct {
		drops   func(victim, peer string, item []byte) bool
		deposed bool
	}{
		"by the stream they come on": {func(victim, peer string, _ []byte) bool { return peer == victim }, false},
		"by what they are":           {func(_, _ string, item []byte) bool { return bytes.HasPrefix(item, []byte("held")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var liar, victim string
			lying := make(chan struct{})
			cl := newCluster(t, consensus.Snapshots{})
			cl.heartbeat, cl.held = calm, time.Second
			for _, id := range regions {
				m := cl.members[id]
				m.drops = func(peer string, item []byte) bool {
					select {
					case <-lying:
						return m.id == liar && c.drops(victim, peer, item)
					default:
						return false
					}
				}
				m.start()
			}
			leader := cl.leader()
			sufferer := cl.follower()
			liar, victim = leader.id, sufferer.id
			close(lying)
			var third *member
			for _, id := range regions {
				if id != liar && id != victim {
					third = cl.members[id]
				}
			}

			began := time.Now()
			held := make(chan error, 1)
			go func() {
				_, err := sufferer.node.Propose(waiting.Context(t), []byte("held back"))
				held <- err
			}()
			others := 0
			for waiting := true; waiting; {
				select {
				case err := <-held:
					must(t, err)
					waiting = false
				default:
					third.propose(fmt.Sprintf("another %d", others))
					others++
				}
			}
			t.Logf("it is in after %s, with %d others before it", time.Since(began).Round(time.Millisecond), others)
			cl.agree(others + 1)
			if deposed := cl.deposed(); (deposed > 0) != c.deposed {
				t.Errorf("%d elections were forced", deposed)
			}
			if c.deposed {
				cl.leader()
				leader.net.Stand()
				waiting.Until(t, "those that it has wronged do not hear that it stands again", func() bool {
					return sufferer.net.Refused()["candidate"] > 0 && third.net.Refused()["candidate"] > 0
				})
			}
		})
	}
}

// A member complains without reason, of a leader that takes all in turn. Nobody
// sees what it says, and nobody stands.
func TestOneThatComplainsDeposesNobody(t *testing.T) {
	t.Parallel()
	c := newCluster(t, consensus.Snapshots{})
	c.held = 50 * time.Millisecond
	for _, id := range regions {
		c.members[id].start()
	}
	leader := c.leader()
	term := leader.node.Status().Term
	liar := c.follower()
	complaint := append(binary.BigEndian.AppendUint64(nil, term), byte(len(leader.id)))
	complaint = append(complaint, leader.id...)
	for n := range 40 {
		for _, id := range regions {
			if id == liar.id || id == leader.id {
				continue
			}
			ctx, cancel := context.WithCancel(waiting.Context(t))
			s, err := liar.net.Open(ctx, id, "complaint")
			must(t, err)
			_, err = s.Write(complaint)
			must(t, err)
			_, _ = io.ReadFull(s, make([]byte, 1)) // it has been read
			s.Close()
			cancel()
			c.members[id].propose(fmt.Sprintf("%s %d", id, n))
		}
	}
	if n := c.deposed(); n > 0 {
		t.Errorf("%d elections were forced", n)
	}
}

// Whoever hands items on has one stream to a member, so that it can't take that
// member's turns for a flood of its own. What comes on it gets into the log.
func TestAMemberHandsOnByOneStream(t *testing.T) {
	t.Parallel()
	c := newCluster(t, consensus.Snapshots{})
	c.held = 5 * time.Second
	for _, id := range regions {
		c.members[id].start()
	}
	c.leader().propose("before")
	from := c.follower()
	to := c.leader() // any member but the one that hands on
	open := func() net.Conn {
		s, err := from.net.Open(waiting.Context(t), to.id, "relay")
		must(t, err)
		return s
	}
	frame := func(n int) []byte {
		item := fmt.Sprintf("handed on %d", n)
		id := make([]byte, 16)
		id[0] = byte(n)
		return append(binary.BigEndian.AppendUint32(id, uint32(len(item))), item...)
	}
	first := open()
	defer first.Close()
	_, err := first.Write(frame(1))
	must(t, err)
	waiting.Until(t, "the item is in", func() bool {
		return slices.Contains(to.machine.items(), "handed on 1")
	})
	second := open()
	defer second.Close()
	_, _ = second.Write(frame(2)) // it may be closed already
	if _, err := io.ReadFull(second, make([]byte, 1)); err == nil {
		t.Error("a second stream is answered")
	}
	_, err = first.Write(frame(3))
	must(t, err)
	waiting.Until(t, "the next one is in", func() bool { return slices.Contains(to.machine.items(), "handed on 3") })
	if slices.Contains(to.machine.items(), "handed on 2") {
		t.Error("a second stream was taken in")
	}
}
