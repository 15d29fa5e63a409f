package witness

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xinqiao/creditgw/peers"
)

// handoversName is the stream on which a node asks another one for handovers:
// docs/formats/peer-stream.md.
const handoversName = "handovers"

// maxHandedOver bounds the checkpoints of one answer.
const maxHandedOver = 64

// handing is what this node knows of the handovers that it lacks: it was away
// when they were cosigned, or is younger than they are. It is of Run's
// goroutine, but for asking.
type handing struct {
	upTo   uint64   // no change up to this size is unknown
	lack   []uint64 // ascending sizes of changes whose handover is not kept
	turn   int      // whose turn it is to be asked
	asking atomic.Bool
}

// lacking brings up to date which handovers this node lacks. A change counts
// from when something behind it is witnessed: until then its handover is being
// cosigned like any other mark.
func (w *Witness) lacking() ([]uint64, error) {
	h := &w.handing
	if latest, ok := w.Latest(); ok && latest.Size-1 > h.upTo {
		sizes, err := w.changes(h.upTo, latest.Size-1)
		if err != nil {
			return nil, err
		}
		h.upTo, h.lack = latest.Size-1, append(h.lack, sizes...)
	}
	if len(h.lack) == 0 {
		return nil, nil
	}
	kept, err := w.history.handovers(h.lack[0], math.MaxInt)
	if err != nil {
		return nil, err
	}
	h.lack = slices.DeleteFunc(h.lack, func(size uint64) bool {
		return slices.ContainsFunc(kept, func(c peers.Checkpoint) bool { return c.Size == size })
	})
	return h.lack, nil
}

// fetch asks one of the other nodes for the handovers that are lacking. What it
// answers goes the way of everything that is heard: verified line by line, held
// against our own ledger, kept if those before the change have cosigned it.
func (w *Witness) fetch(ctx context.Context, streams *sync.WaitGroup) {
	lack, err := w.lacking()
	if err != nil {
		w.cfg.Logger.Error("which handovers are lacking can't be read", "alarm", true, "error", err)
	}
	all := w.cfg.Peers()
	if len(lack) == 0 || len(all) == 0 || !w.handing.asking.CompareAndSwap(false, true) {
		return
	}
	peer, wanted := all[w.handing.turn%len(all)], slices.Clone(lack)
	w.handing.turn++
	streams.Go(func() {
		defer w.handing.asking.Store(false)
		if err := w.fetchFrom(ctx, peer, wanted); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Debug("handovers not fetched", "node", peer.Node, "error", err)
		}
	})
}

func (w *Witness) fetchFrom(ctx context.Context, peer Peer, wanted []uint64) error {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	c, err := w.cfg.Network.Open(ctx, peer.Node, handoversName)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.Write(binary.BigEndian.AppendUint64(nil, wanted[0])); err != nil {
		return err
	}
	handed, err := readHandovers(bufio.NewReader(c))
	for _, checkpoint := range handed {
		if !slices.Contains(wanted, checkpoint.Size) {
			continue
		}
		select {
		case w.heard <- heard{node: peer.Node, region: peer.Region, checkpoint: checkpoint}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// readHandovers reads an answer up to the stream's end. What came before an
// error is returned with it: each checkpoint proves itself.
func readHandovers(r *bufio.Reader) (handed []peers.Checkpoint, err error) {
	for {
		c, err := readCheckpoint(r)
		switch {
		case errors.Is(err, io.EOF):
			return handed, nil
		case err != nil:
			return handed, err
		case c.Size == 0 || len(handed) == maxHandedOver:
			return handed, errFrame
		}
		handed = append(handed, c)
	}
}

// handOver answers a node that lacks handovers from a size on.
func (w *Witness) handOver(node string, c net.Conn) {
	if c.SetDeadline(time.Now().Add(writeLimit)) != nil {
		return
	}
	var from [8]byte
	if _, err := io.ReadFull(c, from[:]); err != nil {
		return
	}
	kept, err := w.history.handovers(binary.BigEndian.Uint64(from[:]), maxHandedOver)
	if err != nil {
		w.cfg.Logger.Error("no handovers for another node", "node", node, "error", err)
		return
	}
	for _, checkpoint := range kept {
		if _, err := c.Write(appendChunk(nil, checkpoint.Marshal())); err != nil {
			return
		}
	}
}
