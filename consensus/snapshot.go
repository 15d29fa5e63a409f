package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// A snapshot's stream starts with its point and a proof, which has its length
// in two bytes before it.
const preambleFixed = 1 + 3*8 + sm.DigestSize + 2

// snapshots is Raft's SnapshotStore. It holds one: where the log may begin. To
// a peer it streams the entries; from a peer it lets nothing reach Raft that has
// not been verified, for Raft closes the sink, installs and only then restores.
type snapshots struct {
	dir     string
	machine StateMachine
	witness Witness
	// allow refuses a membership that the staged entries do not explain.
	allow func(raft.Configuration) error
	// applied is the state machine's position in the log.
	applied func() uint64
	// refused is told why a received snapshot was not taken.
	refused func(p Point, why error)
	fatal   func(error)

	mu      sync.Mutex
	current *snapshotRecord
	// staged says that current has been verified but not installed yet.
	staged bool
}

var _ raft.SnapshotStore = (*snapshots)(nil)

// Create starts a snapshot: a local one if Persist gets the sink, a received
// one if bytes are written to it. Raft doesn't say which.
func (s *snapshots) Create(_ raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &sink{
		store: s, index: index, term: term, configuration: configuration,
		record: snapshotRecord{
			configuration:      raft.EncodeConfiguration(configuration),
			configurationIndex: configurationIndex,
		},
	}, nil
}

// List returns the snapshot, if there is one.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil, nil
	}
	return []*raft.SnapshotMeta{s.current.meta()}, nil
}

// Open streams the snapshot with its true size. One that has just been received
// is opened by Raft only to be installed, which needs no bytes.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	record, staged := s.current, s.staged
	s.mu.Unlock()
	if record == nil || record.id() != id {
		return nil, nil, fmt.Errorf("consensus: no snapshot %s", id)
	}
	meta := record.meta()
	if staged {
		return meta, io.NopCloser(bytes.NewReader(nil)), nil
	}
	entries, length, err := s.machine.Export(record.Size)
	if err != nil {
		return nil, nil, fmt.Errorf("consensus: export: %w", err)
	}
	preamble, err := s.preamble(record.Point)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("consensus: snapshot preamble: %w", err), entries.Close())
	}
	meta.Size = int64(len(preamble)) + length
	return meta, &export{Reader: io.MultiReader(bytes.NewReader(preamble), entries), Closer: entries}, nil
}

func (s *snapshots) preamble(p Point) ([]byte, error) {
	proof, err := s.witness.Proof(p.Size)
	if err != nil {
		return nil, err
	}
	if len(proof) > MaxProof {
		return nil, fmt.Errorf("a proof of %d bytes", len(proof))
	}
	var b cryptobyte.Builder
	addPoint(&b, p)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(proof) })
	return b.Bytes()
}

type export struct {
	io.Reader
	io.Closer
}

func (r *snapshotRecord) id() string { return fmt.Sprintf("%d-%d", r.Term, r.Index) }

func (r *snapshotRecord) meta() *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, ID: r.id(), Index: r.Index, Term: r.Term,
		Configuration: raft.DecodeConfiguration(r.configuration), ConfigurationIndex: r.configurationIndex,
	}
}

// save makes record the current snapshot, durably.
func (s *snapshots) save(record *snapshotRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && record.Index <= s.current.Index {
		return fmt.Errorf("consensus: snapshot at %d, there is one at %d", record.Index, s.current.Index)
	}
	if err := record.write(s.dir); err != nil {
		s.fatal(err)
		return err
	}
	s.current, s.staged = record, record.received
	return nil
}

// end is where the snapshot ends, 0 and 0 if there is none.
func (s *snapshots) end() (index, term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return 0, 0
	}
	return s.current.Index, s.current.Term
}

// configuration is the membership from which the log goes on.
func (s *snapshots) configuration() (index uint64, c raft.Configuration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return 0, c, false
	}
	return s.current.configurationIndex, raft.DecodeConfiguration(s.current.configuration), true
}

// install makes a received and verified snapshot the live state.
func (s *snapshots) install() (Point, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || !s.staged {
		return Point{}, errors.New("consensus: no verified snapshot to install")
	}
	if err := s.machine.Install(s.current.Point); err != nil {
		return Point{}, fmt.Errorf("consensus: install snapshot at %d: %w", s.current.Index, err)
	}
	s.staged = false
	return s.current.Point, nil
}

