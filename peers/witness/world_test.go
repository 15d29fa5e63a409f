package witness

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/xinqiao/creditgw/consensus/waiting"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/consortium"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var regions = []peers.Region{"110000", "120000", "130000", "140000"}

// A world is four regions' witnesses, joined by pipes. What each of them has
// applied is set by the test.
type world struct {
	t       testing.TB
	genesis *peers.Genesis
	keys    map[peers.Region]*sm.WitnessKey
	members map[peers.Region]*member
	dir     string

	mu  sync.Mutex
	cut map[[2]string]bool // no stream from the first to the second
}

// A member is one region's witness and the ledger that it looks at.
type member struct {
	w      *world
	region peers.Region
	ledger *ledger
	dir    string
	clock  func() time.Time
	spare  *sm.WitnessKey // held beside the one of the genesis

	mu       sync.Mutex
	handlers map[string]func(string, net.Conn)
	conns    map[net.Conn]bool

	witness *Witness
	halted  chan Halt
	stop    func()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c := consortium.Found(regions...)
	w := &world{t: t, genesis: &c.Genesis, keys: c.Witness, members: map[peers.Region]*member{}, dir: t.TempDir(), cut: map[[2]string]bool{}}
	for _, r := range regions {
		w.members[r] = &member{
			w: w, region: r, ledger: newLedger(w.genesis), dir: filepath.Join(w.dir, string(r)), clock: time.Now,
			conns: map[net.Conn]bool{},
		}
		if err := os.WriteFile(filepath.Join(mustDir(t, filepath.Join(w.dir, string(r), "witness")), stateName), Founding(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, m := range w.members {
			m.end()
		}
	})
	return w
}

func startWorld(t testing.TB) *world {
	w := newWorld(t)
	for _, r := range regions {
		w.members[r].start()
	}
	return w
}

func (m *member) config() Config {
	keys := []*sm.WitnessKey{m.w.keys[m.region]}
	if m.spare != nil {
		keys = append(keys, m.spare)
	}
	return Config{
		Dir: filepath.Join(m.dir, "witness"), Evidence: filepath.Join(m.dir, "evidence"), Region: m.region,
		LedgerID: m.w.genesis.LedgerID(), Keys: func() []*sm.WitnessKey { return keys }, Ledger: m.ledger, Network: m,
		Peers:    m.others,
		ReadMark: readMark, Clock: m.clock, Logger: slog.New(slog.DiscardHandler),
		Halted: func(h Halt) { m.halted <- h }, Took: func(time.Duration) {},
	}
}

func (m *member) others() (all []Peer) {
	for _, r := range regions {
		if r != m.region {
			all = append(all, Peer{Node: nodeOf(r), Region: r})
		}
	}
	return all
}

func (m *member) start() {
	m.w.t.Helper()
	m.listen()
	m.halted = make(chan Halt, 1)
	w, err := Open(m.config())
	if err != nil {
		m.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	m.witness = w
	m.stop = func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			m.w.t.Errorf("%s: %v", m.region, err)
		}
		m.hangUp()
		if err := w.Close(); err != nil {
			m.w.t.Error(err)
		}
	}
}

// listen lets the others' streams come in.
func (m *member) listen() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handlers = map[string]func(string, net.Conn){}
}

func (m *member) end() {
	if m.stop != nil {
		m.stop()
		m.stop, m.witness = nil, nil
	}
}

// hangUp closes what this member has open, as a process that ends does.
func (m *member) hangUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handlers = nil
	for c := range m.conns {
		c.Close()
	}
	clear(m.conns)
}

func (m *member) Handle(name string, h func(string, net.Conn)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handlers[name] = h
}

func (m *member) Open(_ context.Context, node, name string) (net.Conn, error) {
	to := m.w.members[peers.Region(node[:peers.RegionSize])]
	m.w.mu.Lock()
	cut := m.w.cut[[2]string{nodeOf(m.region), node}]
	m.w.mu.Unlock()
	to.mu.Lock()
	h := to.handlers[name]
	to.mu.Unlock()
	if h == nil || cut {
		return nil, errors.New("nobody is there")
	}
	here, there := net.Pipe()
	to.mu.Lock()
	to.conns[there] = true
	to.mu.Unlock()
	m.mu.Lock()
	m.conns[here] = true
	m.mu.Unlock()
	go func() {
		defer there.Close()
		h(nodeOf(m.region), there)
	}()
	return here, nil
}

// apply appends leaves to a member's ledger. Members with the same leaves have
// the same roots.
func (m *member) apply(leaves ...string) {
	m.ledger.mu.Lock()
	defer m.ledger.mu.Unlock()
	m.ledger.leaves = append(m.ledger.leaves, leaves...)
}

// apply appends leaves to everybody's ledger.
func (w *world) apply(leaves ...string) {
	for _, r := range regions {
		w.members[r].apply(leaves...)
	}
}

// mark hands everybody who runs a mark of what the leader has applied.
func (w *world) mark(leader peers.Region, index uint64) {
	size := w.members[leader].ledger.Size()
	m := signedMark(leader, index, size, must(w.members[leader].ledger.RootAt(size)))
	for _, r := range regions {
		if to := w.members[r]; to.witness != nil {
			to.witness.Marked(m)
		}
	}
}

// witnessed waits until the members hold a witnessed checkpoint of a size.
func (w *world) witnessed(size uint64, by ...peers.Region) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waiting.Limit)
	defer cancel()
	for _, r := range by {
		if err := w.members[r].witness.Wait(ctx, size); err != nil {
			w.t.Fatalf("%s has nothing witnessed of size %d: %+v", r, size, w.members[r].witness.Status())
		}
	}
}

// A ledger of texts. Its root is a digest over all of them and not a tree's;
// no proof is asked of it.
type ledger struct {
	mu          sync.Mutex
	leaves      []string
	directories []*peers.Directory // ascending by Next
}

func newLedger(g *peers.Genesis) *ledger {
	return &ledger{directories: []*peers.Directory{must(peers.NewDirectory(g))}}
}

func (l *ledger) Size() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.leaves))
}

func (l *ledger) RootAt(size uint64) (sm.Digest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if size > uint64(len(l.leaves)) {
		return sm.Digest{}, errors.New("not applied")
	}
	h := sm.NewHash()
	for _, leaf := range l.leaves[:size] {
		fmt.Fprintf(h, "%d %s", len(leaf), leaf)
	}
	return sm.Digest(h.Sum(nil)), nil
}

func (l *ledger) DirectoryAt(size uint64) (*peers.Directory, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.directories[0]
	for _, later := range l.directories {
		if later.Next() <= size {
			d = later
		}
	}
	return d, nil
}

// The marks of these tests are signed by nobody: term, size, root, signer.
func signedMark(leader peers.Region, index, size uint64, root sm.Digest) Mark {
	raw := binary.BigEndian.AppendUint64(nil, 1)
	raw = binary.BigEndian.AppendUint64(raw, size)
	raw = append(append(raw, root[:]...), nodeOf(leader)...)
	return Mark{Index: index, Term: 1, Size: size, Root: root, Signer: nodeOf(leader), Raw: raw}
}

func readMark(raw []byte) (Mark, error) {
	if len(raw) != 8+8+sm.DigestSize+8 {
		return Mark{}, errors.New("no mark")
	}
	m := Mark{Term: binary.BigEndian.Uint64(raw), Size: binary.BigEndian.Uint64(raw[8:]), Signer: string(raw[16+sm.DigestSize:]), Raw: raw}
	copy(m.Root[:], raw[16:])
	return m, nil
}

func nodeOf(r peers.Region) string { return peers.NodeID(r, 1) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
