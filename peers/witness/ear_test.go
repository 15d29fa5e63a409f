package witness

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/peers"
)

// A member that opens streams without end is heard as often as one that opens
// one: each line costs a verification, and there is one who hears them all.
func TestANodeHasOneEar(t *testing.T) {
	var e ears
	open := func(node string) (c net.Conn, now func(int) bool, leave func()) {
		here, there := net.Pipe()
		t.Cleanup(func() { here.Close(); there.Close() })
		limit, leave := e.listen(node, there)
		at := time.Now()
		return here, func(frames int) bool { return limit.AllowN(at, frames) }, leave
	}
	first, speak, leave := open("130000-1")
	if !speak(frameBurst) {
		t.Error("a node may not say what it has to say at first")
	}
	if err := first.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, again, _ := open("130000-1")
	if again(frameBurst) {
		t.Error("a second stream gives the node as much again")
	}
	if _, err := first.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("its first stream is open: %v", err)
	}
	leave()
	if _, another, _ := open("140000-1"); !another(frameBurst) {
		t.Error("another node pays for it")
	}
	if e.of["130000-1"].open == nil {
		t.Error("a stream that was replaced has taken the ear along")
	}
}

// A member that brings lines that do not hold is counted and does not fill the
// disk with what is logged about it.
func TestLinesThatDoNotHoldDoNotFillTheLog(t *testing.T) {
	w := newWorld(t)
	m := w.members["120000"]
	var log bytes.Buffer
	m.listen()
	cfg := m.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	var err error
	if m.witness, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.witness.Run(ctx) }()
	w.apply("a")
	forged := peers.Checkpoint{Ledger: w.genesis.LedgerID(), Size: 1}
	for range 40 {
		forged = forged.With(peers.Cosignature{Region: "130000", Key: peers.KeyHash{byte(len(forged.Cosignatures))}, Time: 1, Signature: make([]byte, 70)})
		if len(forged.Cosignatures) == peers.MaxCosignatures {
			break
		}
	}
	for range 3 {
		m.hear("130000", forged)
	}
	lines := uint64(3 * len(forged.Cosignatures))
	waiting.Until(t, "all are counted", func() bool { return m.witness.Status().Refused == lines })
	cancel()
	<-ended
	m.hangUp()
	if err := m.witness.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "passed over"); n == 0 || uint64(n) > lines/4 {
		t.Errorf("%d forged lines have left %d in the log", lines, n)
	}
}
