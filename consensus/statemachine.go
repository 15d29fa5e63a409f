package consensus

import (
	"io"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// A Point is a place in the ledger: the state after the Raft entry (Index,
// Term) has been applied, at which the ledger has Size entries and this root.
type Point struct {
	Index, Term uint64
	Size        uint64
	Root        sm.Digest
}

// A StateMachine is what the entries are applied to. It is a pure fold over
// them: the same entries give the same results and the same root on every node.
type StateMachine interface {
	// Apply applies the items of one entry and returns one result for each.
	// Calls come in order of index and never concurrently; an entry without
	// items counts too. The items' bytes are shared with Raft: they may be
	// kept but never changed.
	Apply(index, term uint64, items [][]byte) []any

	// Prepare is told of the items of an entry that is being written to the
	// log, so that what depends on their bytes alone can be worked out before
	// Apply asks for it. The entry may never be applied, and another one may
	// come in its place; Apply's results don't depend on it. It returns at
	// once and is called concurrently with the other methods.
	Prepare(index uint64, items [][]byte)

	// Applied returns the last index whose effect would survive a crash now.
	Applied() uint64

	// Point returns the ledger's size and root as of the last Apply. It is
	// called concurrently with the other methods.
	Point() (size uint64, root sm.Digest)

	// Sync returns when everything up to index is durable.
	Sync(index uint64) error

	// Export streams the first size entries; length is exact, in bytes.
	Export(size uint64) (r io.ReadCloser, length int64, err error)

	// Stage reads another node's Export to its end into a side file, verifies
	// it without touching the live state and returns the root it came to.
	// An earlier staged stream is dropped.
	Stage(p Point, r io.Reader) (sm.Digest, error)

	// Install makes the stream staged for p the live state, durably. It does
	// nothing if Applied is p.Index or later. It is called again at start-up
	// if the process ended in the middle.
	Install(p Point) error
}
