package quicnet

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// gossip is news in the simplest form: the directory as of size 2 has the new
// key of a node.
type gossip struct {
	n    *network
	size atomic.Uint64
}

func (g *gossip) Size() uint64 { return g.size.Load() }

func (g *gossip) Since(size uint64) []byte {
	if size >= g.Size() {
		return nil
	}
	return []byte("the new key")
}

func (g *gossip) Learn(news []byte) error {
	if string(news) != "the new key" {
		return errors.New("a rumour")
	}
	g.size.Store(2)
	return nil
}

// A node that was away while another rotated its key learns of it from that
// very node, and so it can be sure whom it speaks to.
func TestANodeThatWasAwayLearnsTheNewKey(t *testing.T) {
	n := newNetwork(t, "north", "south")
	fresh := newKey(t)
	away, ahead := &gossip{n: n}, &gossip{n: n}
	ahead.size.Store(2)

	rotated := n.config("south")
	rotated.Key, rotated.News = holding(fresh), ahead
	south := n.listen(rotated)
	south.bind(raftView{
		term: func() uint64 { return 1 }, leader: func() string { return "" }, last: func() uint64 { return 0 },
	})
	south.Handle("word", func(_ string, c net.Conn) { c.Write([]byte("hello")) })

	cfg := n.config("north")
	cfg.News = away
	known := cfg.Directory
	cfg.Directory = func(id string) (Peer, bool) {
		p, ok := known(id)
		if id == "south" && away.Size() == 2 {
			p.Keys = []*sm.NodePublic{fresh.Public()}
		}
		return p, ok
	}
	north := n.listen(cfg)
	c, err := north.Open(t.Context(), "south", "word")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if said, err := io.ReadAll(c); err != nil || string(said) != "hello" {
		t.Errorf("heard %q, %v", said, err)
	}
}
