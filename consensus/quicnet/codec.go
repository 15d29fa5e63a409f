package quicnet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
	"golang.org/x/crypto/cryptobyte"
)

// The kinds of request, the first byte of a frame.
const (
	rpcAppendEntries   = 1
	rpcRequestVote     = 2
	rpcRequestPreVote  = 3
	rpcTimeoutNow      = 4
	rpcInstallSnapshot = 5
)

// What a response says first.
const (
	statusOK      = 0
	statusRefused = 1 // by the transport's checks
	statusFailed  = 2 // by Raft
)

const (
	headerSize = 5 // kind or status, and the body's length in four bytes
	// maxAppend bounds the entries of one AppendEntries in bytes. Raft counts
	// entries only; cutting is done here, see trim.
	maxAppend = 4 << 20
	// maxBody is what a reader accepts: maxAppend and the entries' headers.
	maxBody = maxAppend + 64<<10
	// maxEntries is Raft's own limit for MaxAppendEntries.
	maxEntries = 1024
	// maxResponse bounds the body of a response.
	maxResponse = 64
	// bigBody is where a body's memory is taken as the bytes come, not as
	// they are announced.
	bigBody = 1 << 20

	entryHeaderSize = 8 + 1 + 4
)

var errMalformed = errors.New("quicnet: malformed message")

func writeFrame(w *bufio.Writer, kind byte, body []byte, rest ...[]byte) error {
	n := len(body)
	for _, r := range rest {
		n += len(r)
	}
	var h [headerSize]byte
	h[0] = kind
	binary.BigEndian.PutUint32(h[1:], uint32(n))
	// bufio keeps the first error and returns it from Flush.
	w.Write(h[:])
	w.Write(body)
	for _, r := range rest {
		w.Write(r)
	}
	return w.Flush()
}

func readFrame(r *bufio.Reader, limit int) (kind byte, body []byte, err error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(h[1:]))
	if n > limit {
		return 0, nil, fmt.Errorf("%w: body of %d bytes", errMalformed, n)
	}
	if n <= bigBody {
		body = make([]byte, n)
		_, err = io.ReadFull(r, body)
	} else {
		var b bytes.Buffer
		_, err = io.CopyN(&b, r, int64(n))
		body = b.Bytes()
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return h[0], body, err
}

// trim cuts the entries of a request to maxAppend bytes, but not below one.
// Raft looks at the request again when the answer is there and goes on after
// the last entry that is still in it.
func trim(req *raft.AppendEntriesRequest) {
	size := 0
	for i, l := range req.Entries {
		size += len(l.Data)
		if size > maxAppend && i > 0 {
			req.Entries = req.Entries[:i]
			return
		}
	}
}

// marshalAppend returns the request's fixed part and the entries' headers; the
// entries' bytes follow it in the frame, uncopied: of each, the pieces that data
// returns.
func marshalAppend(req *raft.AppendEntriesRequest, data func(*raft.Log) [][]byte) (head []byte, rest [][]byte) {
	b := make([]byte, 0, 4*8+2+len(req.Entries)*entryHeaderSize)
	b = binary.BigEndian.AppendUint64(b, req.Term)
	b = binary.BigEndian.AppendUint64(b, req.PrevLogEntry)
	b = binary.BigEndian.AppendUint64(b, req.PrevLogTerm)
	b = binary.BigEndian.AppendUint64(b, req.LeaderCommitIndex)
	b = binary.BigEndian.AppendUint16(b, uint16(len(req.Entries)))
	for _, l := range req.Entries {
		b = binary.BigEndian.AppendUint64(b, l.Term)
		b = append(b, byte(l.Type))
		size := 0
		for _, piece := range data(l) {
			size += len(piece)
			rest = append(rest, piece)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(size))
	}
	return b, rest
}

// whole is an entry's bytes as they are.
func whole(l *raft.Log) [][]byte { return [][]byte{l.Data} }

// unmarshalAppend builds the request. Entries alias body. Their indexes are not
// on the wire: they follow each other from the previous one.
func unmarshalAppend(body []byte, req *raft.AppendEntriesRequest) bool {
	s := cryptobyte.String(body)
	var n uint16
	if !s.ReadUint64(&req.Term) || !s.ReadUint64(&req.PrevLogEntry) || !s.ReadUint64(&req.PrevLogTerm) ||
		!s.ReadUint64(&req.LeaderCommitIndex) || !s.ReadUint16(&n) || n > maxEntries {
		return false
	}
	var headers []byte
	if !s.ReadBytes(&headers, int(n)*entryHeaderSize) {
		return false
	}
	if req.PrevLogEntry > ^uint64(0)-maxEntries {
		return false
	}
	if n == 0 {
		return s.Empty()
	}
	logs := make([]raft.Log, n)
	req.Entries = make([]*raft.Log, n)
	for i := range logs {
		l, h := &logs[i], headers[i*entryHeaderSize:]
		l.Index = req.PrevLogEntry + 1 + uint64(i)
		l.Term = binary.BigEndian.Uint64(h)
		l.Type = raft.LogType(h[8])
		size := binary.BigEndian.Uint32(h[9:])
		if uint64(size) > uint64(len(s)) || !s.ReadBytes(&l.Data, int(size)) {
			return false
		}
		req.Entries[i] = l
	}
	return s.Empty()
}

