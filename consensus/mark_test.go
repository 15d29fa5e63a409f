package consensus

import (
	"bytes"
	"encoding/hex"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/xinqiao/creditgw/crypto/sm"
)

var update = flag.Bool("update", false, "write the vectors in testdata again, from fixed seeds")

const markVectorFile = "testdata/mark.hex"

// vectorMark is the mark of docs/formats/raft-payload.md, by a key made from a
// seed of 32 zero bytes.
func vectorMark(t testing.TB) (Mark, *sm.NodeKey) {
	t.Helper()
	key, err := sm.Generate[sm.Node](rand.NewChaCha8([32]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	m := Mark{Term: 3, Size: 42, Root: sm.Sum([]byte("root")), Signer: "120000-1"}
	if err := m.sign(sm.Sum([]byte("ledger")), key); err != nil {
		t.Fatal(err)
	}
	return m, key
}

func TestMarkVector(t *testing.T) {
	want, key := vectorMark(t)
	if *update { // SM2 signatures are not deterministic: the file is made once.
		if err := os.WriteFile(markVectorFile, []byte(hex.EncodeToString(want.Marshal())+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(markVectorFile)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMark(raw)
	if err != nil || !bytes.Equal(m.signed(), want.signed()) {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := m.Verify(sm.Sum([]byte("ledger")), key.Public()); err != nil {
		t.Error(err)
	}
}

func TestNobodyElsesMarkVerifies(t *testing.T) {
	m, key := vectorMark(t)
	ledger := sm.Sum([]byte("ledger"))
	if err := m.Verify(sm.Sum([]byte("another ledger")), key.Public()); err == nil {
		t.Error("a mark of another ledger verifies")
	}
	if err := m.Verify(ledger, nil); err == nil {
		t.Error("a stranger's mark verifies")
	}
	for name, change := range map[string]func(*Mark){
		"term":   func(m *Mark) { m.Term++ },
		"size":   func(m *Mark) { m.Size++ },
		"root":   func(m *Mark) { m.Root[0] ^= 1 },
		"signer": func(m *Mark) { m.Signer = "120000-2" },
	} {
		forged := m
		change(&forged)
		if err := forged.Verify(ledger, key.Public()); err == nil {
			t.Errorf("a mark with another %s verifies", name)
		}
	}
}

func FuzzParseMark(f *testing.F) {
	m, _ := vectorMark(f)
	f.Add(m.Marshal())
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseMark(raw)
		if err == nil && !bytes.Equal(m.Marshal(), raw) {
			t.Errorf("%x parses, but is spelled %x", raw, m.Marshal())
		}
	})
}

// pointOnly is a state machine as far as a mark looks at it.
type pointOnly struct {
	StateMachine
	size uint64
}

func (p pointOnly) Point() (uint64, sm.Digest) { return p.size, sm.Digest{} }

func TestAMarkThatIsNotSoundIsPassedOver(t *testing.T) {
	ledger := sm.Sum([]byte("ledger"))
	sound, key := vectorMark(t)
	signed := func(change func(*Mark)) []byte {
		m := sound
		change(&m)
		if err := m.sign(ledger, key); err != nil {
			t.Fatal(err)
		}
		return m.Marshal()
	}
	taken := 0
	n := &Node{cfg: Config{
		Ledger: ledger, StateMachine: pointOnly{size: sound.Size}, Logger: slog.New(slog.DiscardHandler),
		NodeKeys: func(id string) []*sm.NodePublic {
			if id != sound.Signer {
				return nil
			}
			return []*sm.NodePublic{key.Public()}
		},
		Marked: func(index uint64, m Mark) { taken++ },
	}}
	unsigned := sound
	unsigned.Signature = bytes.Clone(sound.Signature)
	unsigned.Signature[20] ^= 1
	lies := map[string][]byte{
		"of another term":        signed(func(m *Mark) { m.Term-- }),
		"of what is not applied": signed(func(m *Mark) { m.Size++ }),
		"of a stranger":          signed(func(m *Mark) { m.Signer = "150000-1" }),
		"with a bad signature":   unsigned.Marshal(),
		"of no form":             []byte("mark"),
	}
	for name, raw := range lies {
		if n.readMark(7, sound.Term, raw); taken != 0 {
			t.Fatalf("a mark %s is taken", name)
		}
	}
	if n.badMarks.Load() != uint64(len(lies)) {
		t.Errorf("%d bad marks counted, %d seen", n.badMarks.Load(), len(lies))
	}
	if n.readMark(7, sound.Term, sound.Marshal()); taken != 1 {
		t.Error("a sound mark is not taken")
	}
}
