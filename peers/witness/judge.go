package witness

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Finding is one check of a bundle. Of the one that does not hold the cause is
// not nil, and nothing was checked behind it.
type Finding struct {
	Code  string
	Text  schemas.Text
	Cause error // technical
}

// Judgment is what a bundle shows to somebody who has the genesis, and nothing
// of it rests on the word of the node that wrote it. What could not be checked
// is not in it: neither the bundle's time nor its own text.
type Judgment struct {
	Kind     Kind
	Region   peers.Region // whose node has written it; a claim
	Size     uint64
	Findings []Finding
	Holds    bool     // every check does
	Guilty   []Guilty // keys that have signed two things of which one is false

	// Proven is what follows, for people, and NotProven what somebody might take
	// the bundle for and must not; both are empty unless it holds.
	Proven, NotProven []schemas.Text

	known          peers.Known
	set            peers.WitnessSet // that of Size
	own, other     peers.Checkpoint
	ownBy, otherBy []peers.Region // that have validly signed it
	marks          []Mark         // that hold
	strangers      int            // lines and marks by keys that are not known as good there
}

// Judge checks a bundle offline. A genesis has the founders' keys; members, where
// it is not nil, is a chain (peers.JudgeChain) that shows later ones. readMark
// parses a mark and verifies it by the keys that its node is known to have had at
// its size. Lines and marks by other keys are passed over, and the judgment says so.
func Judge(raw []byte, g *peers.Genesis, members []byte, readMark func(raw []byte, known peers.Known) (Mark, error)) Judgment {
	var j Judgment
	e, err := ParseEvidence(raw)
	if err == nil {
		j.Kind, j.Region, j.Size = e.Kind, e.Region, e.Size
		err = j.take(&e)
	}
	if !j.did(stepForm, err) {
		return j
	}
	j.known, err = peers.Founders(g)
	if err == nil && e.Ledger != j.known.Ledger() {
		err = errors.New("the bundle is of another ledger")
	}
	if !j.did(stepGenesis, err) {
		return j
	}
	if members != nil {
		j.known, err = peers.JudgeChain(g, members)
		if !j.did(stepMembers, err) {
			return j
		}
	}
	j.set = j.known.WitnessesAt(j.Size)
	j.Holds = j.did(stepSigned, j.signed(&e, readMark)) && j.did(stepContradiction, j.contradiction()) &&
		j.did(stepGuilty, j.named(e.Guilty))
	if j.Holds {
		j.shows()
	}
	return j
}

func (j *Judgment) did(s step, err error) bool {
	text := s.holds
	if err != nil {
		text = s.not
	}
	j.Findings = append(j.Findings, Finding{s.code, text, err})
	return err == nil
}

// take reads both statements.
func (j *Judgment) take(e *Evidence) (err error) {
	if j.own, err = statementOf(e, e.Own); err != nil {
		return err
	}
	j.other, err = statementOf(e, e.Other)
	return err
}

func statementOf(e *Evidence, text string) (peers.Checkpoint, error) {
	if text == "" {
		return peers.Checkpoint{}, nil
	}
	c, err := peers.ParseCheckpoint([]byte(text))
	if err == nil && c.Ledger != e.Ledger {
		err = errors.New("a statement is of another ledger than the bundle")
	}
	return c, err
}

// signed verifies what was signed. A line under a key of its size's witnesses must
// hold; of marks those count that do.
func (j *Judgment) signed(e *Evidence, readMark func([]byte, peers.Known) (Mark, error)) (err error) {
	if j.ownBy, err = j.signers(j.own); err != nil {
		return err
	}
	if j.otherBy, err = j.signers(j.other); err != nil {
		return err
	}
	for _, raw := range e.Marks {
		m, err := readMark(raw, j.known)
		if err != nil {
			j.strangers++
			continue
		}
		j.marks = append(j.marks, m)
	}
	return nil
}

