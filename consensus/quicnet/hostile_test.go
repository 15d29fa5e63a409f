package quicnet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/crypto/sm"
)

func vote(e *Endpoint, to string, term uint64) error {
	return e.RequestVote(raft.ServerID(to), "", &raft.RequestVoteRequest{Term: term}, new(raft.RequestVoteResponse))
}

// A rogue is an endpoint that asks what it likes and believes any answer.
func (n *network) rogue(cfg Config) *Endpoint {
	e := n.listen(cfg)
	e.bind(raftView{term: func() uint64 { return ^uint64(0) }, leader: func() string { return "" }})
	return e
}

// Who can't show that it is a member gets no further than the handshake.
func TestOnlyMembersGetIn(t *testing.T) {
	for _, c := range []struct {
		name   string
		alter  func(t *testing.T, n *network, cfg *Config)
		reason string
	}{
		{"a stranger's node", func(t *testing.T, n *network, cfg *Config) { cfg.ID = "nowhere" }, "stranger"},
		{"a member's name with another key", func(t *testing.T, n *network, cfg *Config) { cfg.Key = holding(newKey(t)) }, "signature"},
		{"a node of another ledger", func(t *testing.T, n *network, cfg *Config) { cfg.Ledger = sm.Sum([]byte("another")) }, "other_ledger"},
		{"a node under the name of the one it dials", func(t *testing.T, n *network, cfg *Config) {
			cfg.ID, cfg.Key = "south", holding(n.keys["south"])
		}, "other_peer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, "north", "south")
			south := n.node("south", 5, "")
			cfg := n.config("north")
			c.alter(t, n, &cfg)
			cfg.Directory = func(string) (Peer, bool) { return n.peers["south"], true } // it believes anything
			rogue := n.rogue(cfg)
			if err := vote(rogue, "south", 6); err == nil {
				t.Error("its vote request was answered")
			}
			waiting.Until(t, "it is counted as "+c.reason, func() bool { return south.Refused()[c.reason] > 0 })
			if len(south.heard()) > 0 {
				t.Errorf("Raft heard %v", south.heard())
			}
		})
	}
}

// A dialler is as careful: who answers at a member's address without its key
// learns nothing and is told nothing.
func TestAnImpostorAtAMembersAddressIsNotBelieved(t *testing.T) {
	n := newNetwork(t, "north", "south")
	cfg := n.config("south")
	cfg.Key = holding(newKey(t))
	n.rogue(cfg)
	north := n.node("north", 5, "")
	if err := vote(north.Endpoint, "south", 6); err == nil {
		t.Error("the impostor's vote counts")
	}
	waiting.Until(t, "it is counted", func() bool { return north.Refused()["signature"] > 0 })
}

// A proof made on one connection is worth nothing on another: that is what the
// exporter value in it is for. Nor does a proof for one role pass for the other.
func TestAProofBelongsToItsConnection(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.listen(n.config("north")), n.listen(n.config("south"))
	here, there := bytes.Repeat([]byte{1}, exporterSize), bytes.Repeat([]byte{2}, exporterSize)
	var sent bytes.Buffer
	if err := north.sendHello(&sent, "south", here, roleDialler); err != nil {
		t.Fatal(err)
	}
	for name, receive := range map[string]func() error{
		"another connection": func() error {
			_, _, err := south.greeted(bytes.NewReader(sent.Bytes()), "", there, roleDialler)
			return err
		},
		"the other role": func() error {
			_, _, err := south.greeted(bytes.NewReader(sent.Bytes()), "", here, roleAcceptor)
			return err
		},
	} {
		if receive() == nil {
			t.Errorf("the proof passes on %s", name)
		}
	}
	if p, boot, err := south.greeted(&sent, "", here, roleDialler); err != nil || p.ID != "north" || boot != north.boot {
		t.Errorf("where it belongs: %v, %v", p.ID, err)
	}
}

