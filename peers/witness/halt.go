package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/peers"
)

// HaltReason says why a node must not go on serving.
type HaltReason string

const (
	// HaltForked: k regions have cosigned another root than ours.
	HaltForked HaltReason = "FORKED"
	// HaltRewritten: our ledger is not any more what this witness has signed.
	HaltRewritten HaltReason = "REWRITTEN"
	// HaltRolledBack: others hold a signature of ours that we do not remember.
	HaltRolledBack HaltReason = "ROLLED_BACK"
)

// Halt is kept on disk: a node that must not go on must not come back by a
// restart either.
type Halt struct {
	Reason   HaltReason `json:"reason"`
	Size     uint64     `json:"size"`
	Evidence string     `json:"evidence"` // name of the bundle
	At       time.Time  `json:"at"`
}

const (
	haltName = "halted"
	maxHalt  = 4 << 10
)

// readHalt returns nil for a node that goes on.
func readHalt(dir string) (*Halt, error) {
	raw, err := os.ReadFile(filepath.Join(dir, haltName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	var h Halt
	if len(raw) > maxHalt || json.Unmarshal(raw, &h) != nil || h.Reason == "" {
		return nil, errors.New("witness: the file that says why this node was stopped is damaged")
	}
	return &h, nil
}

func (w *Witness) halted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status.Halt != nil
}

// halt stops this node's serving, once.
func (w *Witness) halt(reason HaltReason, own, other peers.Checkpoint) error {
	if w.halted() {
		return nil
	}
	name, err := w.evidence.keep(haltEvidence(w, reason, own, other))
	if err != nil {
		return err
	}
	h := Halt{Reason: reason, Size: other.Size, Evidence: name, At: w.cfg.Clock().UTC().Truncate(time.Second)}
	raw, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	if err := durable.Replace(filepath.Join(w.cfg.Dir, haltName), append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	w.mu.Lock()
	w.status.Halt = &h
	w.mu.Unlock()
	w.cfg.Logger.Error("this node stops serving", "alarm", true, "reason", string(reason), "size", other.Size, "evidence", name)
	w.cfg.Halted(h)
	return nil
}
