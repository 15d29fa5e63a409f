package quicnet

import (
	"bytes"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
)

func TestRaftRequestsArriveAsTheyWereSent(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 7, "north"), n.node("south", 7, "north")

	configuration := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{
		{ID: "north", Address: raft.ServerAddress(n.peers["north"].Address)},
		{ID: "south", Address: raft.ServerAddress(n.peers["south"].Address)},
	}})
	req := &raft.AppendEntriesRequest{
		Term: 7, PrevLogEntry: 41, PrevLogTerm: 6, LeaderCommitIndex: 40,
		Entries: []*raft.Log{
			entry(6, raft.LogNoop, ""), entry(7, raft.LogCommand, "a payload"),
			entry(7, raft.LogConfiguration, string(configuration)),
		},
	}
	var resp raft.AppendEntriesResponse
	if err := north.AppendEntries("south", "", req, &resp); err != nil {
		t.Fatal(err)
	}
	if !resp.Success || resp.LastLog != 44 || north.Acknowledged("south") != 44 {
		t.Errorf("response %+v, acknowledged %d", resp, north.Acknowledged("south"))
	}
	got := south.heard()[0].(*raft.AppendEntriesRequest)
	if string(got.ID) != "north" || string(got.Addr) != n.peers["north"].Address {
		t.Errorf("the request says it is from %s at %s", got.ID, got.Addr)
	}
	if got.Term != 7 || got.PrevLogEntry != 41 || got.PrevLogTerm != 6 || got.LeaderCommitIndex != 40 || len(got.Entries) != 3 {
		t.Errorf("got %+v", got)
	}
	for i, l := range got.Entries {
		want := req.Entries[i]
		if l.Index != 42+uint64(i) || l.Term != want.Term || l.Type != want.Type || !bytes.Equal(l.Data, want.Data) {
			t.Errorf("entry %d is %+v", i, l)
		}
	}

	var vote raft.RequestVoteResponse
	if err := south.RequestVote("north", "", &raft.RequestVoteRequest{Term: 8, LastLogIndex: 44, LastLogTerm: 7, LeadershipTransfer: true}, &vote); err != nil {
		t.Fatal(err)
	}
	asked := north.heard()[0].(*raft.RequestVoteRequest)
	if !vote.Granted || vote.Term != 8 || asked.Term != 8 || asked.LastLogIndex != 44 || asked.LastLogTerm != 7 || !asked.LeadershipTransfer {
		t.Errorf("vote %+v for %+v", vote, asked)
	}
	var pre raft.RequestPreVoteResponse
	if err := south.RequestPreVote("north", "", &raft.RequestPreVoteRequest{Term: 8}, &pre); err != nil || !pre.Granted {
		t.Errorf("pre-vote %+v, %v", pre, err)
	}
	if err := north.TimeoutNow("south", "", &raft.TimeoutNowRequest{}, new(raft.TimeoutNowResponse)); err != nil {
		t.Error(err)
	}
	snapshot := bytes.Repeat([]byte("entry "), 100_000)
	var installed raft.InstallSnapshotResponse
	err := north.InstallSnapshot("south", "", &raft.InstallSnapshotRequest{
		Term: 7, LastLogIndex: 40, LastLogTerm: 6, Configuration: configuration, ConfigurationIndex: 1, Size: int64(len(snapshot)),
	}, &installed, bytes.NewReader(snapshot))
	if err != nil || !installed.Success {
		t.Errorf("snapshot %+v, %v", installed, err)
	}
}

