package peers

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// seen is what four honest regions state at size 42.
func seen() Checkpoint {
	return Checkpoint{
		Ledger: sm.Sum([]byte("ledger")), Size: 42, Root: sm.Sum([]byte("root")), Directory: sm.Sum([]byte("directory")),
	}
}

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

func witnessesOf(founders []founder) WitnessSet {
	s := WitnessSet{K: Quorum(len(founders))}
	for _, f := range founders {
		s.Keys = append(s.Keys, WitnessKey{Region: f.Region, Public: f.Witness})
	}
	return s
}

func cosigned(tb testing.TB, c Checkpoint, by ...founder) Checkpoint {
	tb.Helper()
	for i, f := range by {
		line, err := c.Cosign(f.Region, f.witness, noon.Add(time.Duration(i)*time.Second))
		if err != nil {
			tb.Fatal(err)
		}
		c = c.With(line)
	}
	return c
}

func TestThreeOfFourMakeItWitnessed(t *testing.T) {
	founders := fourFounders(t)
	set := witnessesOf(founders)
	for n := range 5 {
		by, err := cosigned(t, seen(), founders[:n]...).Verify(set)
		if (err == nil) != (n >= 3) || (err != nil && !errors.Is(err, ErrNotWitnessed)) || len(by) != n {
			t.Errorf("with %d cosignatures: by %v, %v", n, by, err)
		}
	}
}

// Nothing that a region did not sign counts for it, and what it signed counts
// once.
func TestWhatDoesNotCount(t *testing.T) {
	founders := fourFounders(t)
	set := witnessesOf(founders)
	two := cosigned(t, seen(), founders[:2]...)
	third, err := seen().Cosign(founders[2].Region, founders[2].witness, noon)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*Cosignature)) Checkpoint {
		line := third
		line.Signature = bytes.Clone(third.Signature)
		f(&line)
		return two.With(line)
	}
	late := seen()
	late.Size++
	replayed, err := late.Cosign(founders[2].Region, founders[2].witness, noon)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Checkpoint{
		"a flipped bit":               change(func(l *Cosignature) { l.Signature[20] ^= 1 }),
		"another time":                change(func(l *Cosignature) { l.Time++ }),
		"a signature of another size": change(func(l *Cosignature) { *l = replayed }),
		"another's signature": change(func(l *Cosignature) {
			l.Region, l.Key = founders[3].Region, HashOf(founders[3].Witness.ID())
		}),
	} {
		if _, err := c.Verify(set); !errors.Is(err, sm.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]Checkpoint{
		"a stranger's key": change(func(l *Cosignature) { l.Key[0] ^= 1 }),
		"a region that is no witness": change(func(l *Cosignature) {
			l.Region = "150000"
		}),
	} {
		if by, err := c.Verify(set); !errors.Is(err, ErrNotWitnessed) || len(by) != 2 {
			t.Errorf("%s: by %v, %v", name, by, err)
		}
	}
	for name, other := range map[string]func(*Checkpoint){
		"root":      func(c *Checkpoint) { c.Root[0] ^= 1 },
		"directory": func(c *Checkpoint) { c.Directory[0] ^= 1 },
		"ledger":    func(c *Checkpoint) { c.Ledger[0] ^= 1 },
		"size":      func(c *Checkpoint) { c.Size++ },
	} {
		c := cosigned(t, seen(), founders...)
		other(&c)
		if _, err := c.Verify(set); err == nil {
			t.Errorf("with another %s the cosignatures still hold", name)
		}
	}
}

// A region that rotates signs with both keys and is still one region.
func TestTwoKeysOfARegionCountOnce(t *testing.T) {
	founders := fourFounders(t)
	set := witnessesOf(founders)
	next := must(sm.Generate[sm.Witness](seeded("rotated")))
	set.Keys = slices.Insert(set.Keys, 1, WitnessKey{Region: founders[0].Region, Public: next.Public()})
	c := cosigned(t, seen(), founders[0], founder{Member: founders[0].Member, witness: next}, founders[1])
	if by, err := c.Verify(set); !errors.Is(err, ErrNotWitnessed) || len(by) != 2 || len(c.Cosignatures) != 3 {
		t.Errorf("by %v, %v", by, err)
	}
	again := c.With(c.Cosignatures[1])
	if diff := cmp.Diff(c, again); diff != "" {
		t.Errorf("the same line twice: %s", diff)
	}
}

