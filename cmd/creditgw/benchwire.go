package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"runtime"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// benchFrame is what load and bench servers exchange over TCP: a 4-byte length
// of the rest, the request's number, an operation and its payload. Only the
// hidden server of the benchmark listens for it.
type benchFrame struct {
	id      uint64
	op      byte
	payload []byte
}

const (
	opItem  byte = 1 // payload: header, content key, body; answered when applied here
	opState byte = 2 // payload: the ledger size to wait for
	opDone  byte = 3 // the answer
	opError byte = 4 // the answer; payload: why
	opSeen  byte = 5 // answered when what is applied now is witnessed
)

const (
	frameHead = 8 + 1
	maxFrame  = frameHead + 2 + exchange.MaxHeader + sm.ContentKeySize + exchange.MaxBody
)

func writeFrame(w *bufio.Writer, f benchFrame) error {
	var head [4 + frameHead]byte
	binary.BigEndian.PutUint32(head[:], uint32(frameHead+len(f.payload)))
	binary.BigEndian.PutUint64(head[4:], f.id)
	head[12] = f.op
	_, _ = w.Write(head[:]) // the error stays until the next write
	_, err := w.Write(f.payload)
	return err
}

func readFrame(r *bufio.Reader) (benchFrame, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return benchFrame{}, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < frameHead || n > maxFrame {
		return benchFrame{}, errors.New("frame of a wrong length")
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return benchFrame{}, err
	}
	return benchFrame{id: binary.BigEndian.Uint64(raw), op: raw[8], payload: raw[frameHead:]}, nil
}

// copyFrames writes frames as they come and flushes when no more are waiting, nor
// come from those who are about to run: an answer to fifty brings fifty requests.
func copyFrames(w io.Writer, frames <-chan benchFrame, done <-chan struct{}) error {
	out := bufio.NewWriterSize(w, 64<<10)
	for {
		select {
		case f := <-frames:
			if err := writeFrame(out, f); err != nil {
				return err
			}
		case <-done:
			return nil
		}
		if len(frames) == 0 {
			runtime.Gosched()
		}
		if len(frames) == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func marshalItem(e exchange.Pending) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, 2+len(e.Header)+len(e.Key)+len(e.Body)))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.Header) })
	b.AddBytes(e.Key[:])
	b.AddBytes(e.Body)
	return b.Bytes()
}

// parseItem keeps raw's memory.
func parseItem(raw []byte) (exchange.Pending, error) {
	var e exchange.Pending
	s := cryptobyte.String(raw)
	var header cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&header) || !s.CopyBytes(e.Key[:]) {
		return e, errors.New("item length")
	}
	h, err := exchange.ParseHeader(header)
	if err != nil {
		return e, err
	}
	e.ID, e.Header, e.Body = h.ID, header, s
	return e, nil
}
