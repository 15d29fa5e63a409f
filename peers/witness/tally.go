package witness

import (
	"bytes"
	"slices"

	"github.com/xinqiao/creditgw/peers"
)

// maxTallies bounds the sizes at which lines are collected, the last ones. A
// leader marks five a second, so a key that signs two roots within most of a
// minute is seen to.
const maxTallies = 256

// tallies hold, for each size, what has been stated of it and by whom. Every
// line in them has been verified.
type tallies map[uint64][]peers.Checkpoint

// add puts a verified line to the statement it is of. It returns the statement
// with all its lines, and another one that the same key has signed for the same
// size, if there is one.
func (t tallies) add(of peers.Checkpoint, line peers.Cosignature) (merged peers.Checkpoint, clash *peers.Checkpoint) {
	of.Cosignatures = nil
	at := -1
	for i, c := range t[of.Size] {
		switch {
		case c.Same(of):
			at = i
		case hasKey(c, line):
			clash = &t[of.Size][i]
		}
	}
	if at < 0 {
		t[of.Size] = append(t[of.Size], of)
		at = len(t[of.Size]) - 1
	}
	merged = t[of.Size][at]
	if old := lineOf(merged, line); old == nil || old.Time < line.Time {
		merged = merged.With(line)
		t[of.Size][at] = merged
	}
	if clash != nil { // not a slot that a later append may move
		c := *clash
		clash = &c
	}
	return merged, clash
}

// has says whether the very line is there already.
func (t tallies) has(of peers.Checkpoint, line peers.Cosignature) bool {
	for _, c := range t[of.Size] {
		if old := lineOf(c, line); c.Same(of) && old != nil && old.Time == line.Time && bytes.Equal(old.Signature, line.Signature) {
			return true
		}
	}
	return false
}

// of returns the statement with its lines, without any if nobody has made it.
func (t tallies) of(statement peers.Checkpoint) peers.Checkpoint {
	for _, c := range t[statement.Size] {
		if c.Same(statement) {
			return c
		}
	}
	return statement
}

// bound lets go of the lowest sizes. It must not come between two lines of one
// checkpoint, or an old one, such as a handover that was fetched, never adds up.
func (t tallies) bound() {
	for len(t) > maxTallies {
		lowest := uint64(1<<64 - 1)
		for size := range t {
			lowest = min(lowest, size)
		}
		delete(t, lowest)
	}
}

func lineOf(c peers.Checkpoint, like peers.Cosignature) *peers.Cosignature {
	i := slices.IndexFunc(c.Cosignatures, func(l peers.Cosignature) bool { return l.Region == like.Region && l.Key == like.Key })
	if i < 0 {
		return nil
	}
	return &c.Cosignatures[i]
}

func hasKey(c peers.Checkpoint, like peers.Cosignature) bool { return lineOf(c, like) != nil }

// by lists the regions with a line by a key of the set; lines have been
// verified.
func by(c peers.Checkpoint, set peers.WitnessSet) []peers.Region {
	var regions []peers.Region
	for _, l := range c.Cosignatures {
		if inSet(l, set) && !slices.Contains(regions, l.Region) {
			regions = append(regions, l.Region)
		}
	}
	return regions
}

// inSet says whether a line states a key of the set.
func inSet(l peers.Cosignature, set peers.WitnessSet) bool {
	return slices.ContainsFunc(set.Keys, func(k peers.WitnessKey) bool {
		return k.Region == l.Region && peers.HashOf(k.Public.ID()) == l.Key
	})
}

func enough(c peers.Checkpoint, set peers.WitnessSet) bool {
	return set.K > 0 && len(by(c, set)) >= set.K
}