// What a member may not say. Raft hears none of it.
func TestWhatAMemberMayNotSay(t *testing.T) {
	members := raft.Configuration{Servers: []raft.Server{{ID: "north", Address: "a"}, {ID: "south", Address: "b"}}}
	forged := raft.Configuration{Servers: append(members.Servers, raft.Server{ID: "nowhere", Address: "c"})}
	appending := func(term uint64, entries ...*raft.Log) func(e *Endpoint) error {
		return func(e *Endpoint) error {
			req := &raft.AppendEntriesRequest{Term: term, PrevLogEntry: 3, PrevLogTerm: 5, Entries: entries}
			return e.AppendEntries("south", "", req, new(raft.AppendEntriesResponse))
		}
	}
	heartbeat := func(term uint64) func(e *Endpoint) error {
		return func(e *Endpoint) error {
			return e.AppendEntries("south", "", &raft.AppendEntriesRequest{Term: term}, new(raft.AppendEntriesResponse))
		}
	}
	installing := func(term uint64, configuration []byte) func(e *Endpoint) error {
		return func(e *Endpoint) error {
			req := &raft.InstallSnapshotRequest{Term: term, LastLogIndex: 9, LastLogTerm: 5, Configuration: configuration, Size: 4}
			return e.InstallSnapshot("south", "", req, new(raft.InstallSnapshotResponse), bytes.NewReader([]byte("data")))
		}
	}
	const far = 5 + maxTermStep + 1
	for _, c := range []struct {
		name   string
		leader string
		say    func(e *Endpoint) error
		reason string
	}{
		{"inflated term in a vote request", "", func(e *Endpoint) error { return vote(e, "south", far) }, "term"},
		{"highest term of all", "", func(e *Endpoint) error { return vote(e, "south", ^uint64(0)) }, "term"},
		{"inflated term in a pre-vote request", "", func(e *Endpoint) error {
			return e.RequestPreVote("south", "", &raft.RequestPreVoteRequest{Term: far}, new(raft.RequestPreVoteResponse))
		}, "term"},
		{"inflated term in an append", "", appending(far), "term"},
		{"inflated term in a heartbeat", "", heartbeat(far), "term"},
		{"inflated term in a snapshot", "", installing(far, raft.EncodeConfiguration(members)), "term"},
		{"forged configuration entry", "north", appending(5, entry(5, raft.LogConfiguration, string(raft.EncodeConfiguration(forged)))), "configuration"},
		{"configuration entry of garbage", "north", appending(5, entry(5, raft.LogConfiguration, "\xc1\xff garbage")), "configuration"},
		{"forged configuration of a snapshot", "north", installing(5, raft.EncodeConfiguration(forged)), "configuration"},
		{"configuration of garbage of a snapshot", "north", installing(5, []byte("\xc1\xff garbage")), "configuration"},
		{"entry of an unknown kind", "north", appending(5, entry(5, 77, "x")), "entry"},
		{"entry of a kind from before configurations", "north", appending(5, entry(5, raft.LogRemovePeerDeprecated, "x")), "entry"},
		{"entry from a later term", "north", appending(5, entry(6, raft.LogCommand, "x")), "entry"},
		{"entries whose terms go back", "north", appending(5, entry(5, raft.LogCommand, "x"), entry(4, raft.LogCommand, "y")), "entry"},
		{"damaged payload", "north", appending(5, entry(5, raft.LogCommand, "rotten")), "payload"},
		{"leader of a term that has another", "west", appending(5), "second_leader"},
		{"heartbeat in a term that has another leader", "west", heartbeat(5), "second_leader"},
		{"election demanded by somebody who does not lead", "west", func(e *Endpoint) error {
			return e.TimeoutNow("south", "", &raft.TimeoutNowRequest{}, new(raft.TimeoutNowResponse))
		}, "not_leader"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, "north", "south")
			north, south := n.rogue(n.config("north")), n.node("south", 5, c.leader)
			if err := c.say(north); err == nil {
				t.Error("it was answered")
			}
			waiting.Until(t, "it is counted as "+c.reason, func() bool { return south.Refused()[c.reason] == 1 })
			if got := south.heard(); len(got) > 0 {
				t.Errorf("Raft heard %+v", got)
			}
			// The connection survives: an honest request goes through.
			if c.leader == "" {
				if err := vote(north, "south", 6); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

func TestANonVoterNeitherLeadsNorStandsForElection(t *testing.T) {
	n := newNetwork(t, "south")
	n.enrol("replica", false)
	south, replica := n.node("south", 5, ""), n.rogue(n.config("replica"))
	if vote(replica, "south", 6) == nil {
		t.Error("it stands for election")
	}
	if replica.AppendEntries("south", "", &raft.AppendEntriesRequest{Term: 6}, new(raft.AppendEntriesResponse)) == nil {
		t.Error("it leads")
	}
	if south.Refused()["not_voter"] != 2 || len(south.heard()) > 0 {
		t.Errorf("counted %v, heard %v", south.Refused(), south.heard())
	}
}

// Whom a node distrusts does not get its vote. Whom others have elected leads all
// the same.
func TestWhoIsDistrustedGetsNoVote(t *testing.T) {
	n := newNetwork(t, "north", "south", "west")
	n.distrusted = "north"
	south, north, west := n.node("south", 5, ""), n.rogue(n.config("north")), n.rogue(n.config("west"))
	preVote := north.RequestPreVote("south", "", &raft.RequestPreVoteRequest{Term: 6}, new(raft.RequestPreVoteResponse))
	if vote(north, "south", 6) == nil || preVote == nil {
		t.Error("it was answered")
	}
	if south.Refused()["candidate"] != 2 || len(south.heard()) > 0 {
		t.Errorf("counted %v, heard %v", south.Refused(), south.heard())
	}
	if err := vote(west, "south", 6); err != nil {
		t.Errorf("another one: %v", err)
	}
	if err := north.AppendEntries("south", "", &raft.AppendEntriesRequest{Term: 7}, new(raft.AppendEntriesResponse)); err != nil {
		t.Errorf("as the leader: %v", err)
	}
}

// Raft adopts the term of a response, and steps down for it.
func TestAnInflatedTermInAResponseIsNotPassedOn(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.node("north", 5, "north"), n.node("south", 5, "north")
	south.mu.Lock()
	south.reply = func(command any) any {
		switch command.(type) {
		case *raft.RequestVoteRequest:
			return &raft.RequestVoteResponse{Term: 1 << 60, Granted: true}
		case *raft.RequestPreVoteRequest:
			return &raft.RequestPreVoteResponse{Term: 1 << 60}
		}
		return &raft.AppendEntriesResponse{Term: 1 << 60}
	}
	south.mu.Unlock()

	var v raft.RequestVoteResponse
	if err := north.RequestVote("south", "", &raft.RequestVoteRequest{Term: 6}, &v); err == nil || v.Term != 0 || v.Granted {
		t.Errorf("vote %+v, %v", v, err)
	}
	var pre raft.RequestPreVoteResponse
	if err := north.RequestPreVote("south", "", &raft.RequestPreVoteRequest{Term: 6}, &pre); err == nil || pre.Term != 0 {
		t.Errorf("pre-vote %+v, %v", pre, err)
	}
	p, err := north.AppendEntriesPipeline("south", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.AppendEntries(&raft.AppendEntriesRequest{Term: 5}, new(raft.AppendEntriesResponse)); err != nil {
		t.Fatal(err)
	}
	if f := <-p.Consumer(); f.Error() == nil || f.Response().Term != 0 {
		t.Errorf("append %+v, %v", f.Response(), f.Error())
	}
	if got := north.Refused()["term"]; got != 3 {
		t.Errorf("%d refusals counted", got)
	}
}

func TestANodeThatHasBeenRemovedIsShutOut(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.rogue(n.config("north")), n.node("south", 5, "")
	if err := vote(north, "south", 6); err != nil {
		t.Fatal(err)
	}
	n.remove("north")
	if err := vote(north, "south", 7); err == nil {
		t.Error("it still votes")
	}
	waiting.Until(t, "it is counted", func() bool { return south.Refused()["stranger"] > 0 })
	if len(south.heard()) != 1 {
		t.Errorf("counted %v, heard %d", south.Refused(), len(south.heard()))
	}
}

// Bytes that are no message end the stream and are counted; the node goes on.
func TestMalformedBytesOnAStream(t *testing.T) {
	n := newNetwork(t, "north", "south")
	north, south := n.rogue(n.config("north")), n.node("south", 5, "")
	for _, c := range []struct{ reason, bytes string }{
		{"malformed", "\x01\x02\x00\x00\x00\x03abc"},       // a vote of three bytes
		{"malformed", "\x01\x09\x00\x00\x00\x00"},          // a kind that does not exist
		{"malformed", "\x01\x01\xff\xff\xff\xff"},          // four gigabytes announced
		{"malformed", "\x01\x04\x00\x00\x00\x01\x00"},      // bytes behind the end
		{"stream", "\x07hello"},                            // a stream for nothing
		{"stream", "\x02\x00"},                             // a handler without a name
		{"stream", "\x02\xff" + string(make([]byte, 255))}, // with too long a one
	} {
		before := south.Refused()[c.reason]
		l, err := north.linkTo(waiting.Context(t), "south")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.open(waiting.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte(c.bytes)); err != nil {
			t.Fatal(err)
		}
		if err := s.SetReadDeadline(time.Now().Add(waiting.Limit)); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, s)
		s.Close()
		waiting.Until(t, "counted as "+c.reason, func() bool { return south.Refused()[c.reason] == before+1 })
	}
	if err := vote(north, "south", 6); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	head, _ := marshalAppend(&raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{entry(1, raft.LogCommand, "")}}, whole)
	f.Add(byte(rpcAppendEntries), head)
	f.Add(byte(rpcRequestVote), append(marshalVote(1, 2, 3), 1))
	f.Add(byte(rpcRequestPreVote), marshalVote(1, 2, 3))
	f.Add(byte(rpcInstallSnapshot), marshalInstall(&raft.InstallSnapshotRequest{Term: 1, Configuration: []byte("c")}))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		command, ok := unmarshalRequest(kind, body)
		if !ok {
			return
		}
		// What parses has one spelling.
		var again []byte
		switch req := command.(type) {
		case *raft.AppendEntriesRequest:
			head, rest := marshalAppend(req, whole)
			again = append(head, bytes.Join(rest, nil)...)
		case *raft.RequestVoteRequest:
			again = appendBool(marshalVote(req.Term, req.LastLogIndex, req.LastLogTerm), req.LeadershipTransfer)
		case *raft.RequestPreVoteRequest:
			again = marshalVote(req.Term, req.LastLogIndex, req.LastLogTerm)
		case *raft.InstallSnapshotRequest:
			again = marshalInstall(req)
		}
		if !bytes.Equal(again, body) {
			t.Errorf("kind %d: %x parses, but is spelled %x", kind, body, again)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x05\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		status, body, err := readFrame(bufio.NewReader(bytes.NewReader(data)), maxResponse)
		if err != nil || status != statusOK {
			return
		}
		for _, resp := range []any{new(raft.AppendEntriesResponse), new(raft.RequestVoteResponse), new(raft.TimeoutNowResponse)} {
			if _, ok := unmarshalResponse(body, resp); ok {
				if again, _ := marshalResponse(resp); !bytes.Equal(again, body) {
					t.Errorf("%T: %x parses, but is spelled %x", resp, body, again)
				}
			}
		}
	})
}

func FuzzHello(f *testing.F) {
	h := hello{from: "north", to: "south", signature: []byte("signature")}
	if b, err := h.marshal(); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var h hello
		if !h.unmarshal(data) {
			return
		}
		if again, err := h.marshal(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x parses, but is spelled %x (%v)", data, again, err)
		}
	})
}

