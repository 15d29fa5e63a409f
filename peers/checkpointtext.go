package peers

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	// MaxCheckpoint bounds the text of a checkpoint in bytes.
	MaxCheckpoint = 9 << 10
	// MaxCosignatures bounds its lines: two for each member that rotates.
	MaxCosignatures = 2 * MaxMembers

	originPrefix    = "xinqiao/v1/"
	directoryPrefix = "directory "
	linePrefix      = "— "
	lineFixed       = len(KeyHash{}) + 8
)

// Marshal writes the checkpoint as text: what is stated, an empty line, one
// line for each cosignature.
func (c Checkpoint) Marshal() []byte {
	b := append(c.body(), '\n')
	for _, s := range c.Cosignatures {
		raw := binary.BigEndian.AppendUint64(s.Key[:len(s.Key):len(s.Key)], uint64(s.Time))
		raw = append(raw, s.Signature...)
		b = fmt.Appendf(b, "%s%s ", linePrefix, s.Region)
		b = base64.StdEncoding.AppendEncode(b, raw)
		b = append(b, '\n')
	}
	return b
}

// body is what is stated, and what a cosignature covers besides its time.
func (c Checkpoint) body() []byte {
	b := fmt.Appendf(nil, "%s%s\n%d\n", originPrefix, c.Ledger, c.Size)
	b = base64.StdEncoding.AppendEncode(b, c.Root[:])
	b = append(b, '\n')
	b = append(b, directoryPrefix...)
	b = base64.StdEncoding.AppendEncode(b, c.Directory[:])
	return append(b, '\n')
}

// cosigned is the message of a cosignature, as C2SP's cosignature/v1.
func (c Checkpoint) cosigned(time int64) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", time), c.body()...)
}

var errCheckpoint = errors.New("checkpoint: not the text of docs/formats/checkpoint.md")

// ParseCheckpoint reads the one spelling of a checkpoint. It verifies nothing.
func ParseCheckpoint(text []byte) (Checkpoint, error) {
	if len(text) > MaxCheckpoint {
		return Checkpoint{}, fmt.Errorf("checkpoint: longer than %d bytes", MaxCheckpoint)
	}
	body, lines, ok := strings.Cut(string(text), "\n\n")
	stated := strings.Split(body, "\n")
	if !ok || len(stated) != 4 {
		return Checkpoint{}, errCheckpoint
	}
	var c Checkpoint
	if err := c.parseBody(stated); err != nil {
		return Checkpoint{}, err
	}
	for line := range strings.Lines(lines) {
		s, err := parseLine(line)
		if err != nil {
			return Checkpoint{}, err
		}
		if len(c.Cosignatures) == MaxCosignatures {
			return Checkpoint{}, fmt.Errorf("checkpoint: more than %d cosignatures", MaxCosignatures)
		}
		c.Cosignatures = append(c.Cosignatures, s)
	}
	// Whatever the steps above let pass has no second spelling behind this.
	if !slices.IsSortedFunc(c.Cosignatures, compareLines) || repeated(c.Cosignatures) || !bytes.Equal(c.Marshal(), text) {
		return Checkpoint{}, errCheckpoint
	}
	return c, nil
}

func (c *Checkpoint) parseBody(stated []string) (err error) {
	ledger, ok := strings.CutPrefix(stated[0], originPrefix)
	if !ok {
		return errCheckpoint
	}
	if c.Ledger, err = sm.ParseDigest(ledger); err != nil {
		return errCheckpoint
	}
	if c.Size, err = strconv.ParseUint(stated[1], 10, 64); err != nil || c.Size == 0 {
		return errCheckpoint
	}
	directory, ok := strings.CutPrefix(stated[3], directoryPrefix)
	if !ok || !readDigest(&c.Root, stated[2]) || !readDigest(&c.Directory, directory) {
		return errCheckpoint
	}
	return nil
}

func readDigest(d *sm.Digest, text string) bool {
	raw, err := base64.StdEncoding.DecodeString(text)
	return err == nil && copy(d[:], raw) == len(d) && len(raw) == len(d)
}

func parseLine(line string) (Cosignature, error) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), linePrefix)
	name, encoded, split := strings.Cut(rest, " ")
	region, err := ParseRegion(name)
	if !ok || !split || err != nil {
		return Cosignature{}, errCheckpoint
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) <= lineFixed || len(raw) > lineFixed+maxSignature {
		return Cosignature{}, errCheckpoint
	}
	s := Cosignature{Region: region, Key: KeyHash(raw[:4]), Signature: raw[lineFixed:]}
	at := binary.BigEndian.Uint64(raw[4:])
	if at > maxTime || at == 0 {
		return Cosignature{}, errCheckpoint
	}
	s.Time = int64(at)
	return s, nil
}

// repeated says whether two neighbours are by one key.
func repeated(lines []Cosignature) bool {
	for i := 1; i < len(lines); i++ {
		if compareLines(lines[i-1], lines[i]) == 0 {
			return true
		}
	}
	return false
}