// One region's clock, however wrong, does not move the time of a checkpoint
// beyond those of the others.
func TestTheTimeOfACheckpoint(t *testing.T) {
	c := Checkpoint{}
	for _, at := range []int64{100, 1, 102, 1 << 40} {
		c.Cosignatures = append(c.Cosignatures, Cosignature{Time: at})
	}
	if got := c.Time(); got != 100 {
		t.Errorf("time %d", got)
	}
	if c.Cosignatures = c.Cosignatures[1:]; c.Time() != 102 {
		t.Errorf("time %d", c.Time())
	}
	if (Checkpoint{}).Time() != 0 {
		t.Error("a checkpoint that nobody cosigned has a time")
	}
}

func TestCheckpointVector(t *testing.T) {
	founders := fourFounders(t)
	if *update { // SM2 signatures are not deterministic: the file is made once.
		golden(t, "checkpoint.txt", cosigned(t, seen(), founders[:3]...).Marshal())
	}
	text, err := os.ReadFile("testdata/checkpoint.txt")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCheckpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	if by, err := c.Verify(witnessesOf(founders)); err != nil || len(by) != 3 || !c.Same(seen()) {
		t.Errorf("by %v, %v", by, err)
	}
	golden(t, "witness-set.digest", []byte(witnessesOf(founders).Digest().String()+"\n"))
}

func TestParseCheckpointRefuses(t *testing.T) {
	founders := fourFounders(t)
	text := string(cosigned(t, seen(), founders[:2]...).Marshal())
	head, lines, _ := strings.Cut(text, "\n\n")
	first, second, _ := strings.Cut(lines, "\n")
	stated := seen()
	root := base64.StdEncoding.EncodeToString(stated.Root[:])
	edit := func(old, with string) string { return strings.Replace(text, old, with, 1) }
	for name, text := range map[string]string{
		"nothing":                   "",
		"another origin":            edit("xinqiao/v1/", "xinqiao/v2/"),
		"a size with a zero before": edit("\n42\n", "\n042\n"),
		"a size with a sign":        edit("\n42\n", "\n+42\n"),
		"size 0":                    edit("\n42\n", "\n0\n"),
		"a size beyond 64 bits":     edit("\n42\n", "\n18446744073709551616\n"),
		"an upper-case ledger id":   strings.ToUpper(head[:80]) + text[80:],
		"a root without padding":    edit(root, strings.TrimRight(root, "=")),
		"a root cut over two lines": edit(root, root[:8]+"\r"+root[8:]),
		"no directory":              edit("directory ", "catalogue "),
		"a further extension":       edit("\n\n", "\nmore\n\n"),
		"no empty line":             edit("\n\n", "\n"),
		"two empty lines":           edit("\n\n", "\n\n\n"),
		"carriage returns":          strings.ReplaceAll(text, "\n", "\r\n"),
		"no end of line":            strings.TrimSuffix(text, "\n"),
		"a hyphen for the dash":     edit("— ", "- "),
		"lines in another order":    head + "\n\n" + second + first + "\n",
		"a line twice":              head + "\n\n" + first + "\n" + first + "\n",
		"a line without signature":  head + "\n\n— 110000 AAAAAAAAAAAAAAAA\n",
		"a region of five digits":   edit("— 110000", "— 11000"),
		"an endless text":           text + strings.Repeat(first+"\n", MaxCheckpoint/len(first)),
	} {
		if _, err := ParseCheckpoint([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCosignRefusesATimeThatHasNoSpelling(t *testing.T) {
	f := fourFounders(t)[0]
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(maxTime+1, 0)} {
		if _, err := seen().Cosign(f.Region, f.witness, at); err == nil {
			t.Errorf("cosigned at %d", at.Unix())
		}
	}
}

// What parses is written back in the one spelling.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add(cosigned(f, seen(), fourFounders(f)...).Marshal())
	f.Add(seen().Marshal())
	set := witnessesOf(fourFounders(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCheckpoint(text)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Marshal(), text) {
			t.Fatalf("%q parses, but is spelled %q", text, c.Marshal())
		}
		if by, err := c.Verify(set); err == nil && len(by) < set.K {
			t.Fatalf("witnessed by %v", by)
		}
	})
}

func BenchmarkVerifyCheckpoint(b *testing.B) {
	founders := fourFounders(b)
	c, set := cosigned(b, seen(), founders[:3]...), witnessesOf(founders)
	for b.Loop() {
		if _, err := c.Verify(set); err != nil {
			b.Fatal(err)
		}
	}
}
