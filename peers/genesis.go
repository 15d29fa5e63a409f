package peers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/crypto/sm"
)

const (
	// GenesisVersion is the version of docs/formats/genesis.md.
	GenesisVersion = 1
	// MaxMembers bounds a ledger; Raft with more voters would be slow long before.
	MaxMembers = 32
)

// Genesis names the founders of a ledger. It is a value: no method changes it,
// and its slices and maps must not be changed once it is shared.
type Genesis struct {
	Version    int
	Members    []Member // ascending by region
	K          int      // cosignatures that make a checkpoint witnessed
	Signatures map[Region][]byte
}

// Quorum is the number of cosignatures out of n that two honest checkpoints
// cannot both have unless more than a third of the regions lie: 1 + ⌊2n/3⌋.
func Quorum(n int) int { return 1 + 2*n/3 }

// Join makes the unsigned genesis of these founders, in any order.
func Join(members []Member) (Genesis, error) {
	g := Genesis{
		Version: GenesisVersion,
		Members: slices.SortedStableFunc(slices.Values(members), func(a, b Member) int {
			return strings.Compare(string(a.Region), string(b.Region))
		}),
		K:          Quorum(len(members)),
		Signatures: map[Region][]byte{},
	}
	return g, g.checkStructure()
}

// Sign adds or replaces the founder's signature. It refuses a key that is not
// the founder's own, so that nobody passes on a genesis that cannot be valid.
func (g Genesis) Sign(region Region, key *sm.BatchKey) (Genesis, error) {
	if err := g.checkStructure(); err != nil {
		return Genesis{}, err
	}
	m, ok := g.Member(region)
	if !ok {
		return Genesis{}, fmt.Errorf("genesis: %s is no founder", region)
	}
	if !m.Batch.Equal(key.Public()) {
		return Genesis{}, fmt.Errorf("genesis: the batch key of %s in it is another one", region)
	}
	sig, err := key.Sign(sm.LabelGenesis, sm.Digest{}, g.Signed())
	if err != nil {
		return Genesis{}, fmt.Errorf("genesis: sign for %s: %w", region, err)
	}
	signatures := maps.Clone(g.Signatures)
	if signatures == nil {
		signatures = map[Region][]byte{}
	}
	signatures[region] = sig
	g.Signatures = signatures
	return g, nil
}

// Signed returns the bytes that every founder signs: the encoding of
// docs/formats/genesis.md. It is meant for a genesis whose structure was
// checked, as Join and ParseGenesis do; for any other it returns nil.
func (g Genesis) Signed() []byte {
	if g.checkStructure() != nil {
		return nil
	}
	var b cryptobyte.Builder
	b.AddUint8(uint8(g.Version))
	b.AddUint8(uint8(g.K))
	b.AddUint8(uint8(len(g.Members)))
	for _, m := range g.Members {
		b.AddBytes([]byte(m.Region))
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(m.Name)) })
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(m.Node.ID)) })
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(m.Node.Addr)) })
		for _, point := range m.points() {
			b.AddBytes(point)
		}
	}
	return b.BytesOrPanic() // The lengths were checked: it cannot overflow a prefix.
}

// LedgerID is the SM3 digest of what is signed. It goes into every signature
// made for this ledger.
func (g Genesis) LedgerID() sm.Digest { return sm.Sum(g.Signed()) }

// Member finds a founder.
func (g Genesis) Member(r Region) (Member, bool) {
	i := slices.IndexFunc(g.Members, func(m Member) bool { return m.Region == r })
	if i < 0 {
		return Member{}, false
	}
	return g.Members[i], true
}

// Unsigned lists the founders whose signature is missing.
func (g Genesis) Unsigned() []Region {
	var missing []Region
	for _, m := range g.Members {
		if _, ok := g.Signatures[m.Region]; !ok {
			missing = append(missing, m.Region)
		}
	}
	return missing
}

// Check verifies the structure and those signatures that are there, which is
// all that can be asked of a genesis still on its way from hand to hand.
func (g Genesis) Check() error {
	if err := g.checkStructure(); err != nil {
		return err
	}
	signed := g.Signed()
	for _, r := range slices.Sorted(maps.Keys(g.Signatures)) {
		m, _ := g.Member(r)
		if err := m.Batch.Verify(sm.LabelGenesis, sm.Digest{}, signed, g.Signatures[r]); err != nil {
			return fmt.Errorf("genesis: signature of %s: %w", r, err)
		}
	}
	return nil
}

// Verify demands a sound structure and a valid signature of every founder.
func (g Genesis) Verify() error {
	if err := g.Check(); err != nil {
		return err
	}
	if missing := g.Unsigned(); len(missing) > 0 {
		return fmt.Errorf("genesis: %w %v", ErrUnsigned, missing)
	}
	return nil
}

// ErrUnsigned says that a genesis lacks founders' signatures.
var ErrUnsigned = errors.New("not signed yet by")

func (g Genesis) checkStructure() error {
	if g.Version != GenesisVersion {
		return fmt.Errorf("genesis: version %d is not %d", g.Version, GenesisVersion)
	}
	if len(g.Members) < 1 || len(g.Members) > MaxMembers {
		return fmt.Errorf("genesis: not 1 to %d members", MaxMembers)
	}
	if g.K != Quorum(len(g.Members)) {
		return fmt.Errorf("genesis: k of %d members is %d", len(g.Members), Quorum(len(g.Members)))
	}
	keys, addrs := map[string]Region{}, map[string]Region{}
	for i, m := range g.Members {
		if err := m.Validate(); err != nil {
			return fmt.Errorf("genesis: %w", err)
		}
		// Node ids carry the region, so distinct regions make distinct ids.
		if i > 0 && g.Members[i-1].Region >= m.Region {
			return fmt.Errorf("genesis: members are not in ascending order at %s, or it is there twice", m.Region)
		}
		addr := strings.ToLower(m.Node.Addr)
		if other, ok := addrs[addr]; ok {
			return fmt.Errorf("genesis: %s and %s have the same address", other, m.Region)
		}
		addrs[addr] = m.Region
		for _, point := range m.points() {
			if other, ok := keys[string(point)]; ok {
				return fmt.Errorf("genesis: %s and %s use one key twice", other, m.Region)
			}
			keys[string(point)] = m.Region
		}
	}
	for r, sig := range g.Signatures {
		if _, ok := g.Member(r); !ok {
			return errors.New("genesis: a signature of somebody who is no founder")
		}
		if len(sig) == 0 || len(sig) > maxSignature {
			return fmt.Errorf("genesis: signature of %s: not 1 to %d bytes", r, maxSignature)
		}
	}
	return nil
}

// maxSignature is the longest DER encoding of two 256-bit integers.
const maxSignature = 72