// clearReceived forgets the mark once the log has begun again: from now on an
// empty log is a lost one.
func (s *snapshots) clearReceived() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || !s.current.received || s.staged {
		return nil
	}
	cleared := *s.current
	cleared.received = false
	if err := cleared.write(s.dir); err != nil {
		return err
	}
	s.current = &cleared
	return nil
}

// A sink takes one snapshot in.
type sink struct {
	store         *snapshots
	index, term   uint64
	configuration raft.Configuration
	record        snapshotRecord

	preamble []byte
	proof    []byte
	pipe     *io.PipeWriter // to Stage; nil until the preamble is there
	result   chan stageResult
}

type stageResult struct {
	root sm.Digest
	err  error
}

func (k *sink) ID() string { return fmt.Sprintf("%d-%d", k.term, k.index) }

// persist completes a local snapshot: the state machine has synced past it.
func (k *sink) persist(size uint64, root sm.Digest) {
	k.record.Point = Point{Index: k.index, Term: k.term, Size: size, Root: root}
}

// Write takes bytes from a peer. The state machine verifies them as they come.
func (k *sink) Write(p []byte) (int, error) {
	n, err := k.take(p)
	if err != nil {
		k.store.refused(k.record.Point, err)
	}
	return n, err
}

func (k *sink) take(p []byte) (int, error) {
	n := len(p)
	if k.pipe == nil {
		for size := k.preambleSize(); len(k.preamble) < size; size = k.preambleSize() {
			if len(p) == 0 {
				return n, nil
			}
			take := min(size-len(k.preamble), len(p))
			k.preamble, p = append(k.preamble, p[:take]...), p[take:]
		}
		if err := k.begin(); err != nil {
			return 0, err
		}
	}
	if len(p) > 0 {
		if _, err := k.pipe.Write(p); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// preambleSize is how long the preamble is, as far as can be told yet.
func (k *sink) preambleSize() int {
	if len(k.preamble) < preambleFixed {
		return preambleFixed
	}
	return preambleFixed + int(binary.BigEndian.Uint16(k.preamble[preambleFixed-2:]))
}

func (k *sink) begin() error {
	s := cryptobyte.String(k.preamble)
	var p Point
	var proof cryptobyte.String
	if !readPoint(&s, &p) || !s.ReadUint16LengthPrefixed(&proof) || !s.Empty() || len(proof) > MaxProof {
		return errors.New("consensus: malformed snapshot preamble")
	}
	k.proof = proof
	if p.Index != k.index || p.Term != k.term {
		return fmt.Errorf("consensus: snapshot says %d/%d, Raft says %d/%d", p.Term, p.Index, k.term, k.index)
	}
	if applied := k.store.applied(); p.Index <= applied {
		return fmt.Errorf("consensus: snapshot at %d, %d has been applied", p.Index, applied)
	}
	k.record.Point, k.record.received = p, true
	r, w := io.Pipe()
	k.pipe, k.result = w, make(chan stageResult, 1)
	go func() {
		root, err := k.store.machine.Stage(p, r)
		// Not reading on makes the next Write fail instead of hang.
		_ = r.CloseWithError(errors.Join(errors.New("consensus: staging has ended"), err))
		k.result <- stageResult{root: root, err: err}
	}()
	return nil
}

// Close decides. After it has returned without an error, Raft acts.
func (k *sink) Close() error {
	err := k.decide()
	if err != nil && k.record.received {
		k.store.refused(k.record.Point, err)
	}
	return err
}

func (k *sink) decide() error {
	if k.pipe == nil {
		if len(k.preamble) > 0 || k.record.Index == 0 {
			return errors.New("consensus: snapshot without entries or preamble")
		}
		return k.store.save(&k.record)
	}
	if err := k.pipe.Close(); err != nil {
		return err
	}
	staged := <-k.result
	if staged.err != nil {
		return fmt.Errorf("consensus: received snapshot: %w", staged.err)
	}
	if staged.root != k.record.Root {
		return fmt.Errorf("consensus: received snapshot: its %d entries have another root than it says", k.record.Size)
	}
	if err := k.store.allow(k.configuration); err != nil {
		return fmt.Errorf("consensus: received snapshot: %w", err)
	}
	if err := k.store.witness.Check(k.record.Point, k.proof); err != nil {
		return fmt.Errorf("consensus: received snapshot: %w", err)
	}
	return k.store.save(&k.record)
}

// Cancel drops what has come in.
func (k *sink) Cancel() error {
	if k.pipe != nil {
		_ = k.pipe.CloseWithError(errors.New("consensus: snapshot cancelled"))
		<-k.result
		k.pipe = nil
	}
	return nil
}
