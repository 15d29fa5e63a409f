package quicnet

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	helloVersion  = 1
	maxID         = 64
	maxHello      = 512
	exporterLabel = "EXPORTER-xinqiao-peer-v1"
	exporterSize  = 32

	// Which side of the connection signs. Without it a dialler's proof could
	// be shown back to it as the acceptor's.
	roleDialler  = 1
	roleAcceptor = 2
)

// bootID is drawn when a process starts. A peer with a new one has restarted
// and knows nothing of connections from before.
type bootID [16]byte

// A hello is one side's proof of identity.
type hello struct {
	ledger    sm.Digest
	from, to  string
	boot      bootID
	size      uint64 // of the ledger as of which the sender knows the directory
	signature []byte
}

func (h *hello) marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(helloVersion)
	b.AddBytes(h.ledger[:])
	addString(&b, h.from)
	addString(&b, h.to)
	b.AddBytes(h.boot[:])
	b.AddUint64(h.size)
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(h.signature) })
	return b.Bytes()
}

func (h *hello) unmarshal(data []byte) bool {
	s := cryptobyte.String(data)
	var version uint8
	var signature cryptobyte.String
	ok := s.ReadUint8(&version) && version == helloVersion &&
		s.CopyBytes(h.ledger[:]) &&
		readID(&s, &h.from) && readID(&s, &h.to) &&
		s.CopyBytes(h.boot[:]) && s.ReadUint64(&h.size) &&
		s.ReadUint8LengthPrefixed(&signature) && s.Empty()
	h.signature = signature
	return ok
}

func addString(b *cryptobyte.Builder, v string) {
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(v)) })
}

func readID(s *cryptobyte.String, id *string) bool {
	var v cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&v) || len(v) == 0 || len(v) > maxID {
		return false
	}
	*id = string(v)
	return true
}

// signed returns what a hello signs under sm.LabelPeer: the exporter ties it to
// this one connection, the ids and the role to its two ends.
func (h *hello) signed(exporter []byte, role byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddBytes(exporter)
	addString(&b, h.from)
	addString(&b, h.to)
	b.AddUint8(role)
	b.AddBytes(h.boot[:])
	b.AddUint64(h.size)
	return b.Bytes()
}

func (e *Endpoint) sendHello(s io.Writer, to string, exporter []byte, role byte) error {
	h := hello{ledger: e.cfg.Ledger, from: e.cfg.ID, to: to, boot: e.boot}
	if e.cfg.News != nil {
		h.size = e.cfg.News.Size()
	}
	msg, err := h.signed(exporter, role)
	if err != nil {
		return fmt.Errorf("quicnet: hello: %w", err)
	}
	if h.signature, err = e.cfg.Key().Sign(sm.LabelPeer, e.cfg.Ledger, msg); err != nil {
		return fmt.Errorf("quicnet: hello: %w", err)
	}
	body, err := h.marshal()
	if err != nil {
		return fmt.Errorf("quicnet: hello: %w", err)
	}
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(body) })
	frame, err := b.Bytes()
	if err != nil {
		return fmt.Errorf("quicnet: hello: %w", err)
	}
	if _, err := s.Write(frame); err != nil {
		return fmt.Errorf("quicnet: hello: %w", err)
	}
	return nil
}

