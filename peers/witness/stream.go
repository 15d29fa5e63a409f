package witness

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/xinqiao/creditgw/peers"
)

// streamName is the stream on which a node pushes its cosignatures to another:
// docs/formats/peer-stream.md.
const streamName = "cosign"

const (
	maxMarkBytes = 512
	openLimit    = 3 * time.Second
	writeLimit   = 5 * time.Second
	retryFirst   = 100 * time.Millisecond
	retryMost    = 2 * time.Second
)

var errFrame = errors.New("witness: malformed frame")

// appendChunk adds a length of two bytes and the bytes.
func appendChunk(b, chunk []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(chunk))), chunk...)
}

func readChunk(r *bufio.Reader, most int) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if n > most {
		return nil, errFrame
	}
	chunk := make([]byte, n)
	_, err := io.ReadFull(r, chunk)
	return chunk, err
}

// readCheckpoint returns size 0 for an empty chunk.
func readCheckpoint(r *bufio.Reader) (peers.Checkpoint, error) {
	text, err := readChunk(r, peers.MaxCheckpoint)
	if err != nil || len(text) == 0 {
		return peers.Checkpoint{}, err
	}
	return peers.ParseCheckpoint(text)
}

func textOf(c peers.Checkpoint) []byte {
	if c.Size == 0 {
		return nil
	}
	return c.Marshal()
}

// A greeting is what the accepting node says first: the newest checkpoint that
// carries a line of the opener's region, and the newest witnessed one.
func readGreeting(r *bufio.Reader) (own, newest peers.Checkpoint, err error) {
	if own, err = readCheckpoint(r); err == nil {
		newest, err = readCheckpoint(r)
	}
	return own, newest, err
}

// A frame is what the opener pushes from then on: a checkpoint with its lines,
// and the mark that they answer.
func readFrame(r *bufio.Reader) (c peers.Checkpoint, mark []byte, err error) {
	if c, err = readCheckpoint(r); err == nil {
		mark, err = readChunk(r, maxMarkBytes)
	}
	return c, mark, err
}

// serve greets a node and takes what it pushes.
func (w *Witness) serve(node string, c net.Conn) {
	region, ok := w.regionOf(node)
	if !ok {
		return
	}
	limit, leave := w.ears.listen(node, c)
	defer leave()
	greeting, err := w.greeting(region)
	if err != nil {
		w.cfg.Logger.Error("a witness was not greeted", "node", node, "error", err)
		return
	}
	if c.SetWriteDeadline(time.Now().Add(writeLimit)) != nil {
		return
	}
	if _, err := c.Write(greeting); err != nil {
		return
	}
	for r := bufio.NewReader(c); ; {
		h := heard{node: node, region: region}
		if h.checkpoint, h.mark, err = readFrame(r); err != nil {
			if !errors.Is(err, io.EOF) {
				w.cfg.Logger.Debug("stream of cosignatures ended", "node", node, "error", err)
			}
			return
		}
		time.Sleep(limit.Reserve().Delay())
		select {
		case w.heard <- h:
		case <-w.ended:
			return
		}
	}
}

func (w *Witness) regionOf(node string) (peers.Region, bool) {
	all := w.cfg.Peers()
	i := slices.IndexFunc(all, func(p Peer) bool { return p.Node == node })
	if i < 0 {
		return "", false
	}
	return all[i].Region, true
}

// greeting reminds a region of its newest line. What was never witnessed is
// known only since this process started.
func (w *Witness) greeting(region peers.Region) ([]byte, error) {
	w.mu.Lock()
	own, newest := w.lines[region], w.latest
	w.mu.Unlock()
	kept, err := w.history.newestBy(region)
	if err != nil {
		return nil, err
	}
	if kept.Size > own.Size {
		own = kept
	}
	if newest.Size == 0 { // not yet held against our ledger, still worth telling
		if newest, err = w.history.last(); err != nil {
			return nil, err
		}
	}
	return appendChunk(appendChunk(nil, textOf(own)), textOf(newest)), nil
}

// A pusher brings what this node has signed to one other.
type pusher struct {
	node   Peer
	out    chan heard // the newest: what does not fit is left out
	cancel context.CancelFunc
}

// meet starts and ends pushers as the directory changes.
func (w *Witness) meet(ctx context.Context, streams *sync.WaitGroup) {
	all := w.cfg.Peers()
	for node, p := range w.pushers {
		if !slices.Contains(all, p.node) {
			p.cancel()
			delete(w.pushers, node)
		}
	}
	for _, peer := range all {
		if w.pushers[peer.Node] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		p := &pusher{node: peer, out: make(chan heard, 16), cancel: cancel}
		w.pushers[peer.Node] = p
		streams.Go(func() { w.run(ctx, p) })
	}
}

// push hands a checkpoint with our lines to all pushers.
func (w *Witness) push(h heard) {
	w.mu.Lock()
	w.signed = h
	w.mu.Unlock()
	w.send(h)
}

func (w *Witness) send(h heard) {
	for _, p := range w.pushers {
		select {
		case p.out <- h:
		default: // it is far behind; the last one is said again on its next stream
		}
	}
}

func (w *Witness) run(ctx context.Context, p *pusher) {
	for pause := retryFirst; ctx.Err() == nil; pause = min(2*pause, retryMost) {
		began := time.Now()
		if err := w.pushTo(ctx, p); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Debug("cosignatures not pushed", "node", p.node.Node, "error", err)
		}
		if time.Since(began) > retryMost {
			pause = retryFirst
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// pushTo speaks to one node until its stream breaks.
func (w *Witness) pushTo(ctx context.Context, p *pusher) error {
	open, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	c, err := w.cfg.Network.Open(open, p.node.Node, streamName)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.SetReadDeadline(time.Now().Add(openLimit)); err != nil {
		return err
	}
	h := heard{node: p.node.Node, region: p.node.Region, greeting: true}
	if h.own, h.checkpoint, err = readGreeting(bufio.NewReader(c)); err != nil {
		return fmt.Errorf("witness: greeting: %w", err)
	}
	select {
	case w.heard <- h:
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.Lock()
	last := w.signed
	w.mu.Unlock()
	for next := last; ; {
		if next.checkpoint.Size > 0 || len(next.mark) > 0 {
			if err := c.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
				return err
			}
			if _, err := c.Write(appendChunk(appendChunk(nil, textOf(next.checkpoint)), next.mark)); err != nil {
				return err
			}
		}
		select {
		case next = <-p.out:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
