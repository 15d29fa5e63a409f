//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/quic-go/quic-go"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// One region turns hostile, with its own true keys, and speaks to the others'
// processes in the protocol of its peers. Each lie is refused by all of them,
// counted where operators look, and in their logs; it moves no ledger, no root,
// no term and no leader. Strangers come no further than the first word.
func TestServeRefusesAHostileMember(t *testing.T) {
	t.Parallel()
	c, hostile, s := startBetrayed(t)
	rest := c.without(hostile)
	victim := rest.nodes[0]
	size := rest.calm()
	root, term := rest.rootAt(size), rest.leader().status().Term

	t.Run("strangers", func(t *testing.T) { rest.refuseStrangers(t, s) })
	t.Run("garbage for a greeting", func(t *testing.T) {
		before := victim.refused("hello")
		greet(t, victim.addr, []byte("\x00\x05hello"))
		rest.awaitRefusal(t, victim, "hello", before)
	})

	r := newRogue(t, s, s.self.Node.ID, s.keys.Node, hostile.addr)
	for _, lie := range rpcLies(term, r) {
		t.Run(lie.name, func(t *testing.T) {
			for _, n := range rest.nodes {
				before := n.refused(lie.reason)
				if err := lie.tell(raft.ServerID(n.status().Node)); err == nil {
					t.Errorf("%s answered", n.region)
				}
				rest.awaitRefusal(t, n, lie.reason, before)
			}
		})
	}
	for _, lie := range batchLies(t, s, victim) {
		t.Run(lie.name, func(t *testing.T) {
			before := map[*gateway]uint64{}
			for _, n := range rest.nodes {
				before[n] = n.refused(lie.reason)
			}
			r.propose(rest.leader().status().Node, lie.item)
			for _, n := range rest.nodes {
				rest.awaitRefusal(t, n, lie.reason, before[n])
			}
		})
	}
	for _, n := range rest.nodes {
		// On a busy machine the honest ones may have held an election.
		v := n.status()
		if v.LedgerSize != size || v.Root.String() != root || v.Term < term || v.Term >= term+1000 || v.Leader == s.self.Node.ID {
			t.Errorf("%s has %d entries, root %s, term %d and leader %s; there were %d, %s and %d",
				n.region, v.LedgerSize, v.Root, v.Term, v.Leader, size, root, term)
		}
	}

	t.Run("an inflated term in responses", func(t *testing.T) { rest.refuseInflatedAnswers(t, r, term) })

	// The region comes to its senses: its own node is a member like any other.
	r.leave()
	hostile.start()
	hostile.awaitReady()
	app := newPhone(victim)
	app.await(hostile.submit(exchange.WaitCommitted, hostile.notice(victim.region))...)
	c.agree()
	if got := c.rootAt(size); got != root {
		t.Errorf("the root at %d was %s and is %s", size, root, got)
	}
}

