package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	rootName = "root"
	// rootAnswers is how many nodes must name the root of a received
	// snapshot, one of which may be its sender: one liar is not enough.
	rootAnswers = 2

	askLimit     = 5 * time.Second
	confirmLimit = 30 * time.Second
	askAgain     = 200 * time.Millisecond
	maxRootBytes = 1 + sm.DigestSize + 1 + 255
)

func rootMessage(size uint64, root sm.Digest) []byte {
	return append(binary.BigEndian.AppendUint64(nil, size), root[:]...)
}

// serveRoot tells a peer the root at the size it asks for, signed.
func (n *Node) serveRoot(peer string, c net.Conn) {
	if err := n.answerRoot(c); err != nil {
		n.cfg.Logger.Debug("root not told", "peer", peer, "error", err)
	}
}

func (n *Node) answerRoot(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(askLimit)); err != nil {
		return err
	}
	var ask [8]byte
	if _, err := io.ReadFull(c, ask[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint64(ask[:])
	root, err := n.cfg.StateMachine.RootAt(size)
	if err != nil {
		return err
	}
	signature, err := n.cfg.Key().Sign(sm.LabelRoot, n.cfg.Ledger, rootMessage(size, root))
	if err != nil {
		return err
	}
	var b cryptobyte.Builder
	b.AddBytes(root[:])
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(signature) })
	answer, err := b.Bytes()
	if err != nil {
		return err
	}
	_, err = c.Write(answer)
	return err
}

// askRoot returns the root that a peer signs for at a size.
func (n *Node) askRoot(ctx context.Context, peer string, size uint64) (sm.Digest, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	c, err := n.cfg.Network.Open(ctx, peer, rootName)
	if err != nil {
		return sm.Digest{}, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(askLimit)); err != nil {
		return sm.Digest{}, err
	}
	if _, err := c.Write(binary.BigEndian.AppendUint64(nil, size)); err != nil {
		return sm.Digest{}, err
	}
	answer, err := io.ReadAll(io.LimitReader(c, maxRootBytes))
	if err != nil {
		return sm.Digest{}, err
	}
	return parseRootAnswer(answer, size, func(msg, signature []byte) error {
		return verifyAny(n.cfg.NodeKeys(peer), sm.LabelRoot, n.cfg.Ledger, msg, signature)
	})
}

func parseRootAnswer(answer []byte, size uint64, verify func(msg, signature []byte) error) (sm.Digest, error) {
	s := cryptobyte.String(answer)
	var root sm.Digest
	var signature cryptobyte.String
	if !s.CopyBytes(root[:]) || !s.ReadUint8LengthPrefixed(&signature) || !s.Empty() {
		return sm.Digest{}, errors.New("consensus: malformed root answer")
	}
	if err := verify(rootMessage(size, root), signature); err != nil {
		return sm.Digest{}, fmt.Errorf("consensus: root answer: %w", err)
	}
	return root, nil
}

// confirm asks the other nodes for their root at a received snapshot's size
// until enough of them have named the snapshot's. A node that is behind is asked
// again; one that names another root is a matter for an alarm, and the others
// decide.
func (n *Node) confirm(p Point) error {
	ctx, cancel := context.WithTimeout(n.ctx, confirmLimit)
	defer cancel()
	others := n.others()
	roots := make(chan sm.Digest, len(others))
	for _, peer := range others {
		n.tasks.Go(func() {
			if root, ok := n.waitRoot(ctx, peer, p.Size); ok {
				if root != p.Root {
					n.cfg.Logger.Error("a node names another root than the snapshot", "peer", peer, "size", p.Size)
				}
				roots <- root
			}
		})
	}
	need, agreed, denied := min(rootAnswers, len(others)), 0, 0
	for agreed < need {
		select {
		case root := <-roots:
			if root == p.Root {
				agreed++
				continue
			}
			if denied++; len(others)-denied < need {
				return fmt.Errorf("consensus: %d nodes name another root at size %d", denied, p.Size)
			}
		case <-ctx.Done():
			return fmt.Errorf("consensus: %d of %d nodes named the root at size %d", agreed, need, p.Size)
		}
	}
	return nil
}

// waitRoot asks one node until it answers or ctx ends.
func (n *Node) waitRoot(ctx context.Context, peer string, size uint64) (sm.Digest, bool) {
	for {
		root, err := n.askRoot(ctx, peer, size)
		if err == nil {
			return root, true
		}
		n.cfg.Logger.Debug("no root yet", "peer", peer, "size", size, "error", err)
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return sm.Digest{}, false
		}
	}
}

// others are the ids of the other servers that Raft has now.
func (n *Node) others() (ids []string) {
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if id := string(s.ID); id != n.cfg.ID {
			ids = append(ids, id)
		}
	}
	return ids
}
