package consensus_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// A machine is a ledger of the items themselves. An item that is in it already
// is answered with its place and not added again, as a batch that is sent twice.
// What has been synced survives crash; the rest does not.
type machine struct {
	mu      sync.Mutex
	at      uint64 // applied
	entries [][]byte
	places  map[string]int
	leaves  []sm.Digest
	indexes []uint64 // applied indexes, one per Apply
	sizes   []int    // ledger size after each

	foretold map[uint64][][]byte // items by the index that Prepare was given

	synced, syncedSize uint64 // durable position
	staged             [][]byte
	installs           int
}

func newMachine() *machine {
	return &machine{places: map[string]int{}, foretold: map[uint64][][]byte{}}
}

func (m *machine) add(item []byte) (place int, fresh bool) {
	if at, ok := m.places[string(item)]; ok {
		return at, false
	}
	at := len(m.entries)
	m.places[string(item)] = at
	m.entries = append(m.entries, item)
	m.leaves = append(m.leaves, ledger.LeafHash(item))
	return at, true
}

// Prepare notes what it was told, for Apply to find.
func (m *machine) Prepare(index uint64, items [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.foretold[index] = items
}

func (m *machine) toldOf(index uint64) [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.foretold[index]
}

func (m *machine) Apply(index, _ uint64, items [][]byte) []any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if index <= m.at {
		panic(fmt.Sprintf("entry %d applied after %d", index, m.at))
	}
	results := make([]any, len(items))
	for i, item := range items {
		at, _ := m.add(item)
		results[i] = at
	}
	m.at = index
	m.indexes = append(m.indexes, index)
	m.sizes = append(m.sizes, len(m.entries))
	return results
}

func (m *machine) Applied() uint64 { m.mu.Lock(); defer m.mu.Unlock(); return m.synced }

func (m *machine) Point() (uint64, sm.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.entries)), ledger.RootOf(m.leaves)
}

func (m *machine) Sync(index uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if index > m.at {
		return errors.New("synced past what is applied")
	}
	m.synced, m.syncedSize = m.at, uint64(len(m.entries))
	return nil
}

// crash forgets what has not been synced.
func (m *machine) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := m.entries[:m.syncedSize]
	m.at, m.entries, m.leaves, m.places = m.synced, nil, nil, map[string]int{}
	m.indexes, m.sizes, m.staged = nil, nil, nil
	for _, e := range entries {
		m.add(e)
	}
}

func (m *machine) Export(size uint64) (io.ReadCloser, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	for _, e := range m.entries[:size] {
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(e))))
		b.Write(e)
	}
	return io.NopCloser(&b), int64(b.Len()), nil
}

func (m *machine) Stage(p consensus.Point, r io.Reader) (sm.Digest, error) {
	var staged [][]byte
	var leaves []sm.Digest
	for {
		var n [4]byte
		if _, err := io.ReadFull(r, n[:]); err == io.EOF {
			break
		} else if err != nil {
			return sm.Digest{}, err
		}
		e := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(r, e); err != nil {
			return sm.Digest{}, err
		}
		staged = append(staged, e)
		leaves = append(leaves, ledger.LeafHash(e))
	}
	if uint64(len(staged)) != p.Size {
		return sm.Digest{}, fmt.Errorf("%d entries, not %d", len(staged), p.Size)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.staged = staged
	return ledger.RootOf(leaves), nil
}

func (m *machine) Install(p consensus.Point) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.synced >= p.Index {
		return nil
	}
	if uint64(len(m.staged)) != p.Size {
		return errors.New("nothing staged")
	}
	m.entries, m.leaves, m.places = nil, nil, map[string]int{}
	for _, e := range m.staged {
		m.add(e)
	}
	m.at, m.synced, m.syncedSize = p.Index, p.Index, p.Size
	m.staged = nil
	m.installs++
	return nil
}

func (m *machine) rootAt(size uint64) (sm.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if size > uint64(len(m.leaves)) {
		return sm.Digest{}, errors.New("not that far")
	}
	return ledger.RootOf(m.leaves[:size]), nil
}

func (m *machine) state() (size int, root sm.Digest, applied uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries), ledger.RootOf(m.leaves), m.at
}

func (m *machine) items() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s []string
	for _, e := range m.entries {
		s = append(s, string(e))
	}
	return s
}
