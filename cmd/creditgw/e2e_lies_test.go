//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
)

// far is a term that no honest election reaches.
const far = 1 << 40

// A lie and the name under which it is counted.
type rpcLie struct {
	name   string
	tell   func(to raft.ServerID) error
	reason string
}

func rpcLies(term uint64, r *rogue) []rpcLie {
	vote := func(term uint64) func(raft.ServerID) error {
		return func(to raft.ServerID) error {
			return r.RequestVote(to, "", &raft.RequestVoteRequest{Term: term, LastLogIndex: far, LastLogTerm: far}, new(raft.RequestVoteResponse))
		}
	}
	entries := func(term uint64, logs ...*raft.Log) func(raft.ServerID) error {
		return func(to raft.ServerID) error {
			return r.AppendEntries(to, "", &raft.AppendEntriesRequest{Term: term, Entries: logs}, new(raft.AppendEntriesResponse))
		}
	}
	forged := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "140000-1", Address: "192.0.2.1:1"}}})
	return []rpcLie{
		{"a vote request of an inflated term", vote(far), "term"},
		{"a vote request of the highest term", vote(^uint64(0)), "term"},
		{"a pre-vote request of an inflated term", func(to raft.ServerID) error {
			return r.RequestPreVote(to, "", &raft.RequestPreVoteRequest{Term: far, LastLogIndex: far, LastLogTerm: far}, new(raft.RequestPreVoteResponse))
		}, "term"},
		{"a heartbeat of an inflated term", entries(far), "term"},
		{"a membership of its own", entries(term+1, &raft.Log{Index: 1, Term: term + 1, Type: raft.LogConfiguration, Data: forged}), "configuration"},
		{"a snapshot with a membership of its own", func(to raft.ServerID) error {
			return r.InstallSnapshot(to, "", &raft.InstallSnapshotRequest{
				Term: term + 1, LastLogIndex: far, LastLogTerm: term, Configuration: forged, Size: 4,
			}, new(raft.InstallSnapshotResponse), strings.NewReader("lies"))
		}, "configuration"},
		{"an entry whose checksum is wrong", entries(term+1, &raft.Log{Index: 1, Term: term + 1, Type: raft.LogCommand, Data: []byte("lies")}), "payload"},
		{"an entry of a kind that there is not", entries(term+1, &raft.Log{Index: 1, Term: term + 1, Type: 77}), "entry"},
		{"an election that it has no right to", func(to raft.ServerID) error {
			return r.TimeoutNow(to, "", &raft.TimeoutNowRequest{}, new(raft.TimeoutNowResponse))
		}, "not_leader"},
		{"a stream that nobody serves", func(to raft.ServerID) error {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s, err := r.Open(ctx, string(to), "backdoor")
			if err != nil {
				return nil // it must have been opened to be refused
			}
			defer s.Close()
			_, err = io.ReadFull(s, make([]byte, 1))
			return err
		}, "stream"},
	}
}

type batchLie struct {
	name   string
	item   []byte
	reason string
}

// batchLies are what a region can propose to the leader but must not get onto
// the ledger.
func batchLies(t *testing.T, s *stolen, victim *gateway) []batchLie {
	t.Helper()
	own, others := s.batches(s.self.Region), s.batches(victim.region)
	if len(own) == 0 || len(others) == 0 {
		t.Fatalf("%d own batches, %d of %s", len(own), len(others), victim.region)
	}
	lastOwn, lastOther := own[len(own)-1], others[len(others)-1]
	// next makes the batch that would follow b, with b's items, signed by the
	// hostile region as altered.
	next := func(b exchange.Batch, alter func(*exchange.Batch)) []byte {
		b.Items = slices.Clone(b.Items)
		b.Preamble.Seq, b.Preamble.Previous = b.Preamble.Seq+1, sm.Sum(b.RawPreamble)
		alter(&b)
		return s.sign(t, b)
	}
	return []batchLie{
		{"a batch in another region's name", next(lastOther, func(*exchange.Batch) {}), "batch BAD_SIGNATURE"},
		{"a batch in another region's name under its own key", next(lastOther, func(b *exchange.Batch) {
			b.Preamble.Key = s.keys.Batch.Public().ID()
		}), "batch UNKNOWN_KEY"},
		{"another region's entries in a batch of its own", next(lastOwn, func(b *exchange.Batch) {
			b.Items, b.Wraps = lastOther.Items, lastOther.Wraps
			b.Preamble.N, b.Preamble.WrapsDigest = lastOther.Preamble.N, lastOther.Preamble.WrapsDigest
		}), "batch BAD_HEADER"},
		{"another region's batch once more", marshalBatch(t, lastOther), "batch replayed"},
		{"its own batch once more", marshalBatch(t, own[0]), "batch replayed"},
		{"another batch under a number that is taken", next(lastOwn, func(b *exchange.Batch) {
			b.Preamble.Seq = own[0].Preamble.Seq
		}), "batch BATCH_FORK"},
		{"a batch out of turn", next(lastOwn, func(b *exchange.Batch) { b.Preamble.Seq += 5 }), "batch SEQ_GAP"},
		{"a batch on another past", next(lastOwn, func(b *exchange.Batch) { b.Preamble.Previous = sm.Sum(nil) }), "batch SEQ_GAP"},
		{"a body that the header does not name", next(lastOwn, func(b *exchange.Batch) {
			b.Items[0].Body = append(bytes.Clone(b.Items[0].Body), 0)
		}), "batch BAD_BODY"},
		{"a batch for another ledger", next(lastOwn, func(b *exchange.Batch) { b.Preamble.Ledger = sm.Sum(nil) }), "batch WRONG_LEDGER"},
		{"bytes that are no batch", []byte("lies"), "batch MALFORMED"},
	}
}

// sign makes a batch's preamble fit its items and signs it with the hostile
// region's key, whatever it says.
func (s *stolen) sign(t *testing.T, b exchange.Batch) []byte {
	t.Helper()
	leaves := make([]sm.Digest, len(b.Items))
	for i, item := range b.Items {
		leaves[i] = ledger.LeafHash(item.Header)
	}
	b.Preamble.Root = ledger.RootOf(leaves)
	b.RawPreamble = b.Preamble.Marshal()
	var err error
	if b.Signature, err = s.keys.Batch.Sign(sm.LabelBatch, b.Preamble.Ledger, b.RawPreamble); err != nil {
		t.Fatal(err)
	}
	return marshalBatch(t, b)
}

func marshalBatch(t *testing.T, b exchange.Batch) []byte {
	t.Helper()
	raw, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
