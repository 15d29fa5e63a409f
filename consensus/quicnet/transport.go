package quicnet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// rpcTimeout bounds an RPC. A follower's disk may take its time; that the
	// peer is gone altogether is noticed by the connection.
	rpcTimeout = 10 * time.Second
	// snapshotRate is the slowest pace, in bytes a second, at which a
	// receiver is given time to verify a snapshot before it answers.
	snapshotRate = 1 << 20
)

// errRefusedByPeer stands for all that a peer answers instead of a response.
// What it says is in its own log: Raft reads meaning into an error's words.
var (
	errRefusedByPeer = errors.New("quicnet: the peer refused the request")
	errFailedAtPeer  = errors.New("quicnet: the peer could not process the request")
)

// Consumer returns the requests that have passed the checks.
func (e *Endpoint) Consumer() <-chan raft.RPC { return e.consumer }

// LocalAddr returns this node's address as its peers know it.
func (e *Endpoint) LocalAddr() raft.ServerAddress { return raft.ServerAddress(e.cfg.Address) }

// EncodePeer returns the address as bytes.
func (e *Endpoint) EncodePeer(_ raft.ServerID, addr raft.ServerAddress) []byte { return []byte(addr) }

// DecodePeer is EncodePeer's reverse.
func (e *Endpoint) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

// SetHeartbeatHandler takes the fast path for heartbeats.
func (e *Endpoint) SetHeartbeatHandler(beat func(raft.RPC)) { e.beat.Store(&beat) }

// AppendEntries implements raft.Transport. It may shorten req.Entries; Raft
// sends the rest next.
func (e *Endpoint) AppendEntries(id raft.ServerID, _ raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	trim(req)
	head, rest := marshalAppend(req, whole)
	if err := e.call(id, rpcAppendEntries, head, resp, rest...); err != nil {
		return err
	}
	e.noteAppend(string(id), req, resp)
	return nil
}

// RequestVote implements raft.Transport.
func (e *Endpoint) RequestVote(id raft.ServerID, _ raft.ServerAddress, req *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	body := appendBool(marshalVote(req.Term, req.LastLogIndex, req.LastLogTerm), req.LeadershipTransfer)
	return e.call(id, rpcRequestVote, body, resp)
}

// RequestPreVote implements raft.WithPreVote.
func (e *Endpoint) RequestPreVote(id raft.ServerID, _ raft.ServerAddress, req *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return e.call(id, rpcRequestPreVote, marshalVote(req.Term, req.LastLogIndex, req.LastLogTerm), resp)
}

// TimeoutNow implements raft.Transport.
func (e *Endpoint) TimeoutNow(id raft.ServerID, _ raft.ServerAddress, _ *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return e.call(id, rpcTimeoutNow, nil, resp)
}

// InstallSnapshot implements raft.Transport. Its stream is not used again.
func (e *Endpoint) InstallSnapshot(id raft.ServerID, _ raft.ServerAddress, req *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if len(req.Configuration) > 1<<16-1 {
		return fmt.Errorf("quicnet: configuration of %d bytes", len(req.Configuration))
	}
	_, s, err := e.rpcStream(id)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	if err := writeFrame(s.w, rpcInstallSnapshot, marshalInstall(req)); err != nil {
		return fmt.Errorf("quicnet: snapshot to %s: %w", id, err)
	}
	if _, err := io.Copy(&liveWriter{s.conn}, io.LimitReader(data, req.Size)); err != nil {
		return fmt.Errorf("quicnet: snapshot to %s: %w", id, err)
	}
	wait := time.Minute + time.Duration(req.Size/snapshotRate)*time.Second
	if err := s.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return fmt.Errorf("quicnet: snapshot to %s: %w", id, err)
	}
	return e.readResponse(string(id), s, resp)
}

// An rpcStream is a stream for one call at a time, or for one pipeline.
type rpcStream struct {
	conn *stream
	r    *bufio.Reader
	w    *bufio.Writer
}

func (e *Endpoint) rpcStream(id raft.ServerID) (*link, *rpcStream, error) {
	ctx, cancel := context.WithTimeout(e.ctx, rpcTimeout)
	defer cancel()
	l, err := e.linkTo(ctx, string(id))
	if err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		s := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return l, s, nil
	}
	l.mu.Unlock()
	conn, err := l.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	s := &rpcStream{conn: conn, r: bufio.NewReaderSize(conn, 256), w: bufio.NewWriterSize(conn, streamBuffer)}
	if err := s.w.WriteByte(streamRPC); err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("quicnet: stream to %s: %w", id, err)
	}
	return l, s, nil
}

func (l *link) keep(s *rpcStream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) < maxIdle && l.alive() {
		l.idle = append(l.idle, s)
		return
	}
	s.conn.Close()
}

// call makes one request and waits for its response.
func (e *Endpoint) call(id raft.ServerID, kind byte, body []byte, resp any, rest ...[]byte) error {
	l, s, err := e.rpcStream(id)
	if err != nil {
		return err
	}
	if err = s.conn.SetDeadline(time.Now().Add(rpcTimeout)); err == nil {
		err = writeFrame(s.w, kind, body, rest...)
	}
	if err != nil {
		s.conn.Close()
		return fmt.Errorf("quicnet: request to %s: %w", id, err)
	}
	err = e.readResponse(string(id), s, resp)
	if err != nil && !errors.Is(err, errRefusedByPeer) && !errors.Is(err, errFailedAtPeer) {
		s.conn.Close()
		return err
	}
	l.keep(s)
	return err
}

// readResponse reads a response and checks what Raft would believe: a term in a
// response makes it step down and adopt that term.
func (e *Endpoint) readResponse(peer string, s *rpcStream, resp any) error {
	status, body, err := readFrame(s.r, maxResponse)
	if err != nil {
		if errors.Is(err, errMalformed) {
			e.refuse(refusedResponse, peer, err.Error())
		}
		return fmt.Errorf("quicnet: response of %s: %w", peer, err)
	}
	switch status {
	case statusOK:
	case statusRefused:
		return errRefusedByPeer
	default:
		return errFailedAtPeer
	}
	term, ok := unmarshalResponse(body, resp)
	if !ok {
		e.refuse(refusedResponse, peer, "response doesn't parse")
		return fmt.Errorf("quicnet: response of %s: %w", peer, errMalformed)
	}
	if refused := e.checkTerm(term); refused != nil {
		e.refuse(refused.reason, peer, "in a response: "+refused.detail)
		clearResponse(resp)
		return refused
	}
	return nil
}

// clearResponse takes back what a refused response has filled in.
func clearResponse(resp any) {
	switch r := resp.(type) {
	case *raft.AppendEntriesResponse:
		*r = raft.AppendEntriesResponse{}
	case *raft.RequestVoteResponse:
		*r = raft.RequestVoteResponse{}
	case *raft.RequestPreVoteResponse:
		*r = raft.RequestPreVoteResponse{}
	case *raft.InstallSnapshotResponse:
		*r = raft.InstallSnapshotResponse{}
	}
}

func (e *Endpoint) noteAppend(peer string, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) {
	if resp.Success && !isHeartbeat(req) {
		e.acknowledge(peer, req.PrevLogEntry+uint64(len(req.Entries)))
	}
}

// A liveWriter writes a long body and gives up when nobody reads any more.
type liveWriter struct{ s *stream }

func (l *liveWriter) Write(p []byte) (int, error) {
	if err := l.s.SetWriteDeadline(time.Now().Add(snapshotStall)); err != nil {
		return 0, err
	}
	return l.s.Write(p)
}
