package peers

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// MaxChain bounds a chain before it is parsed.
const MaxChain = 2 << 20

const chainVersion = 1

// Chain proves a roster to whoever has the genesis: the roster, a witnessed
// checkpoint that names its root, and the handovers from the founders' witnesses
// to those who cosigned it. A node that was away while keys were rotated gets
// it from any other node, whom it need not believe: docs/formats/peer-stream.md.
type Chain struct {
	Checkpoint string
	Handovers  []Handover
	Roster     []byte
}

// Marshal gives the chain's bytes.
func (c Chain) Marshal() ([]byte, error) {
	handovers, err := json.Marshal(c.Handovers)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddUint8(chainVersion)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(c.Checkpoint)) })
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(handovers) })
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(c.Roster) })
	out, err := b.Bytes()
	if err == nil && len(out) > MaxChain {
		err = fmt.Errorf("chain: more than %d bytes", MaxChain)
	}
	return out, err
}

var errChain = errors.New("chain: malformed")

// JudgeChain reads a chain and follows it from the founders.
func JudgeChain(g *Genesis, raw []byte) (Known, error) {
	s := cryptobyte.String(raw)
	var version uint8
	var checkpoint, handovers, roster cryptobyte.String
	if len(raw) > MaxChain || !s.ReadUint8(&version) || version != chainVersion ||
		!s.ReadUint16LengthPrefixed(&checkpoint) || !s.ReadUint24LengthPrefixed(&handovers) ||
		!s.ReadUint24LengthPrefixed(&roster) || !s.Empty() {
		return Known{}, errChain
	}
	var c Chain
	if json.Unmarshal(handovers, &c.Handovers) != nil {
		return Known{}, errChain
	}
	history, err := FollowHandovers(g.LedgerID(), founded(g).Witnesses(), c.Handovers)
	if err != nil {
		return Known{}, err
	}
	witnessed, _, err := history.Judge(string(checkpoint))
	if err != nil {
		return Known{}, err
	}
	r, err := ParseRoster(roster)
	if err != nil {
		return Known{}, err
	}
	if r.Root() != witnessed.Directory {
		return Known{}, errors.New("chain: the roster is not the one that was witnessed")
	}
	return Known{Roster: r, Size: witnessed.Size, history: history}, nil
}