func (j *Judgment) signers(c peers.Checkpoint) ([]peers.Region, error) {
	set := j.known.WitnessesAt(c.Size)
	for _, line := range c.Cosignatures {
		switch err := c.Check(line, set); {
		case errors.Is(err, peers.ErrStranger):
			j.strangers++
		case err != nil:
			return nil, err
		}
	}
	return by(c, set), nil
}

// contradiction says why the bundle does not show what its kind claims.
func (j *Judgment) contradiction() error {
	switch j.Kind {
	case KindForked:
		if len(j.otherBy) < j.set.K {
			return fmt.Errorf("%d regions have signed the other root, %d are needed", len(j.otherBy), j.set.K)
		}
		return j.differ()
	case KindDisagreement:
		if len(j.otherBy) == 0 {
			return errors.New("nobody has signed the other root")
		}
		return j.differ()
	case KindRewritten:
		if !slices.Contains(j.otherBy, j.Region) {
			return errors.New("the region has not signed the other root")
		}
		return j.differ()
	case KindRolledBack:
		if !slices.Contains(j.otherBy, j.Region) {
			return errors.New("the region has not signed what it is said to have forgotten")
		}
		if j.other.Size != j.Size || j.own.Size > j.other.Size || j.own.Same(j.other) {
			return errors.New("what was signed lies in what is remembered")
		}
		return nil
	case KindMarkDiffers:
		return j.markDiffers()
	case KindTwoRoots:
		return j.twoRoots()
	case KindTwoMarks:
		return j.twoMarks()
	default:
		return fmt.Errorf("a kind %q is not known", j.Kind)
	}
}

// differ wants two statements of the bundle's size that are not the same.
func (j *Judgment) differ() error {
	if j.own.Size != j.Size || j.other.Size != j.Size || j.own.Same(j.other) {
		return errors.New("the two statements do not differ at one size")
	}
	return nil
}

func (j *Judgment) markDiffers() error {
	for _, m := range j.marks {
		if m.Size == j.Size && j.own.Size == j.Size && m.Root != j.own.Root {
			j.marks = []Mark{m}
			return nil
		}
	}
	return errors.New("no mark by a known node's key differs from the statement")
}

func (j *Judgment) twoRoots() error {
	if err := j.differ(); err != nil {
		return err
	}
	for _, line := range j.own.Cosignatures {
		if hasKey(j.other, line) && inSet(line, j.set) {
			j.Guilty = append(j.Guilty, guiltyOf(line))
		}
	}
	if len(j.Guilty) == 0 {
		return errors.New("no known witness key has signed both statements")
	}
	return nil
}

func (j *Judgment) twoMarks() error {
	for i, one := range j.marks {
		for _, other := range j.marks[i+1:] {
			if one.Size == j.Size && other.Size == j.Size && one.Signer == other.Signer && one.Root != other.Root {
				j.Guilty = []Guilty{{Node: one.Signer}}
				return nil
			}
		}
	}
	return errors.New("no known node's key has marked two roots")
}

// suspected says from which size on a key is suspected of having been in wrong
// hands, if what the bundle has of it lies in that time.
func (j *Judgment) suspected(g Guilty) (from uint64, yes bool) {
	for _, k := range j.known.Keys(j.regionOf(g)) {
		marks := k.Purpose == peers.PurposeNode && k.Node == g.Node
		cosigns := k.Purpose == peers.PurposeWitness && g.Key == nameOf(peers.HashOf(k.Key.ID()))
		if (marks || cosigns) && k.Doubtful(j.Size) {
			return k.SuspectFrom, true
		}
	}
	return 0, false
}

func (j *Judgment) regionOf(g Guilty) peers.Region {
	if n, ok := j.known.Node(g.Node); ok {
		return n.Region
	}
	return g.Region
}

// named wants everyone accused to be proven something of.
func (j *Judgment) named(accused []Guilty) error {
	for _, g := range accused {
		if !slices.Contains(j.Guilty, g) {
			return fmt.Errorf("nothing is proven of %s", cmp.Or(g.Node, string(g.Region)))
		}
	}
	return nil
}
