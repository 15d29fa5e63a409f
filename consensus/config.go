package consensus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Network is what a node needs of the other nodes; *quicnet.Endpoint is one.
// Raft closes it when it shuts down.
type Network interface {
	raft.Transport
	raft.WithPreVote
	raft.WithClose
	// Bind lets requests through to r, and of the entries that change the
	// membership only those that allow lets pass: the one at place at of the
	// request. raft.ErrLogNotFound asks for older entries first. Of snapshots
	// it lets only those pass whose membership plausible does not refuse, and
	// nobody whom distrusts names is heard when it stands for election.
	Bind(r *raft.Raft, allow func(req *raft.AppendEntriesRequest, at int) error,
		plausible func(raft.Configuration) error, distrusts func(candidate string) bool)
	// Abridge names what takes out of a command entry, on its way to a peer's
	// pipeline, what that peer has, and what puts it in again at the other
	// end, up to room bytes of it. Both keep the entry's bytes as they are.
	Abridge(leave func(peer string, data []byte) [][]byte, restore func(data []byte, room int) ([]byte, error))
	// Handle names the handler of streams that peers open. The stream is
	// closed when the handler returns.
	Handle(name string, h func(peer string, c net.Conn))
	// Open opens a stream to a peer's handler.
	Open(ctx context.Context, peer, name string) (net.Conn, error)
	// Stand has this node's Raft stand for election at once, although it may
	// hear a leader.
	Stand()
	// Acknowledged returns the highest index that a peer has acknowledged to
	// this node as leader.
	Acknowledged(peer string) uint64
}

// Timers are Raft's. The zero value stands for a LAN; on a WAN give two to
// three seconds of heartbeat and election.
type Timers struct {
	Heartbeat time.Duration // silence of the leader until an election, 1 s
	Election  time.Duration // silence of the voters until another one, 1 s
	Lease     time.Duration // a leader without a quorum steps down after this, 500 ms
	// Commit is how long an idle leader waits before it repeats what has been
	// committed, 20 ms. The announcer says it first; this is for whom it did
	// not reach, and each repetition costs every node a message.
	Commit time.Duration
	// Held is how long the leader may leave an item out while it takes others'
	// until this node does something about it, 5 s.
	Held time.Duration
	// Disk is how long a write of the log may take before the process ends.
	Disk time.Duration
}

// Snapshots say when the log is cut. A snapshot costs nothing but a sync of the
// state machine; what is kept is what a node that was away can catch up from
// without having the whole ledger sent.
type Snapshots struct {
	Interval  time.Duration // between two looks at the log, 10 s; Raft staggers it up to twice that
	Threshold uint64        // entries since the last snapshot, 1,024
	Trailing  uint64        // entries kept behind it, at most: 8,192
	// TrailingBytes bounds the same in bytes, 128 MiB: a log that is cut by
	// entries alone can be a second copy of the ledger.
	TrailingBytes int64
}

// Config is what a Node is built from.
type Config struct {
	ID  string // this node's id
	Dir string // private to the node, created
	// Servers are those of the genesis, with which each of them starts. A node
	// that is none of them waits to be taken in.
	Servers      raft.Configuration
	Directory    Directory
	Network      Network
	StateMachine StateMachine

	// What a node signs and verifies in marks.
	Ledger   sm.Digest
	Key      func() *sm.NodeKey
	NodeKeys func(id string) []*sm.NodePublic // in force; none of a stranger

	// Witness says what the regions have seen. Nil: nobody cosigns; the log is
	// cut all the same, and no snapshot of another node is taken.
	Witness Witness
	// Marked is given each sound mark of an applied entry, in the order in
	// which entries are applied. It is called where entries are applied and
	// must not block. Marks in entries from before a restart are not shown
	// again.
	Marked func(index uint64, m Mark)
	// Floor is the highest Raft index that this node has put its name to
	// elsewhere. A log that does not reach it has been rolled back.
	Floor uint64

	Timers    Timers
	Snapshots Snapshots
	Marking   Marking
	// InFlight is how many entries the leader has under way at once, half of
	// them only when they are full: 2 on a LAN, where more only splits what
	// could be one entry; 8 to 16 on a WAN.
	InFlight int

	Logger *slog.Logger
	// Fatal is called once, on a fault of the storage. It must end the
	// process; the default prints one line and exits with status 1.
	Fatal func(error)
	Rand  io.Reader // of proposal ids
}

func (c *Config) defaults() error {
	if c.ID == "" || c.Dir == "" || c.Network == nil || c.StateMachine == nil || c.Directory == nil || c.Key == nil || c.NodeKeys == nil {
		return errors.New("consensus: id, folder, network, state machine, directory and keys are required")
	}
	if len(c.Servers.Servers) == 0 {
		return errors.New("consensus: no servers")
	}
	setDefault(&c.Timers.Heartbeat, time.Second)
	setDefault(&c.Timers.Election, c.Timers.Heartbeat)
	setDefault(&c.Timers.Lease, c.Timers.Heartbeat/2)
	setDefault(&c.Timers.Commit, 20*time.Millisecond)
	setDefault(&c.Timers.Held, 5*time.Second)
	setDefault(&c.Timers.Disk, 10*time.Second)
	setDefault(&c.Snapshots.Interval, 10*time.Second)
	setDefault(&c.Snapshots.Threshold, 1024)
	setDefault(&c.Snapshots.Trailing, 8192)
	setDefault(&c.Snapshots.TrailingBytes, 128<<20)
	setDefault(&c.InFlight, 2)
	setDefault(&c.Marking.Busy, 200*time.Millisecond)
	setDefault(&c.Marking.Idle, 10*time.Second)
	if c.Witness == nil {
		c.Witness = unwitnessed{}
	}
	if c.Marked == nil {
		c.Marked = func(uint64, Mark) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Fatal == nil {
		c.Fatal = func(err error) {
			fmt.Fprintf(os.Stderr, "creditgw: %v; the process ends, nothing unacknowledged is claimed\n", err)
			os.Exit(1)
		}
	}
	return nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// raftConfig returns Raft's settings; docs/performance.md has the measurements.
func (c *Config) raftConfig(leading chan<- bool) *raft.Config {
	r := raft.DefaultConfig()
	r.LocalID = raft.ServerID(c.ID)
	r.HeartbeatTimeout = c.Timers.Heartbeat
	r.ElectionTimeout = c.Timers.Election
	r.LeaderLeaseTimeout = c.Timers.Lease
	r.CommitTimeout = c.Timers.Commit
	// Entries are batches already, a few at a time. Raft reads this many for
	// each request to a node that catches up, and the transport sends 4 MiB
	// of them: with 256 full ones, 16 times what is sent would be read.
	r.MaxAppendEntries = 64
	r.SnapshotInterval = c.Snapshots.Interval
	r.SnapshotThreshold = c.Snapshots.Threshold
	r.TrailingLogs = c.Snapshots.Trailing
	// The state machine recovers by itself; a snapshot only tells Raft where
	// its log begins.
	r.NoSnapshotRestoreOnStart = true
	// A node that is voted out stays up and says so.
	r.ShutdownOnRemove = false
	// A node that was cut off must not depose a healthy leader when it is
	// back.
	r.PreVoteDisabled = false
	r.NoLegacyTelemetry = true
	r.NotifyCh = leading
	r.Logger = newRaftLogger(c.Logger)
	return r
}
