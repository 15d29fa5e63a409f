package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// benchConn is a connection to a bench server. Each of its callers has one
// place, and at most one request under way.
type benchConn struct {
	net.Conn
	out     chan benchFrame
	answers []chan benchFrame
	closed  context.Context
	fail    context.CancelCauseFunc
}

func dialBench(ctx context.Context, addr string, callers int) (*benchConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	b := &benchConn{Conn: c, out: make(chan benchFrame, callers), answers: make([]chan benchFrame, callers)}
	for i := range b.answers {
		b.answers[i] = make(chan benchFrame, 1)
	}
	b.closed, b.fail = context.WithCancelCause(context.WithoutCancel(ctx))
	go func() { b.fail(copyFrames(c, b.out, b.closed.Done())) }()
	go func() { b.fail(b.read()) }()
	return b, nil
}

func (b *benchConn) read() error {
	r := bufio.NewReaderSize(b.Conn, 64<<10)
	for {
		f, err := readFrame(r)
		if err != nil {
			return err
		}
		if f.id >= uint64(len(b.answers)) {
			return errors.New("an answer to nobody")
		}
		b.answers[f.id] <- f
	}
}

func (b *benchConn) call(ctx context.Context, caller int, op byte, payload []byte) ([]byte, error) {
	select {
	case b.out <- benchFrame{id: uint64(caller), op: op, payload: payload}:
	case <-b.closed.Done():
		return nil, context.Cause(b.closed)
	}
	select {
	case f := <-b.answers[caller]:
		if f.op != opDone {
			return nil, fmt.Errorf("refused: %s", f.payload)
		}
		return f.payload, nil
	case <-b.closed.Done():
		return nil, context.Cause(b.closed)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close ends the connection.
func (b *benchConn) Close() error {
	b.fail(net.ErrClosed)
	return b.Conn.Close()
}

// state asks a node for its state once it has size entries.
func (n *benchNode) state(ctx context.Context, size uint64) (s benchState, err error) {
	c, err := dialBench(ctx, n.up.Items, 1)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	raw, err := c.call(ctx, 0, opState, binary.BigEndian.AppendUint64(nil, size))
	if err != nil {
		return s, fmt.Errorf("region %s: %w", n.region, err)
	}
	return s, json.Unmarshal(raw, &s)
}

// sampleWitnessed asks every node again and again to say when what it has
// applied is witnessed, until the function that it returns is called. That one
// returns the median and the 99th percentile in milliseconds.
func (c *benchCluster) sampleWitnessed(ctx context.Context) func() (p50, p99 float64, err error) {
	if !c.flags.witness {
		return func() (p50, p99 float64, err error) { return 0, 0, nil }
	}
	ctx, stop := context.WithCancel(ctx)
	took := make([][]time.Duration, len(c.nodes))
	g, ctx := errgroup.WithContext(ctx)
	for i, n := range c.nodes {
		g.Go(func() error {
			conn, err := dialBench(ctx, n.up.Items, 1)
			if err != nil {
				return ended(ctx, err)
			}
			defer conn.Close()
			for {
				from := time.Now()
				if _, err := conn.call(ctx, 0, opSeen, nil); err != nil {
					return ended(ctx, err)
				}
				took[i] = append(took[i], time.Since(from))
				select { // at any time between two marks
				case <-time.After(time.Duration(mathrand.Int64N(int64(300 * time.Millisecond)))):
				case <-ctx.Done():
					return nil
				}
			}
		})
	}
	return func() (p50, p99 float64, err error) {
		stop()
		err = g.Wait()
		p50, p99 = percentiles(slices.Concat(took...))
		return p50, p99, err
	}
}

// percentiles returns the median and the 99th, in milliseconds; 0 of nothing.
func percentiles(took []time.Duration) (p50, p99 float64) {
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	at := func(share int) float64 {
		return float64(took[min(len(took)*share/100, len(took)-1)].Microseconds()) / 1000
	}
	return at(50), at(99)
}

// sealedPool is how many different bodies a region's items have.
const sealedPool = 64

// benchItems sends ready-sealed items, over one connection to each node.
type benchItems struct {
	conns []*benchConn
	pools [][]benchSealed
}

// openItems connects to every node, for at most callers requests at a time.
func (c *benchCluster) openItems(ctx context.Context, callers int) (s *benchItems, err error) {
	s = &benchItems{pools: make([][]benchSealed, len(c.nodes))}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for i, n := range c.nodes {
		conn, err := dialBench(ctx, n.up.Items, callers)
		if err != nil {
			return s, err
		}
		s.conns = append(s.conns, conn)
		if s.pools[i], err = c.sealPool(i); err != nil {
			return s, err
		}
	}
	return s, nil
}

// send sends one item to a node and returns when it has been applied there.
func (s *benchItems) send(ctx context.Context, node, caller int) error {
	payload, err := s.pools[node][mathrand.IntN(sealedPool)].another()
	if err != nil {
		return err
	}
	_, err = s.conns[node].call(ctx, caller, opItem, payload)
	return err
}

func (s *benchItems) close() {
	for _, conn := range s.conns {
		_ = conn.Close() // all that it was for has been answered
	}
}

// loadLedger has every client send one ready-sealed item after the other, the
// clients spread evenly over the nodes.
func (c *benchCluster) loadLedger(ctx context.Context, _ *benchReport) ([]benchSample, error) {
	items, err := c.openItems(ctx, c.flags.clients/len(c.nodes)+1)
	if err != nil {
		return nil, err
	}
	defer items.close()
	return c.drive(ctx, func(ctx context.Context, client int) error {
		return items.send(ctx, client%len(c.nodes), client/len(c.nodes))
	})
}

// benchSealed is a sealed record, as opItem has it, that is sent again and again,
// each time under another entry id.
type benchSealed struct {
	item []byte
	id   int // where the entry id is in item
}

// sealPool seals records of one node's region to the next one's.
func (c *benchCluster) sealPool(i int) ([]benchSealed, error) {
	s := exchange.Sealer{Ledger: c.genesis.LedgerID(), Region: c.nodes[i].region, Rand: rand.Reader}
	var to []peers.Region
	if next := c.nodes[(i+1)%len(c.nodes)].region; next != s.Region {
		to = []peers.Region{next}
	}
	pool := make([]benchSealed, sealedPool)
	record := make([]byte, c.flags.size)
	for j := range pool {
		if _, err := rand.Read(record); err != nil {
			return nil, err
		}
		a, key, err := s.Seal(exchange.ClassRecord, exchange.KindPenalty, sm.Sum(record), to, time.Now(), record, nil)
		if err != nil {
			return nil, err
		}
		h, err := exchange.ParseHeader(a.Header)
		if err != nil {
			return nil, err
		}
		item, err := marshalItem(exchange.Pending{ID: h.ID, Header: a.Header, Body: a.Body, Key: key})
		if err != nil {
			return nil, err
		}
		pool[j] = benchSealed{item: item, id: bytes.Index(item, h.ID[:])}
	}
	return pool, nil
}

// another is the sealed record as an entry of its own.
func (s *benchSealed) another() ([]byte, error) {
	item := slices.Clone(s.item)
	_, err := rand.Read(item[s.id : s.id+len(exchange.EntryID{})])
	return item, err
}
