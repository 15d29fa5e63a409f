package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// A Mark is a leader's signed word on the ledger at a size that it has applied:
// where all nodes compare their roots. It travels beside the items of an entry,
// is no leaf and no input of the state machine.
type Mark struct {
	Term      uint64 // in which the signer led
	Size      uint64
	Root      sm.Digest
	Signer    string // node id
	Signature []byte
}

const (
	maxSigner    = 64
	maxSignature = 72
	// MaxMark bounds the bytes of a mark.
	MaxMark = 8 + 8 + sm.DigestSize + 1 + maxSigner + 1 + maxSignature
)

var errMark = errors.New("consensus: mark is malformed")

// Marshal returns the mark's bytes.
func (m Mark) Marshal() []byte {
	b := m.signed()
	b = append(b, byte(len(m.Signature)))
	return append(b, m.Signature...)
}

// signed is what the signature covers, and the beginning of the mark's bytes.
func (m Mark) signed() []byte {
	b := make([]byte, 0, MaxMark)
	b = binary.BigEndian.AppendUint64(b, m.Term)
	b = binary.BigEndian.AppendUint64(b, m.Size)
	b = append(b, m.Root[:]...)
	b = append(b, byte(len(m.Signer)))
	return append(b, m.Signer...)
}

// ParseMark reads a mark's bytes. It verifies nothing.
func ParseMark(raw []byte) (Mark, error) {
	s := cryptobyte.String(raw)
	var m Mark
	var signer, signature cryptobyte.String
	if len(raw) > MaxMark || !s.ReadUint64(&m.Term) || !s.ReadUint64(&m.Size) || !s.CopyBytes(m.Root[:]) ||
		!s.ReadUint8LengthPrefixed(&signer) || !s.ReadUint8LengthPrefixed(&signature) || !s.Empty() ||
		m.Size == 0 || len(signer) == 0 || len(signer) > maxSigner || len(signature) == 0 || len(signature) > maxSignature {
		return Mark{}, errMark
	}
	m.Signer, m.Signature = string(signer), signature
	return m, nil
}

// Verify checks the signature by one of the signer's keys.
func (m Mark) Verify(ledger sm.Digest, keys ...*sm.NodePublic) error {
	if err := verifyAny(keys, sm.LabelMark, ledger, m.signed(), m.Signature); err != nil {
		return fmt.Errorf("consensus: mark of %s: %w", m.Signer, err)
	}
	return nil
}

// verifyAny takes a signature by one of a node's keys: it has two while it
// rotates.
func verifyAny(keys []*sm.NodePublic, label sm.Label, ledger sm.Digest, msg, signature []byte) error {
	for _, k := range keys {
		if k.Verify(label, ledger, msg, signature) == nil {
			return nil
		}
	}
	return sm.ErrSignature
}

func (m *Mark) sign(ledger sm.Digest, key *sm.NodeKey) (err error) {
	m.Signature, err = key.Sign(sm.LabelMark, ledger, m.signed())
	return err
}

// readMark judges the mark of an applied entry and hands it on. Nothing comes
// of a mark that is not what it should be: it is counted and passed over.
func (n *Node) readMark(index, term uint64, raw []byte) {
	m, err := ParseMark(raw)
	if err == nil && m.Term != term {
		err = fmt.Errorf("consensus: mark of term %d in an entry of term %d", m.Term, term)
	}
	if size, _ := n.cfg.StateMachine.Point(); err == nil && m.Size > size {
		err = fmt.Errorf("consensus: mark of size %d, %d are applied", m.Size, size)
	}
	if err == nil {
		err = m.Verify(n.cfg.Ledger, n.cfg.NodeKeys(m.Signer)...)
	}
	if err != nil {
		n.badMarks.Add(1)
		n.cfg.Logger.Warn("mark passed over", "index", index, "error", err)
		return
	}
	n.cfg.Marked(index, m)
}

// Marking says how often a leader marks the ledger.
type Marking struct {
	Busy time.Duration // between two marks while the ledger grows, 200 ms
	Idle time.Duration // between two marks of the same size, 10 s
}

// A marker makes the leader's marks: soon after the ledger has grown, now and
// then when it has not. A mark that is due goes into the next entry, or makes
// one.
type marker struct {
	n     *Node
	grown chan struct{} // one slot
}

// poke says that an entry with items has been applied.
func (k *marker) poke() {
	select {
	case k.grown <- struct{}{}:
	default:
	}
}

func (k *marker) run() {
	var (
		last  uint64    // size of the last mark of this office
		at    time.Time // of that mark
		pause = time.NewTimer(0)
	)
	defer pause.Stop()
	for {
		select {
		case <-k.grown:
		case <-pause.C:
		case <-k.n.done:
			return
		}
		if !k.n.batcher.inCharge() {
			last, at = 0, time.Time{}
			continue // the first entry of an office pokes again
		}
		size, root := k.n.cfg.StateMachine.Point()
		wait := k.n.cfg.Marking.Busy
		if size == last {
			wait = k.n.cfg.Marking.Idle
		}
		if left := wait - time.Since(at); left > 0 {
			pause.Reset(left)
			continue
		}
		if size == 0 {
			continue
		}
		if err := k.mark(size, root); err != nil {
			k.n.cfg.Logger.Error("the ledger is not marked", "error", err)
		}
		last, at = size, time.Now()
		pause.Reset(k.n.cfg.Marking.Idle)
	}
}

func (k *marker) mark(size uint64, root sm.Digest) error {
	m := Mark{Term: k.n.raft.CurrentTerm(), Size: size, Root: root, Signer: k.n.cfg.ID}
	if err := m.sign(k.n.cfg.Ledger, k.n.cfg.Key()); err != nil {
		return err
	}
	k.n.batcher.attach(m.Marshal())
	return nil
}
