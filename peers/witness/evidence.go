package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/schemas"
)

// Kind says what a bundle shows.
type Kind string

const (
	KindForked       Kind = "forked"       // k regions have cosigned another root than ours
	KindRewritten    Kind = "rewritten"    // our ledger is not what we have signed
	KindRolledBack   Kind = "rolled-back"  // a signature of ours that we do not remember
	KindDisagreement Kind = "disagreement" // fewer than k regions state another root
	KindMarkDiffers  Kind = "mark-differs" // a leader's mark is not our root
	KindTwoRoots     Kind = "two-roots"    // one witness key has signed two statements of one size
	KindTwoMarks     Kind = "two-marks"    // one node key has marked two roots of one size
)

// Evidence is one bundle: the bytes of both sides, and what they prove. It is
// docs/formats/evidence.md and can be judged by anyone who has the directory.
type Evidence struct {
	Version int          `json:"version"`
	Kind    Kind         `json:"kind"`
	At      time.Time    `json:"at"`
	Ledger  sm.Digest    `json:"ledger"`
	Region  peers.Region `json:"region"` // whose node has written it
	Size    uint64       `json:"size"`
	Own     string       `json:"own"`   // checkpoint text
	Other   string       `json:"other"` // checkpoint text, "" if it is about marks only
	Marks   [][]byte     `json:"marks"`
	Guilty  []Guilty     `json:"guilty"` // empty: nobody's guilt is proven
	Text    schemas.Text `json:"text"`

	about string // for the bundle's name: who disagrees
}

// Guilty is a key that has signed two things of which only one can be true.
type Guilty struct {
	Region peers.Region `json:"region,omitempty"`
	Node   string       `json:"node,omitempty"`
	Key    string       `json:"key,omitempty"` // hexadecimal beginning of the key id
}

const (
	evidenceVersion = 1
	// maxBundles bounds what a lying peer can make this node write.
	maxBundles = 1000
	// again is the least time between two bundles of a kind about the same.
	again = time.Minute
)

// evidence writes bundles.
type evidence struct {
	dir     string
	clock   func() time.Time
	told    map[string]time.Time
	written int
}

// report keeps a bundle that does not stop the node. One that has stopped has
// nothing to add but whose fault it may be.
func (w *Witness) report(e Evidence) error {
	if w.halted() && len(e.Guilty) == 0 {
		return nil
	}
	subject := string(e.Kind) + " " + e.about
	if last, told := w.evidence.told[subject]; told && w.cfg.Clock().Sub(last) < again {
		return nil
	}
	w.evidence.told[subject] = w.cfg.Clock()
	name, err := w.evidence.keep(e)
	if err != nil {
		return err
	}
	w.cfg.Logger.Error("evidence kept", "alarm", true, "kind", string(e.Kind), "about", e.about, "size", e.Size, "file", name)
	return nil
}

// keep makes a bundle durable, as JSON and as text for people, and returns its
// name.
func (v *evidence) keep(e Evidence) (string, error) {
	e.At = v.clock().UTC().Truncate(time.Second)
	name := fmt.Sprintf("%s-%s-%d-%s", e.At.Format("20060102T150405Z"), e.Kind, e.Size, e.about)
	if v.written >= maxBundles {
		return name, nil
	}
	raw, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return "", fmt.Errorf("witness: evidence: %w", err)
	}
	if err := durable.MakeDir(v.dir); err != nil {
		return "", fmt.Errorf("witness: evidence: %w", err)
	}
	for ext, content := range map[string][]byte{
		".json": append(raw, '\n'),
		".txt":  []byte(e.Text.ZH + "\n\n" + e.Text.EN + "\n"),
	} {
		if err := durable.Replace(filepath.Join(v.dir, name+ext), content, 0o600); err != nil {
			return "", fmt.Errorf("witness: evidence: %w", err)
		}
	}
	v.written++
	return name, nil
}

// MaxEvidence bounds a bundle that is read.
const MaxEvidence = 64 << 10

// IsEvidence says whether a file claims to be a bundle.
func IsEvidence(raw []byte) bool {
	var file struct {
		Kind   Kind            `json:"kind"`
		Guilty json.RawMessage `json:"guilty"`
	}
	return len(raw) <= MaxEvidence && json.Unmarshal(raw, &file) == nil && file.Kind != "" && file.Guilty != nil
}

