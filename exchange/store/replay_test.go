package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	return must[[]byte](t)(os.ReadFile(filepath.Join("testdata", name)))
}

// A ledger written by the first version of the formats: records of three
// regions, an agency's key registered and retired, a follow-up, an erased body.
// It must come to the same root for ever.
func TestOldLedgersReplayToTheSameRoot(t *testing.T) {
	genesis := must[peers.Genesis](t)(peers.ParseGenesis(fixture(t, "genesis-v1.json")))
	stream := fixture(t, "snapshot-v1.bin")
	root := must[sm.Digest](t)(sm.ParseDigest(strings.TrimSpace(string(fixture(t, "root-v1.txt")))))

	w := &world{t: t, genesis: genesis}
	s := w.temporary()
	point := consensus.Point{Index: 5, Term: 1, Size: 12}
	if got := must[sm.Digest](t)(s.Stage(point, bytes.NewReader(stream))); got != root {
		t.Fatalf("root %s, want %s", got, root)
	}
	if err := s.Install(point); err != nil {
		t.Fatal(err)
	}
	if again, _ := exported(t, s, point.Size); !bytes.Equal(again, stream) {
		t.Error("it is not passed on as it came")
	}
	classes := map[exchange.Class]int{}
	erased := 0
	for _, e := range must[[]exchange.Entry](t)(s.Entries(0, 100)) {
		classes[e.Header.Class]++
		if e.Body == nil {
			erased++
		}
	}
	if classes[exchange.ClassRecord] != 9 || classes[exchange.ClassFollowUp] != 1 || classes[exchange.ClassGovernance] != 2 || erased != 1 {
		t.Errorf("classes %v, %d erased", classes, erased)
	}
}

// Readers see whole, checked entries and valid roots while batches come in,
// are written behind, erased and sent to another node.
func TestReadersBesideTheWriter(t *testing.T) {
	w := newWorld(t)
	s := w.temporary()
	c := chain{w: w}
	const batches = 60
	var all [][]byte
	for range batches {
		all = append(all, c.next(2))
	}
	var group sync.WaitGroup
	reader := func(visit func(size uint64) error) {
		group.Go(func() {
			for size := uint64(0); size < 2*batches; size = s.Head().Size {
				if err := visit(size); err != nil {
					t.Error(err)
					return
				}
				if err := s.WaitSize(t.Context(), size+1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reader(func(size uint64) error {
		entries, err := s.Entries(0, int(size))
		if err == nil && uint64(len(entries)) != size {
			t.Errorf("%d entries of %d", len(entries), size)
		}
		return err
	})
	reader(func(size uint64) error {
		if size == 0 {
			return nil
		}
		if _, err := s.Inclusion(0, size); err != nil {
			return err
		}
		_, err := s.Consistency(size/2, size)
		return err
	})
	reader(func(size uint64) error {
		if size < 4 {
			return nil
		}
		return s.Erase(size - 3)
	})
	for i, raw := range all {
		s.Apply(uint64(i+1), 1, [][]byte{raw})
		if i%7 == 0 {
			if err := s.Sync(uint64(i + 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	group.Wait()
}
