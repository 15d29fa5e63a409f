//go:build linux

package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/peers"
)

// A region leads, as far as another can tell, and hands it a ledger that nobody
// else has: every signature in it holds, for the region wrote the new entries
// itself. What it can't have is the cosignatures of three regions. Nothing is
// installed, not after a restart either, and the lie is counted and in the log.
func TestServeRefusesAPoisonedSnapshot(t *testing.T) {
	t.Parallel()
	c, hostile, s := startBetrayed(t)
	rest := c.without(hostile)
	size := rest.calm()
	root := rest.rootAt(size)
	victim := rest.follower()

	p := s.poison(t, hostile)
	r := newRogue(t, s, s.self.Node.ID, s.keys.Node, hostile.addr)
	for name, proof := range map[string][]byte{
		"no proof":                           nil,
		"its own cosignature":                p.own(t, s),
		"a checkpoint that the regions have": p.borrowed(t, victim),
	} {
		t.Run(name, func(t *testing.T) {
			before := victim.refused("snapshot")
			eventually(t, "the poisoned snapshot has been looked at and refused", func() bool {
				term := victim.status().Term
				stream := p.stream(t, term, proof)
				var answer raft.InstallSnapshotResponse
				err := r.InstallSnapshot(raft.ServerID(victim.status().Node), "", &raft.InstallSnapshotRequest{
					SnapshotVersion: raft.SnapshotVersionMax, Term: term + 1, LastLogIndex: p.index, LastLogTerm: term, Configuration: raft.EncodeConfiguration(s.servers()), Size: int64(len(stream)),
				}, &answer, bytes.NewReader(stream))
				if err == nil && answer.Success {
					t.Fatal("it was taken")
				}
				return victim.refused("snapshot") > before
			})
		})
	}
	r.leave()
	for range 2 {
		rest.calm()
		if got := rest.rootAt(size); got != root {
			t.Errorf("the root at %d is %s, it was %s", size, got, root)
		}
		if v := victim.status(); v.Applied >= p.index || v.LedgerSize > size+100 {
			t.Errorf("the victim has moved: %+v", v)
		}
		victim.stop()
		victim.start()
		victim.awaitReady()
	}
	origin := rest.nodes[0]
	origin.submit(exchange.WaitCommitted, origin.notices(rest.nodes[1].region, 2)...)
	rest.agree()
	if log, err := os.ReadFile(victim.log); err != nil || !bytes.Contains(log, []byte("a snapshot was refused")) {
		t.Errorf("the log does not say so: %v", err)
	}
}

// servers is the membership of the genesis.
func (s *stolen) servers() raft.Configuration {
	return founders(s.genesis).Configuration()
}

// poisoned is a ledger that goes on from the true one with a batch that only the
// hostile region has.
type poisoned struct {
	index     uint64
	size      uint64
	root      sm.Digest
	directory sm.Digest
	ledger    sm.Digest
	entries   []byte
}

func (s *stolen) poison(t *testing.T, n *gateway) *poisoned {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ledger")
	copyTree(t, filepath.Join(n.dir, ledgerName), dir)
	forged, err := store.Open(store.Config{
		Dir: dir, Genesis: s.genesis, Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = forged.Close() })
	own := s.batches(s.self.Region)
	last := own[len(own)-1]
	last.Preamble.Seq, last.Preamble.Previous = last.Preamble.Seq+1, sm.Sum(last.RawPreamble)
	answer, ok := forged.Apply(forged.Head().RaftIndex+1, 1, [][]byte{s.sign(t, last)})[0].(exchange.BatchResult)
	if !ok || answer.Rejection != nil {
		t.Fatalf("the region's own batch: %+v", answer)
	}
	head := forged.Head()
	entries, _, err := forged.Export(head.Size)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(entries)
	if err != nil {
		t.Fatal(err)
	}
	return &poisoned{
		index: 1 << 30, size: head.Size, root: head.Root, directory: forged.Directory().Root(), ledger: s.genesis.LedgerID(), entries: raw,
	}
}

// stream is what Raft would carry.
func (p *poisoned) stream(t *testing.T, term uint64, proof []byte) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddUint8(1)
	b.AddUint64(p.index)
	b.AddUint64(term)
	b.AddUint64(p.size)
	b.AddBytes(p.root[:])
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(proof) })
	head, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return append(head, p.entries...)
}

// own is a proof with all that one region can sign.
func (p *poisoned) own(t *testing.T, s *stolen) []byte {
	t.Helper()
	c := peers.Checkpoint{Ledger: p.ledger, Size: p.size, Root: p.root, Directory: p.directory}
	line, err := c.Cosign(s.self.Region, s.keys.Witness, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := exchange.SnapshotProof{Checkpoint: c.With(line)}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// borrowed is a proof by the newest checkpoint that the regions have witnessed.
func (p *poisoned) borrowed(t *testing.T, n *gateway) []byte {
	t.Helper()
	var at httpapi.Checkpoint
	eventually(t, "the ledger is witnessed", func() bool {
		var err error
		at, err = n.client(exchange.RoleAuditor).Checkpoint(n.context())
		return err == nil && at.Witnessed != nil
	})
	c, err := peers.ParseCheckpoint([]byte(at.Witnessed.Text))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := exchange.SnapshotProof{Checkpoint: c}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
