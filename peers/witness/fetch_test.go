package witness

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// The witnesses change while one region is away. When it is back it asks the
// others what it has missed, one after the other: the first one lies, and is
// not believed.
func TestANodeThatWasAwayFetchesTheHandovers(t *testing.T) {
	w := startWorld(t)
	w.apply("a")
	w.mark("110000", 1)
	w.witnessed(1, regions...)
	away := w.members["120000"]
	away.end()

	added, retired := w.replaceKey(w.members["140000"])
	w.apply("c", "d")
	w.mark("110000", 2)
	w.witnessed(retired+2, "110000", "130000", "140000")
	others := w.members["130000"]
	waiting.Until(t, "both changes are handed over", func() bool { return len(must(others.witness.Handovers())) == 2 })

	liar := w.members["110000"]
	asked := make(chan uint64, 100)
	liar.Handle(handoversName, func(_ string, c net.Conn) {
		var from [8]byte
		if _, err := c.Read(from[:]); err != nil {
			return
		}
		asked <- binary.BigEndian.Uint64(from[:])
		for _, kept := range must(liar.witness.Handovers()) {
			kept.Cosignatures[0].Time++ // what it has not signed
			kept.Cosignatures[1].Signature = kept.Cosignatures[2].Signature
			if _, err := c.Write(appendChunk(nil, kept.Marshal())); err != nil {
				return
			}
		}
	})
	away.start()
	waiting.Until(t, "the handovers have come", func() bool { return len(must(away.witness.Handovers())) == 2 })
	if from := <-asked; from != added {
		t.Errorf("it asked from %d on, the first change is at %d", from, added)
	}
	founders := must(away.ledger.DirectoryAt(0)).Witnesses()
	for i, c := range must(away.witness.Handovers()) {
		before := must(away.ledger.DirectoryAt(c.Size - 1)).Witnesses()
		if _, err := c.Verify(before); err != nil || c.Size != []uint64{added, retired}[i] {
			t.Errorf("handed over at %d: %v", c.Size, err)
		}
	}
	if _, err := must(away.witness.Handovers())[0].Trim(founders); err != nil {
		t.Errorf("the founders' witnesses do not hand over: %v", err)
	}
	if away.witness.Status().Refused == 0 {
		t.Error("the liar's lines were not refused")
	}
}

// However long a node was away: a handover below all sizes at which lines are
// being collected adds up too, and one that too few have cosigned does not.
func TestAnOldHandoverAddsUp(t *testing.T) {
	w := newWorld(t)
	w.apply("a")
	m := w.members["120000"]
	added, _ := w.replaceKey(w.members["140000"])
	w.members["140000"].end()

	m.listen()
	m.halted = make(chan Halt, 1)
	back := must(Open(m.config()))
	defer func() {
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	}()
	for size := uint64(1000); size < 1000+maxTallies; size++ {
		back.tallies[size] = []peers.Checkpoint{{Ledger: w.genesis.LedgerID(), Size: size}}
	}
	own, _, err := back.statement(added)
	if err != nil {
		t.Fatal(err)
	}
	lines := own
	for _, want := range []int{0, 0, 1} {
		r := regions[len(lines.Cosignatures)]
		lines = lines.With(must(own.Cosign(r, w.keys[r], m.clock())))
		if err := back.examine(heard{node: "130000-1", checkpoint: lines}); err != nil {
			t.Fatal(err)
		}
		if got := len(must(back.Handovers())); got != want {
			t.Errorf("with %d cosignatures %d are kept, want %d", len(lines.Cosignatures), got, want)
		}
	}
	if len(back.tallies) > maxTallies {
		t.Errorf("%d sizes are collected", len(back.tallies))
	}
}

// A node hands over at most so many at a time, from the size on that it is asked
// for.
func TestHandoversAreHandedOverInPortions(t *testing.T) {
	w := newWorld(t)
	m := w.members["120000"]
	m.listen()
	back := must(Open(m.config()))
	defer back.Close()
	c := peers.Checkpoint{Ledger: w.genesis.LedgerID(), Root: sm.Sum([]byte("root"))}
	for c.Size = 1; c.Size <= 2*maxHandedOver; c.Size++ {
		line := must(c.Cosign("110000", w.keys["110000"], m.clock()))
		if err := back.history.putHandover(c.With(line)); err != nil {
			t.Fatal(err)
		}
	}
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		back.handOver("110000-1", there)
	}()
	if _, err := here.Write(binary.BigEndian.AppendUint64(nil, 7)); err != nil {
		t.Fatal(err)
	}
	got, err := readHandovers(bufio.NewReader(here))
	if err != nil || len(got) != maxHandedOver || got[0].Size != 7 || got[maxHandedOver-1].Size != 6+maxHandedOver {
		t.Errorf("%d handed over: %v", len(got), err)
	}
}

func FuzzReadHandovers(f *testing.F) {
	c := peers.Checkpoint{Size: 3, Cosignatures: []peers.Cosignature{{Region: "110000", Time: 1, Signature: make([]byte, 70)}}}
	one := appendChunk(nil, c.Marshal())
	f.Add(one)
	f.Add(append(bytes.Repeat(one, maxHandedOver+1), 0))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		handed, err := readHandovers(bufio.NewReader(bytes.NewReader(raw)))
		if len(handed) > maxHandedOver {
			t.Fatalf("%d checkpoints", len(handed))
		}
		var again []byte
		for _, c := range handed {
			again = appendChunk(again, c.Marshal())
		}
		if !bytes.HasPrefix(raw, again) {
			t.Errorf("%x parses, but is spelled %x: %v", raw, again, err)
		}
	})
}
