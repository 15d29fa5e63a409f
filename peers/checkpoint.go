package peers

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Checkpoint says what the ledger is at one size, and which regions have seen
// it so: docs/formats/checkpoint.md. With the cosignatures of K regions of the
// witness set it is witnessed, and nobody honest accepts less. It is a value;
// size 0 means none.
type Checkpoint struct {
	Ledger       sm.Digest
	Size         uint64    // leaves
	Root         sm.Digest // of the tree of that size
	Directory    sm.Digest // Directory.Root as of that size
	Cosignatures []Cosignature
}

// Cosignature is one witness's line of a checkpoint.
type Cosignature struct {
	Region    Region
	Key       KeyHash
	Time      int64 // Unix seconds, the witness's claim
	Signature []byte
}

// KeyHash tells the keys of one region apart in a line: the first four bytes
// of the key id. It chooses a key to verify with and proves nothing.
type KeyHash [4]byte

// HashOf shortens a key id.
func HashOf(id sm.KeyID) KeyHash { return KeyHash(id[:4]) }

var (
	// ErrNotWitnessed means that fewer than K regions have cosigned.
	ErrNotWitnessed = errors.New("checkpoint: too few regions have cosigned")
	// ErrStranger means a line by a key that the witness set does not have.
	ErrStranger = errors.New("checkpoint: a line by no key of the witness set")
)

// Cosign signs the checkpoint as one witness. Whoever calls it has made sure
// that this key never signs another root for the size.
func (c Checkpoint) Cosign(r Region, key *sm.WitnessKey, at time.Time) (Cosignature, error) {
	line := Cosignature{Region: r, Key: HashOf(key.Public().ID()), Time: at.Unix()}
	if _, err := ParseRegion(string(r)); err != nil {
		return Cosignature{}, err
	}
	if !validTime(line.Time) {
		return Cosignature{}, errors.New("checkpoint: a time outside the years 1970 to 9999")
	}
	var err error
	if line.Signature, err = key.Sign(sm.LabelCosignature, c.Ledger, c.cosigned(line.Time)); err != nil {
		return Cosignature{}, fmt.Errorf("checkpoint: %w", err)
	}
	return line, nil
}

// With returns the checkpoint with a line added, or put in the place of an
// earlier one by the same key.
func (c Checkpoint) With(line Cosignature) Checkpoint {
	i, found := slices.BinarySearchFunc(c.Cosignatures, line, compareLines)
	lines := slices.Clone(c.Cosignatures)
	if found {
		lines[i] = line
	} else {
		lines = slices.Insert(lines, i, line)
	}
	c.Cosignatures = lines
	return c
}

// Same says whether both state the same of the same ledger, whoever cosigned.
func (c Checkpoint) Same(o Checkpoint) bool {
	return c.Ledger == o.Ledger && c.Size == o.Size && c.Root == o.Root && c.Directory == o.Directory
}

// Check verifies one line: ErrStranger if it is by no key of s, and
// sm.ErrSignature if it is said to be by one and is not.
func (c Checkpoint) Check(line Cosignature, s WitnessSet) error {
	keys := s.named(line.Region, line.Key)
	if len(keys) == 0 {
		return ErrStranger
	}
	message := c.cosigned(line.Time)
	for _, k := range keys {
		if k.Verify(sm.LabelCosignature, c.Ledger, message, line.Signature) == nil {
			return nil
		}
	}
	return fmt.Errorf("checkpoint: cosignature of %s: %w", line.Region, sm.ErrSignature)
}

// Verify checks every line that is by a key of s, passes over those of others,
// and returns the regions that have cosigned, ascending. It is an error if a
// line does not hold or if fewer than s.K regions are left; the regions are
// returned with ErrNotWitnessed too.
func (c Checkpoint) Verify(s WitnessSet) (by []Region, err error) {
	for _, line := range c.Cosignatures {
		err := c.Check(line, s)
		switch {
		case errors.Is(err, ErrStranger):
			continue
		case err != nil:
			return nil, err
		case !slices.Contains(by, line.Region):
			by = append(by, line.Region)
		}
	}
	slices.Sort(by)
	if s.K < 1 || len(by) < s.K {
		return by, fmt.Errorf("%w: %d of %d", ErrNotWitnessed, len(by), s.K)
	}
	return by, nil
}

// Time is the middle one of the lines' times, the earlier of two middle ones: a
// claim that a minority can't move beyond those of the others. 0 without lines.
func (c Checkpoint) Time() int64 {
	if len(c.Cosignatures) == 0 {
		return 0
	}
	times := make([]int64, len(c.Cosignatures))
	for i, l := range c.Cosignatures {
		times[i] = l.Time
	}
	slices.Sort(times)
	return times[(len(times)-1)/2]
}

// compareLines is the order of lines: by region, then key hash.
func compareLines(a, b Cosignature) int {
	return cmp.Or(cmp.Compare(a.Region, b.Region), slices.Compare(a.Key[:], b.Key[:]))
}

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

func validTime(t int64) bool { return 0 < t && t <= maxTime }