func marshalVote(term, lastIndex, lastTerm uint64) []byte {
	b := make([]byte, 0, 25)
	b = binary.BigEndian.AppendUint64(b, term)
	b = binary.BigEndian.AppendUint64(b, lastIndex)
	return binary.BigEndian.AppendUint64(b, lastTerm)
}

func readVote(s *cryptobyte.String, term, lastIndex, lastTerm *uint64) bool {
	return s.ReadUint64(term) && s.ReadUint64(lastIndex) && s.ReadUint64(lastTerm)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func readBool(s *cryptobyte.String, v *bool) bool {
	var b uint8
	if !s.ReadUint8(&b) || b > 1 {
		return false
	}
	*v = b == 1
	return true
}

func marshalInstall(req *raft.InstallSnapshotRequest) []byte {
	b := make([]byte, 0, 5*8+2+len(req.Configuration))
	for _, v := range []uint64{req.Term, req.LastLogIndex, req.LastLogTerm, req.ConfigurationIndex, uint64(req.Size)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(req.Configuration)))
	return append(b, req.Configuration...)
}

func unmarshalInstall(body []byte, req *raft.InstallSnapshotRequest) bool {
	s := cryptobyte.String(body)
	var size uint64
	var conf cryptobyte.String
	if !s.ReadUint64(&req.Term) || !s.ReadUint64(&req.LastLogIndex) || !s.ReadUint64(&req.LastLogTerm) ||
		!s.ReadUint64(&req.ConfigurationIndex) || !s.ReadUint64(&size) || size > 1<<62 ||
		!s.ReadUint16LengthPrefixed(&conf) || !s.Empty() {
		return false
	}
	req.Size = int64(size)
	req.Configuration = conf
	req.SnapshotVersion = 1
	return true
}

// unmarshalRequest parses the body of a request other than InstallSnapshot's
// stream, which follows its frame.
func unmarshalRequest(kind byte, body []byte) (any, bool) {
	s := cryptobyte.String(body)
	switch kind {
	case rpcAppendEntries:
		req := new(raft.AppendEntriesRequest)
		return req, unmarshalAppend(body, req)
	case rpcRequestVote:
		req := new(raft.RequestVoteRequest)
		ok := readVote(&s, &req.Term, &req.LastLogIndex, &req.LastLogTerm) &&
			readBool(&s, &req.LeadershipTransfer) && s.Empty()
		return req, ok
	case rpcRequestPreVote:
		req := new(raft.RequestPreVoteRequest)
		return req, readVote(&s, &req.Term, &req.LastLogIndex, &req.LastLogTerm) && s.Empty()
	case rpcTimeoutNow:
		return new(raft.TimeoutNowRequest), s.Empty()
	case rpcInstallSnapshot:
		req := new(raft.InstallSnapshotRequest)
		return req, unmarshalInstall(body, req)
	}
	return nil, false
}

func marshalResponse(resp any) ([]byte, bool) {
	b := make([]byte, 0, maxResponse)
	switch r := resp.(type) {
	case *raft.AppendEntriesResponse:
		b = binary.BigEndian.AppendUint64(b, r.Term)
		b = binary.BigEndian.AppendUint64(b, r.LastLog)
		return appendBool(appendBool(b, r.Success), r.NoRetryBackoff), true
	case *raft.RequestVoteResponse:
		return appendBool(binary.BigEndian.AppendUint64(b, r.Term), r.Granted), true
	case *raft.RequestPreVoteResponse:
		return appendBool(binary.BigEndian.AppendUint64(b, r.Term), r.Granted), true
	case *raft.InstallSnapshotResponse:
		return appendBool(binary.BigEndian.AppendUint64(b, r.Term), r.Success), true
	case *raft.TimeoutNowResponse:
		return b, true
	}
	return nil, false
}

// unmarshalResponse fills resp and returns the term in it.
func unmarshalResponse(body []byte, resp any) (term uint64, ok bool) {
	s := cryptobyte.String(body)
	switch r := resp.(type) {
	case *raft.AppendEntriesResponse:
		ok = s.ReadUint64(&r.Term) && s.ReadUint64(&r.LastLog) && readBool(&s, &r.Success) && readBool(&s, &r.NoRetryBackoff)
		term = r.Term
	case *raft.RequestVoteResponse:
		ok = s.ReadUint64(&r.Term) && readBool(&s, &r.Granted)
		term = r.Term
	case *raft.RequestPreVoteResponse:
		ok = s.ReadUint64(&r.Term) && readBool(&s, &r.Granted)
		term = r.Term
	case *raft.InstallSnapshotResponse:
		ok = s.ReadUint64(&r.Term) && readBool(&s, &r.Success)
		term = r.Term
	case *raft.TimeoutNowResponse:
		ok = true
	}
	return term, ok && s.Empty()
}
