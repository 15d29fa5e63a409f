package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// complaintName is the stream of docs/formats/peer-stream.md.
const complaintName = "complaint"

// heldEntries is more than a leader has under way: entries so far behind the end
// of the log were cut later.
const heldEntries = 16

// A vigil watches whether the leader takes this node's items. One that has been
// with the leader for Timers.Held, and is passed over by entries that were cut
// since, is held back. Then
//
//   - its proposer hands it to the other members, who propose it too: whom they
//     believe is the state machine's business, and a second copy does nothing;
//   - each node that sees an item of its own queue held back, be it handed to it,
//     complains of the leader to all. More than half of the voters complaining
//     means that one of them stands for election, and the others vote as if they
//     heard no leader;
//   - for a while it does not vote for the one that it has complained of. Entries
//     go on coming while one stands, so that its log may be a few short of the
//     others': then it has deposed a leader and is not elected, and the deposed
//     one, with the longest log of all, would be the first to stand again.
//
// A complaint counts only beside what a node has seen at its own queue, and an
// honest leader takes from every queue in turn. So liars, too few to be a
// majority, depose nobody by complaining or by what they hand on. How slow the
// leader and the log are decides nothing: what is compared is places in the log.
type vigil struct {
	n     *Node
	taken atomic.Uint64 // the last applied entry with items

	watched watched
	stood   atomic.Uint64 // elections that this node has forced

	mu       sync.Mutex
	own      complaint            // this node's last; of nobody: none
	heard    map[string]complaint // by the node that complains
	handing  map[string]bool      // to these members items are being handed
	relaying map[string]bool      // of these members items are being proposed
}

// watched is the item that has waited for longest.
type watched struct {
	item  *proposal
	under route
	since time.Time
	from  uint64    // the log's last index after Timers.Held; 0: not yet
	told  bool      // held back, and the log says so
	ready time.Time // when there were complaints enough; zero: not yet
}

// A complaint is about a leader in its term.
type complaint struct {
	leader string // 1 to 255 bytes
	term   uint64
	at     time.Time // when it came; not sent
}

func (c complaint) marshal() []byte {
	b := append(binary.BigEndian.AppendUint64(nil, c.term), byte(len(c.leader)))
	return append(b, c.leader...)
}

var errComplaint = errors.New("consensus: complaint of nobody")

func readComplaint(r io.Reader) (complaint, error) {
	var head [9]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return complaint{}, err
	}
	if head[8] == 0 {
		return complaint{}, errComplaint
	}
	leader := make([]byte, head[8])
	if _, err := io.ReadFull(r, leader); err != nil {
		return complaint{}, err
	}
	return complaint{leader: string(leader), term: binary.BigEndian.Uint64(head[:8])}, nil
}

func newVigil(n *Node) *vigil {
	return &vigil{n: n, heard: map[string]complaint{}, handing: map[string]bool{}, relaying: map[string]bool{}}
}

// every is how often the vigil looks and, if it has reason to, complains again.
func (v *vigil) every() time.Duration { return v.n.cfg.Timers.Held / 5 }

func (v *vigil) run() {
	tick := time.NewTicker(v.every())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if v.held() {
				v.act()
			}
		case <-v.n.done:
			return
		}
	}
}

// held reports whether the leader holds back the oldest item under way.
func (v *vigil) held() bool {
	n, w := v.n, &v.watched
	item, under := n.proposals.oldest(), route{leader: n.leaderID(), term: n.raft.CurrentTerm()}
	if item == nil || item != w.item || under != w.under || under.leader == "" || under.leader == n.cfg.ID {
		*w = watched{item: item, under: under, since: time.Now()}
		return false
	}
	if w.from == 0 && time.Since(w.since) >= n.cfg.Timers.Held {
		w.from = n.raft.LastIndex()
	}
	return w.from > 0 && v.taken.Load() > w.from+heldEntries
}

// distrustTurns is how many times Timers.Held a node does not vote for whom it has
// complained of. If it was wrong, the others do; and one that leads again and goes
// on has a sixth of the time for it, not half.
const distrustTurns = 12

func (v *vigil) distrusts(candidate string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.own.leader == candidate && time.Since(v.own.at) < distrustTurns*v.n.cfg.Timers.Held
}

// act hands on what is held back, complains, and stands for election when
// enough do.
func (v *vigil) act() {
	n, w := v.n, &v.watched
	under := w.under
	v.mu.Lock()
	v.own = complaint{leader: under.leader, term: under.term, at: time.Now()}
	v.mu.Unlock()
	if !w.told {
		w.told = true
		n.cfg.Logger.Error("the leader takes others' items and holds back what this node has given it",
			"alarm", true, "leader", under.leader, "term", under.term, "handed_on", w.item.foreign)
	}
	for _, id := range n.others() {
		if id != under.leader {
			n.tasks.Go(func() { v.complainTo(id, under) })
			v.handOn(id)
		}
	}
	rank, enough := rankToStand(n.cfg.ID, v.complaining(under), n.voters())
	if !enough {
		w.ready = time.Time{}
		return
	}
	if w.ready.IsZero() {
		w.ready = time.Now()
	}
	if time.Since(w.ready) < time.Duration(rank)*2*n.cfg.Timers.Election {
		return // somebody else's turn
	}
	n.cfg.Logger.Error("standing for election against a leader of whom most members complain",
		"alarm", true, "leader", under.leader, "term", under.term)
	v.stood.Add(1)
	n.cfg.Network.Stand()
}

// rankToStand says whether those who complain, self among them, are more than
// half of the voters, and how many of them stand for election before self.
func rankToStand(self string, complaining, voters []string) (rank int, enough bool) {
	var of []string
	for _, id := range voters {
		if id == self || slices.Contains(complaining, id) {
			of = append(of, id)
		}
	}
	slices.Sort(of)
	rank = slices.Index(of, self)
	return rank, rank >= 0 && 2*len(of) > len(voters)
}

func (n *Node) voters() (ids []string) {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// complaining are the other nodes that complain of this leader now.
func (v *vigil) complaining(of route) (ids []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, c := range v.heard {
		if c.leader == of.leader && c.term == of.term && time.Since(c.at) < 3*v.every() {
			ids = append(ids, id)
		}
	}
	return ids
}

func (v *vigil) complainTo(peer string, of route) {
	ctx, cancel := context.WithTimeout(v.n.ctx, openLimit)
	defer cancel()
	c, err := v.n.cfg.Network.Open(ctx, peer, complaintName)
	if err == nil {
		defer c.Close()
		err = c.SetDeadline(time.Now().Add(openLimit))
	}
	if err == nil {
		_, err = c.Write(complaint{leader: of.leader, term: of.term}.marshal())
	}
	if err == nil {
		// The receiver never writes: this returns when it has read.
		_, _ = io.ReadFull(c, make([]byte, 1))
		return
	}
	v.n.cfg.Logger.Debug("complaint not told", "peer", peer, "error", err)
}

func (v *vigil) serveComplaint(peer string, c net.Conn) {
	if c.SetReadDeadline(time.Now().Add(openLimit)) != nil {
		return
	}
	said, err := readComplaint(c)
	if err != nil {
		v.n.cfg.Logger.Debug("complaint not read", "peer", peer, "error", err)
		return
	}
	said.at = time.Now()
	v.mu.Lock()
	before := v.heard[peer]
	v.heard[peer] = said
	v.mu.Unlock()
	if before.term != said.term && said.leader == v.n.leaderID() {
		v.n.cfg.Logger.Warn("a member complains that the leader holds back what it was given", "peer", peer, "leader", said.leader, "term", said.term)
	}
}