func TestPipelineKeepsOrderAndCutsWhatIsTooLong(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 3, "north"), n.node("south", 3, "north")
	p, err := north.AppendEntriesPipeline("south", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	big := string(make([]byte, maxAppend/2))
	long := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 9, PrevLogTerm: 3,
		Entries: []*raft.Log{entry(3, raft.LogCommand, big), entry(3, raft.LogCommand, big), entry(3, raft.LogCommand, "third")}}
	if _, err := p.AppendEntries(long, new(raft.AppendEntriesResponse)); err != nil {
		t.Fatal(err)
	}
	if len(long.Entries) != 2 {
		t.Errorf("%d entries sent in one request", len(long.Entries))
	}
	next := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 11, PrevLogTerm: 3, Entries: []*raft.Log{entry(3, raft.LogCommand, "third")}}
	if _, err := p.AppendEntries(next, new(raft.AppendEntriesResponse)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []uint64{11, 12} {
		f := <-p.Consumer()
		if err := f.Error(); err != nil || f.Response().LastLog != want {
			t.Fatalf("answer %+v, %v; want last log %d", f.Response(), err, want)
		}
	}
	if got := len(south.heard()); got != 2 {
		t.Errorf("%d requests arrived", got)
	}
}

// What a peer has is not sent to it on a pipeline. When it has it no more it fails
// that request, and what is sent to it then is whole.
func TestAPipelineLeavesOutWhatThePeerHas(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.endpoint("north"), n.endpoint("south")
	north.Abridge(func(peer string, data []byte) [][]byte {
		return [][]byte{data[:3], []byte("?" + peer), data[6:]}
	}, nil)
	var has atomic.Bool
	has.Store(true)
	south.Abridge(nil, func(data []byte, room int) ([]byte, error) {
		if !has.Load() {
			return nil, errors.New("no longer")
		}
		return bytes.Replace(data, []byte("?south"), []byte("own"), 1), nil
	})
	leader, follower := n.behind(north, 3, "north"), n.behind(south, 3, "north")
	request := func() *raft.AppendEntriesRequest {
		return &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 9, PrevLogTerm: 3,
			Entries: []*raft.Log{entry(3, raft.LogCommand, "an own item"), entry(3, raft.LogNoop, "")}}
	}
	p, err := leader.AppendEntriesPipeline("south", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	send := func() error {
		if _, err := p.AppendEntries(request(), new(raft.AppendEntriesResponse)); err != nil {
			t.Fatal(err)
		}
		f := <-p.Consumer()
		return f.Error()
	}
	arrived := func() string {
		heard := follower.heard()
		return string(heard[len(heard)-1].(*raft.AppendEntriesRequest).Entries[0].Data)
	}
	if err := send(); err != nil || arrived() != "an own item" {
		t.Errorf("%q arrived, %v", arrived(), err)
	}
	has.Store(false)
	if err := send(); !errors.Is(err, errFailedAtPeer) {
		t.Errorf("south lacks the item: %v", err)
	}
	if len(follower.heard()) != 1 || follower.Refused()["payload"] != 0 {
		t.Errorf("Raft heard %d requests, refused %v", len(follower.heard()), follower.Refused())
	}
	has.Store(true) // it would be restored, were it abridged
	if err := leader.AppendEntries("south", "", request(), new(raft.AppendEntriesResponse)); err != nil || arrived() != "an own item" {
		t.Errorf("%q arrived, %v", arrived(), err)
	}
}

// A membership behind entries that are not there yet can't be judged: the
// leader is told where the log ends, as Raft would, and nobody is accused.
func TestAMembershipComesAfterWhatStandsBeforeIt(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 7, "north"), n.node("south", 7, "north")
	members := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "north", Address: "a"}}})
	req := &raft.AppendEntriesRequest{
		Term: 7, PrevLogEntry: lastEntry + 5, PrevLogTerm: 7,
		Entries: []*raft.Log{entry(7, raft.LogConfiguration, string(members))},
	}
	var resp raft.AppendEntriesResponse
	if err := north.AppendEntries("south", "", req, &resp); err != nil || resp.Success || resp.LastLog != lastEntry || !resp.NoRetryBackoff {
		t.Errorf("answered %+v, %v", resp, err)
	}
	if got := south.heard(); len(got) > 0 || south.Refused()["configuration"] != 0 {
		t.Errorf("Raft heard %v, refused %v", got, south.Refused())
	}
}
