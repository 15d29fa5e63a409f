package peers

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Handover shows one change of the witness set to somebody who knows the set
// before it: a checkpoint behind the change that a quorum of those before has
// cosigned, and what has changed. The directory line of the checkpoint commits
// to the set that results: docs/formats/receipt.md.
type Handover struct {
	Added      []HandoverKey `json:"added,omitempty"`
	Checkpoint string        `json:"checkpoint"`
	K          int           `json:"k"`
	Records    sm.Digest     `json:"records"` // root of the directory's records
	Removed    []sm.KeyID    `json:"removed,omitempty"`
}

// HandoverKey is a witness key that a handover brings.
type HandoverKey struct {
	Key    *sm.WitnessPublic `json:"key"`
	Region Region            `json:"region"`
}

// maxHandovers bounds what is verified for one stranger: a century of yearly
// rotations of five regions fits.
const maxHandovers = 512

var errHandover = errors.New("handover: the change is not shown")

// NewHandover describes a change by the sets on either side of it. Of the
// checkpoint it keeps the cosignatures that the set before asks for.
func NewHandover(before, after WitnessSet, records sm.Digest, c Checkpoint) (Handover, error) {
	trimmed, err := c.Trim(before)
	if err != nil {
		return Handover{}, err
	}
	o := Handover{Checkpoint: string(trimmed.Marshal()), K: after.K, Records: records}
	for _, k := range after.Keys {
		if !before.has(k) {
			o.Added = append(o.Added, HandoverKey{Key: k.Public, Region: k.Region})
		}
	}
	for _, k := range before.Keys {
		if !after.has(k) {
			o.Removed = append(o.Removed, k.Public.ID())
		}
	}
	return o, nil
}

// Trim keeps as many valid cosignatures as the set asks for, of distinct
// regions: all that a stranger needs.
func (c Checkpoint) Trim(s WitnessSet) (Checkpoint, error) {
	var kept []Cosignature
	for _, line := range c.Cosignatures {
		counted := len(kept) > 0 && kept[len(kept)-1].Region == line.Region
		if len(kept) < s.K && !counted && c.Check(line, s) == nil {
			kept = append(kept, line)
		}
	}
	c.Cosignatures = kept
	if s.K < 1 || len(kept) < s.K {
		return c, fmt.Errorf("%w: %d of %d at size %d", ErrNotWitnessed, len(kept), s.K, c.Size)
	}
	return c, nil
}

// History is who could cosign, and from which ledger size on.
type History struct {
	ledger sm.Digest
	from   []uint64 // ascending; the first is 0
	sets   []WitnessSet
}

// FollowHandovers goes from the founders' witnesses through every change, in
// order. It verifies each.
func FollowHandovers(ledger sm.Digest, founders WitnessSet, handovers []Handover) (History, error) {
	h := History{ledger: ledger, from: []uint64{0}, sets: []WitnessSet{founders}}
	if len(handovers) > maxHandovers {
		return h, fmt.Errorf("%w: more than %d changes", errHandover, maxHandovers)
	}
	for i := range handovers {
		if err := h.follow(&handovers[i]); err != nil {
			return h, fmt.Errorf("handover %d: %w", i+1, err)
		}
	}
	return h, nil
}

func (h *History) follow(o *Handover) error {
	c, _, err := h.Judge(o.Checkpoint)
	if err != nil {
		return err
	}
	if c.Size <= h.Size() {
		return fmt.Errorf("%w: it is not behind the one before", errHandover)
	}
	next, err := h.sets[len(h.sets)-1].handed(o)
	if err != nil {
		return err
	}
	if next.Under(c.Directory, o.Records) != nil {
		return fmt.Errorf("%w: the checkpoint commits to other witnesses", errHandover)
	}
	h.from, h.sets = append(h.from, c.Size), append(h.sets, next)
	return nil
}

// handed is the set after a handover.
func (s WitnessSet) handed(o *Handover) (WitnessSet, error) {
	next := WitnessSet{K: o.K, Keys: slices.Clone(s.Keys)}
	for _, id := range o.Removed {
		i := slices.IndexFunc(next.Keys, func(k WitnessKey) bool { return k.Public.ID() == id })
		if i < 0 {
			return next, fmt.Errorf("%w: it removes a key that was not there", errHandover)
		}
		next.Keys = slices.Delete(next.Keys, i, i+1)
	}
	for _, w := range o.Added {
		k := WitnessKey{Region: w.Region, Public: w.Key}
		if w.Key == nil || next.has(k) {
			return next, fmt.Errorf("%w: it adds no key, or one twice", errHandover)
		}
		next.Keys = append(next.Keys, k)
	}
	slices.SortFunc(next.Keys, compareWitnesses)
	same := len(o.Added)+len(o.Removed) == 0 && o.K == s.K
	if same || o.K < 1 || len(next.Keys) > MaxCosignatures {
		return next, fmt.Errorf("%w: it changes nothing, or leaves nobody", errHandover)
	}
	return next, nil
}

// At is the set that judges a checkpoint of this size. At a handover's own size
// that is still the set before it.
func (h *History) At(size uint64) WitnessSet {
	i := len(h.from) - 1
	for i > 0 && h.from[i] >= size {
		i--
	}
	return h.sets[i]
}

// Size is that of the last handover's checkpoint; 0 before the first change.
func (h *History) Size() uint64 { return h.from[len(h.from)-1] }

// Judge reads a checkpoint that carries exactly the cosignatures it needs, each
// of another region, so that no line of what a stranger holds goes unchecked.
func (h *History) Judge(text string) (Checkpoint, []Region, error) {
	c, err := ParseCheckpoint([]byte(text))
	if err != nil {
		return c, nil, err
	}
	if c.Ledger != h.ledger {
		return c, nil, errors.New("checkpoint: of another ledger")
	}
	set := h.At(c.Size)
	by, err := c.Verify(set)
	if err == nil && (len(by) != set.K || len(c.Cosignatures) != set.K) {
		err = fmt.Errorf("checkpoint: %d cosignatures where %d are needed", len(c.Cosignatures), set.K)
	}
	return c, by, err
}

func (s WitnessSet) has(k WitnessKey) bool {
	return slices.ContainsFunc(s.Keys, func(o WitnessKey) bool { return o.Region == k.Region && o.Public.Equal(k.Public) })
}

// compareWitnesses is the order of a set's keys.
func compareWitnesses(a, b WitnessKey) int {
	if c := strings.Compare(string(a.Region), string(b.Region)); c != 0 {
		return c
	}
	x, y := a.Public.ID(), b.Public.ID()
	return bytes.Compare(x[:], y[:])
}