// readHello reads the other side's hello and checks all but who it is. want is
// the peer that was dialled, or "" where any member may be.
func (e *Endpoint) readHello(s io.Reader, want string) (*hello, error) {
	var size [2]byte
	if _, err := io.ReadFull(s, size[:]); err != nil {
		if want != "" {
			// We dialled and were not answered: nothing to refuse.
			return nil, fmt.Errorf("quicnet: no hello from %s: %w", want, err)
		}
		return nil, refuse(refusedHello, "none came: %v", err)
	}
	n := int(size[0])<<8 | int(size[1])
	if n > maxHello {
		return nil, refuse(refusedHello, "%d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(s, body); err != nil {
		return nil, refuse(refusedHello, "cut short: %v", err)
	}
	h := new(hello)
	if !h.unmarshal(body) {
		return nil, refuse(refusedHello, "malformed")
	}
	if h.ledger != e.cfg.Ledger {
		return nil, refuse(refusedLedger, "node %q belongs to another ledger", h.from)
	}
	if h.to != e.cfg.ID || want != "" && h.from != want || h.from == e.cfg.ID {
		return nil, refuse(refusedWrongPeer, "%q speaks to %q", h.from, h.to)
	}
	return h, nil
}

// checkHello finds out from the directory who sent a hello.
func (e *Endpoint) checkHello(h *hello, exporter []byte, role byte) (Peer, error) {
	peer, known := e.cfg.Directory(h.from)
	if !known || len(peer.Keys) == 0 {
		return Peer{}, refuse(refusedStranger, "the directory has no node %q", h.from)
	}
	msg, err := h.signed(exporter, role)
	if err != nil {
		return Peer{}, refuse(refusedHello, "malformed")
	}
	signer := slices.IndexFunc(peer.Keys, func(k *sm.NodePublic) bool {
		return k.Verify(sm.LabelPeer, e.cfg.Ledger, msg, h.signature) == nil
	})
	if signer < 0 {
		return Peer{}, refuse(refusedSignature, "not signed by a key of %q", h.from)
	}
	// The link is good for as long as the key that it was opened with.
	peer.ID, peer.Keys = h.from, peer.Keys[signer:signer+1]
	return peer, nil
}

// tellNews follows an acceptor's hello: what the dialler lacks of the directory.
func (e *Endpoint) tellNews(s io.Writer, since uint64) error {
	var news []byte
	if e.cfg.News != nil {
		news = e.cfg.News.Since(since)
	}
	var b cryptobyte.Builder
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(news) })
	frame, err := b.Bytes()
	if err == nil {
		_, err = s.Write(frame)
	}
	if err != nil {
		return fmt.Errorf("quicnet: news: %w", err)
	}
	return nil
}

// hearNews takes in what an acceptor tells, before it is known who that is:
// news prove themselves. What does not hold is counted and passed over.
func (e *Endpoint) hearNews(s io.Reader, peer string) error {
	var size [3]byte
	if _, err := io.ReadFull(s, size[:]); err != nil {
		return fmt.Errorf("quicnet: news: %w", err)
	}
	n := int(size[0])<<16 | int(size[1])<<8 | int(size[2])
	if n > MaxNews {
		return refuse(refusedNews, "%d bytes", n)
	}
	if n == 0 {
		return nil
	}
	news := make([]byte, n)
	if _, err := io.ReadFull(s, news); err != nil {
		return fmt.Errorf("quicnet: news: %w", err)
	}
	if e.cfg.News == nil {
		return nil
	}
	if err := e.cfg.News.Learn(news); err != nil {
		e.refuse(refusedNews, peer, err.Error())
	}
	return nil
}

func exporterOf(conn *quic.Conn) ([]byte, error) {
	state := conn.ConnectionState().TLS
	v, err := state.ExportKeyingMaterial(exporterLabel, nil, exporterSize)
	if err != nil {
		return nil, fmt.Errorf("quicnet: TLS exporter: %w", err)
	}
	return v, nil
}

// proveAsDialler opens the connection's first stream, shows who we are and
// checks who answers.
func (e *Endpoint) proveAsDialler(ctx context.Context, conn *quic.Conn, want string) (*link, error) {
	exporter, err := exporterOf(conn)
	if err != nil {
		return nil, err
	}
	s, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, fmt.Errorf("quicnet: hello: %w", err)
	}
	st := newStream(conn, s)
	defer st.Close()
	if err := st.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, fmt.Errorf("quicnet: hello: %w", err)
	}
	if err := e.sendHello(st, want, exporter, roleDialler); err != nil {
		return nil, err
	}
	h, err := e.readHello(st, want)
	if err != nil {
		return nil, err
	}
	if err := e.hearNews(st, want); err != nil {
		return nil, err
	}
	peer, err := e.checkHello(h, exporter, roleAcceptor)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn, peer: peer, boot: h.boot}, nil
}

// proveAsAcceptor checks who dialled before it shows anything of its own.
func (e *Endpoint) proveAsAcceptor(ctx context.Context, conn *quic.Conn) (*link, error) {
	exporter, err := exporterOf(conn)
	if err != nil {
		return nil, err
	}
	s, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, refuse(refusedHello, "none came: %v", err)
	}
	st := newStream(conn, s)
	defer st.Close()
	if err := st.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, fmt.Errorf("quicnet: hello: %w", err)
	}
	h, err := e.readHello(st, "")
	if err != nil {
		return nil, err
	}
	peer, err := e.checkHello(h, exporter, roleDialler)
	if err != nil {
		return nil, err
	}
	if err := e.sendHello(st, peer.ID, exporter, roleAcceptor); err != nil {
		return nil, err
	}
	if err := e.tellNews(st, h.size); err != nil {
		return nil, err
	}
	return &link{conn: conn, peer: peer, boot: h.boot}, nil
}