// greedyConfiguration announces a value of 3.4 GB behind a key that Raft's own
// decoder does not know and passes over, with the room that it asks for.
const greedyConfiguration = "\x81\xa7Ser\xc9\xc9\xc9r\xc9\xc9\xff\x10\xff\xff"

// Every membership that Raft can write is read as it was, and bytes that ask
// for much get nothing.
func TestConfigurationsFromOutside(t *testing.T) {
	for _, n := range []int{1, 4, 15, 16, 255, 256} {
		var c raft.Configuration
		for i := range n {
			c.Servers = append(c.Servers, raft.Server{
				Suffrage: raft.ServerSuffrage(i % 3), ID: raft.ServerID(fmt.Sprint("node ", i)),
				Address: raft.ServerAddress(strings.Repeat("a", i) + ":1"),
			})
		}
		if got, err := decodeConfiguration(raft.EncodeConfiguration(c)); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%d servers: %v, %v", n, got, err)
		}
	}
	for _, bad := range []string{"", "\x81", "\x81\xa7Servers\xc0", "\x81\xa7Servers\x90", "\x81\xa7Servers\xdc\xff\xff", greedyConfiguration} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decodeConfiguration([]byte(bad))
		runtime.ReadMemStats(&after)
		if room := after.TotalAlloc - before.TotalAlloc; err == nil || room > 1<<20 {
			t.Errorf("%q: %v, with %d bytes of room", bad, err, room)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add(raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "north", Address: "a"}}}))
	f.Add([]byte{0x81, 0xa7})
	f.Add([]byte(greedyConfiguration))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeConfiguration(data)
		if err == nil && !bytes.Equal(raft.EncodeConfiguration(c), data) {
			t.Errorf("%x decodes, but is spelled %x", data, raft.EncodeConfiguration(c))
		}
	})
}

func BenchmarkAppendEntries(b *testing.B) {
	n := newNetwork(b, "north", "south")
	north, _ := n.node("north", 1, "north"), n.node("south", 1, "north")
	data := string(make([]byte, 256<<10))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		req := &raft.AppendEntriesRequest{Term: 1, PrevLogEntry: 1, PrevLogTerm: 1, Entries: []*raft.Log{entry(1, raft.LogCommand, data)}}
		if err := north.AppendEntries("south", "", req, new(raft.AppendEntriesResponse)); err != nil {
			b.Fatal(err)
		}
	}
}
