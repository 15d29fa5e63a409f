package quicnet

import (
	"bufio"
	"errors"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

const (
	streamBuffer = 32 << 10
	// snapshotStall bounds the silence within a snapshot's stream.
	snapshotStall = 15 * time.Second
)

// serveRPC answers the RPCs on one stream, one after the other.
func (e *Endpoint) serveRPC(l *link, s *stream) {
	// The stream idles between two heartbeats, two elections, for as long as
	// the connection lives.
	if s.SetReadDeadline(time.Time{}) != nil {
		return
	}
	r, w := bufio.NewReaderSize(s, streamBuffer), bufio.NewWriterSize(s, 256)
	for {
		kind, body, err := readFrame(r, maxBody)
		if err != nil {
			if errors.Is(err, errMalformed) {
				e.refuse(refusedMalformed, l.peer.ID, err.Error())
			}
			return
		}
		command, ok := unmarshalRequest(kind, body)
		if !ok {
			e.refuse(refusedMalformed, l.peer.ID, "request doesn't parse")
			return
		}
		status, resp, ok := e.answer(l, command, r, s)
		if !ok {
			return
		}
		if s.SetWriteDeadline(time.Now().Add(rpcTimeout)) != nil || writeFrame(w, status, resp) != nil {
			return
		}
		if kind == rpcInstallSnapshot {
			return
		}
	}
}

// answer checks a request, has Raft process it and returns the response's
// frame. It reports false when the stream can't go on.
func (e *Endpoint) answer(l *link, command any, r *bufio.Reader, s *stream) (byte, []byte, bool) {
	peer, known := e.cfg.Directory(l.peer.ID)
	if !known || !peer.has(l.peer.Keys[0]) {
		// Removed, or its key has been rotated: it has to show itself anew.
		e.refuse(refusedStranger, l.peer.ID, "no longer in the directory with this key")
		closeConn(l.conn, refusedStranger)
		return 0, nil, false
	}
	peer.ID = l.peer.ID
	fillHeader(command, peer)
	if err := e.restore(command); err != nil {
		e.log.Debug("abridged request failed", "peer", peer.ID, "error", err)
		return statusFailed, nil, true
	}
	refused := e.check(peer, command)
	if refused != nil && refused.reason == refusedBehind {
		body, ok := marshalResponse(e.behind())
		return statusOK, body, ok
	}
	if refused != nil {
		e.refuse(refused.reason, peer.ID, refused.detail)
		return statusRefused, nil, true
	}
	responses := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: command, RespChan: responses}
	if req, ok := command.(*raft.InstallSnapshotRequest); ok {
		rpc.Reader = io.LimitReader(&liveReader{r: r, s: s}, req.Size)
	}
	if beat := e.beat.Load(); beat != nil && isHeartbeat(command) {
		(*beat)(rpc)
	} else {
		select {
		case e.consumer <- rpc:
		case <-e.ctx.Done():
			return 0, nil, false
		}
	}
	select {
	case got := <-responses:
		if got.Error != nil {
			return statusFailed, nil, true
		}
		body, ok := marshalResponse(got.Response)
		return statusOK, body, ok
	case <-e.ctx.Done():
		return 0, nil, false
	}
}

// Stand has this node's own Raft stand for election at once: what TimeoutNow
// asks, which no peer but the leader may.
func (e *Endpoint) Stand() {
	req := &raft.TimeoutNowRequest{}
	fillHeader(req, Peer{ID: e.cfg.ID, Address: e.cfg.Address})
	select {
	case e.consumer <- raft.RPC{Command: req, RespChan: make(chan raft.RPCResponse, 1)}:
	case <-e.ctx.Done():
	}
}

// restore puts in again what the entries of a request lack: all of them together
// become no larger than a request may be.
func (e *Endpoint) restore(command any) error {
	req, ok := command.(*raft.AppendEntriesRequest)
	if !ok || len(req.Entries) == 0 {
		return nil
	}
	e.view() // waits for Bind, which comes after Abridge
	room := maxAppend
	for _, l := range req.Entries {
		if l.Type != raft.LogCommand {
			continue
		}
		data, err := e.abridged.restore(l.Data, room)
		if err != nil {
			return err
		}
		room -= len(data) - len(l.Data)
		l.Data = data
	}
	return nil
}

// behind is Raft's own answer to a leader that has to send older entries first.
func (e *Endpoint) behind() *raft.AppendEntriesResponse {
	v := e.view()
	return &raft.AppendEntriesResponse{Term: v.term(), LastLog: v.last(), NoRetryBackoff: true}
}

// fillHeader writes who sent the request: the peer of the connection, whatever
// it may have wished to say.
func fillHeader(command any, peer Peer) {
	h := raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax,
		ID:              []byte(peer.ID),
		Addr:            []byte(peer.Address),
	}
	switch req := command.(type) {
	case *raft.AppendEntriesRequest:
		req.RPCHeader = h
	case *raft.RequestVoteRequest:
		req.RPCHeader = h
	case *raft.RequestPreVoteRequest:
		req.RPCHeader = h
	case *raft.TimeoutNowRequest:
		req.RPCHeader = h
	case *raft.InstallSnapshotRequest:
		req.RPCHeader = h
	}
}

// isHeartbeat recognises what Raft may process beside its main loop, so that a
// slow disk is not taken for a dead leader.
func isHeartbeat(command any) bool {
	req, ok := command.(*raft.AppendEntriesRequest)
	return ok && req.Term != 0 && req.PrevLogEntry == 0 && req.PrevLogTerm == 0 &&
		len(req.Entries) == 0 && req.LeaderCommitIndex == 0
}

// A liveReader reads a long body and gives up when nothing comes any more.
type liveReader struct {
	r io.Reader
	s *stream
}

func (l *liveReader) Read(p []byte) (int, error) {
	if err := l.s.SetReadDeadline(time.Now().Add(snapshotStall)); err != nil {
		return 0, err
	}
	return l.r.Read(p)
}