// ParseEvidence reads a bundle. It verifies nothing: Judge does.
func ParseEvidence(raw []byte) (Evidence, error) {
	var e Evidence
	if len(raw) > MaxEvidence {
		return e, fmt.Errorf("witness: a bundle of more than %d bytes", MaxEvidence)
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("witness: a bundle that is not docs/formats/evidence.md: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return e, errors.New("witness: bytes behind the bundle")
	}
	if e.Version != evidenceVersion {
		return e, errors.New("witness: a bundle of an unknown version")
	}
	return e, nil
}

func (w *Witness) bundle(kind Kind, size uint64, about string) Evidence {
	return Evidence{
		Version: evidenceVersion, Kind: kind, Ledger: w.cfg.LedgerID, Region: w.cfg.Region, Size: size,
		Marks: [][]byte{}, Guilty: []Guilty{}, about: about,
	}
}

func disagreement(w *Witness, own, other peers.Checkpoint) Evidence {
	who := regionsOf(other)
	e := w.bundle(KindDisagreement, other.Size, strings.Join(who, "+"))
	e.Own, e.Other = string(own.Marshal()), string(other.Marshal())
	e.Marks = w.marks.of(other.Size)
	e.Text = sayDisagreement(w.cfg.Region, who, other.Size)
	return e
}

func haltEvidence(w *Witness, reason HaltReason, own, other peers.Checkpoint) Evidence {
	kind := map[HaltReason]Kind{HaltForked: KindForked, HaltRewritten: KindRewritten, HaltRolledBack: KindRolledBack}[reason]
	who := regionsOf(other)
	e := w.bundle(kind, other.Size, strings.Join(who, "+"))
	e.Own, e.Other = string(textOf(own)), string(other.Marshal())
	e.Marks = w.marks.of(other.Size)
	switch reason {
	case HaltForked:
		e.Text = sayForked(w.cfg.Region, who, other.Size)
	case HaltRewritten:
		e.Text = sayRewritten(w.cfg.Region, other.Size)
	case HaltRolledBack:
		e.Text = sayRolledBack(w.cfg.Region, own.Size, other.Size)
	}
	return e
}

func markDiffers(w *Witness, m Mark, own peers.Checkpoint) Evidence {
	e := w.bundle(KindMarkDiffers, m.Size, m.Signer)
	e.Own, e.Marks = string(own.Marshal()), [][]byte{m.Raw}
	e.Text = sayMarkDiffers(w.cfg.Region, m)
	return e
}

func twoRoots(w *Witness, line peers.Cosignature, one, other peers.Checkpoint) Evidence {
	e := w.bundle(KindTwoRoots, one.Size, string(line.Region))
	e.Own, e.Other = string(one.Marshal()), string(other.Marshal())
	e.Guilty = []Guilty{guiltyOf(line)}
	e.Text = sayTwoRoots(line.Region, e.Guilty[0].Key, one.Size)
	return e
}

func guiltyOf(line peers.Cosignature) Guilty {
	return Guilty{Region: line.Region, Key: nameOf(line.Key)}
}

func nameOf(key peers.KeyHash) string { return fmt.Sprintf("%x", key) }

func twoMarks(w *Witness, one, other Mark) Evidence {
	e := w.bundle(KindTwoMarks, one.Size, one.Signer)
	e.Marks = [][]byte{other.Raw, one.Raw}
	e.Guilty = []Guilty{{Node: one.Signer}}
	e.Text = sayTwoMarks(one, other)
	return e
}

// of lists the marks of a size, as signed.
func (s *marks) of(size uint64) [][]byte {
	raw := [][]byte{}
	for _, m := range s.last {
		if m.Size == size {
			raw = append(raw, m.Raw)
		}
	}
	return raw
}

func regionsOf(c peers.Checkpoint) []string {
	var names []string
	for _, l := range c.Cosignatures {
		if n := len(names); n == 0 || names[n-1] != string(l.Region) {
			names = append(names, string(l.Region))
		}
	}
	return names
}