// refuseStrangers knocks at every node under names that are not its own.
func (c *cluster) refuseStrangers(t *testing.T, s *stolen) {
	other, err := sm.Generate[sm.Node](rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, stranger := range []struct{ id, reason string }{
		{"150000-1", "stranger"},
		{s.self.Node.ID, "signature"}, // a member's name, not its key
	} {
		r := newRogue(t, s, stranger.id, other, freePort(t))
		for _, n := range c.nodes {
			before := n.refused(stranger.reason)
			vote := &raft.RequestVoteRequest{Term: 2}
			if err := r.RequestVote(raft.ServerID(n.status().Node), "", vote, new(raft.RequestVoteResponse)); err == nil {
				t.Errorf("%s answered %s", n.region, stranger.id)
			}
			c.awaitRefusal(t, n, stranger.reason, before)
		}
		r.leave()
	}
}

// greet connects as peers do and says something else than who it is.
func greet(t *testing.T, addr string, words []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xinqiao-peer/1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseWithError(0, "")
	s, err := conn.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(words); err != nil {
		t.Fatal(err)
	}
	// The stream may end before the connection is closed, or by it.
	if answer, _ := io.ReadAll(s); len(answer) > 0 {
		t.Errorf("it answered %q", answer)
	}
}

// refuseInflatedAnswers lets the hostile member be asked: by the leader for its
// place in the log, and in an election for its vote. A Raft that believed the
// term in any answer would step down and take it over.
func (c *cluster) refuseInflatedAnswers(t *testing.T, r *rogue, term uint64) {
	var voted atomic.Bool
	r.answers(func(command any) (any, error) {
		switch req := command.(type) {
		case *raft.RequestPreVoteRequest:
			return &raft.RequestPreVoteResponse{Term: req.Term, Granted: true}, nil
		case *raft.RequestVoteRequest:
			voted.Store(true)
			return &raft.RequestVoteResponse{Term: far, Granted: true}, nil
		case *raft.AppendEntriesRequest:
			return &raft.AppendEntriesResponse{Term: far}, nil
		}
		return silent(command)
	})
	leader := c.leader()
	before := leader.refused("term")
	c.awaitRefusal(t, leader, "term", before)

	// The leader hangs, so the two others stand for election and ask.
	others := slices.DeleteFunc(slices.Clone(c.nodes), func(n *gateway) bool { return n == leader })
	asked := func() (sum uint64) { return others[0].refused("term") + others[1].refused("term") }
	before = asked()
	leader.hang(func() {
		eventually(t, "its vote is asked for and refused", func() bool { return voted.Load() && asked() > before })
	})
	for _, n := range others {
		c.logged(t, n, "term")
	}
	// Three honest regions are enough to go on.
	c.leader()
	origin := c.follower()
	origin.submit(exchange.WaitCommitted, origin.notice(c.follower(origin).region))
	for _, n := range c.nodes {
		if got := n.status().Term; got >= far || got < term {
			t.Errorf("%s is in term %d, it was %d", n.region, got, term)
		}
	}
}

// calm waits until nothing is under way of its own accord, and returns the
// size of the ledger.
func (c *cluster) calm() uint64 {
	c.t.Helper()
	for _, n := range c.nodes {
		eventually(c.t, string(n.region)+" has told and heard everything", func() bool {
			v := n.status()
			return v.Counts.Outbox == 0 && v.Counts.PendingAcks == 0 && v.Followed == v.LedgerSize
		})
	}
	return c.agree()
}

func (n *gateway) status() httpapi.Status {
	n.t.Helper()
	v, err := n.client(exchange.RoleAuditor).Status(n.context())
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

// refused is how often the node has refused something for this reason.
func (n *gateway) refused(reason string) uint64 {
	n.t.Helper()
	return n.status().Refused[reason]
}

// awaitRefusal waits until a refusal has been counted and looks for it where
// operators do: among the metrics and in the log.
func (c *cluster) awaitRefusal(t *testing.T, n *gateway, reason string, before uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s counts %q", n.region, reason), func() bool { return n.refused(reason) > before })
	if line := fmt.Sprintf("creditgw_peer_refused{reason=%q} ", reason); !strings.Contains(n.metrics(), line) {
		t.Errorf("%s has no metric %s", n.region, line)
	}
	c.logged(t, n, reason)
}

func (n *gateway) metrics() string {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.context(), http.MethodGet, n.url+"/metrics", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

// logged looks for a refusal in the node's log: what the network refuses has a
// reason, what Apply does not take a code.
func (c *cluster) logged(t *testing.T, n *gateway, reason string) {
	t.Helper()
	log, err := os.ReadFile(n.log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		var said struct{ Reason, Code string }
		if json.Unmarshal(line, &said) != nil {
			continue
		}
		if said.Reason == reason || said.Code != "" && strings.EqualFold("batch "+said.Code, reason) {
			return
		}
	}
	t.Errorf("%s did not log %q", n.region, reason)
}
