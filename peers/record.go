package peers

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// Limits of records: docs/formats/directory.md.
const (
	maxRecord  = 1 << 10
	maxRecords = 1 << 14
	// MaxRoster bounds a roster before it is parsed.
	MaxRoster = 1 << 20
)

const rosterVersion = 1

// records are the leaves of the tree, in order.
func (r *Roster) records() [][]byte {
	out := make([][]byte, 0, len(r.parties)+len(r.nodes)+len(r.keys)+len(r.agencies)+1)
	for _, p := range r.parties {
		out = append(out, p.marshal())
	}
	for _, n := range r.nodes {
		out = append(out, n.marshal())
	}
	for _, k := range r.keys {
		out = append(out, k.marshal())
	}
	for _, a := range r.agencies {
		out = append(out, a.marshal())
	}
	return append(out, r.policy.marshal())
}

// MarshalBinary is what is sent to a node that was away. Whoever reads it
// compares its root with that of a witnessed checkpoint.
func (r *Roster) MarshalBinary() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddUint8(rosterVersion)
	for _, record := range r.records() {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(record) })
	}
	out, err := b.Bytes()
	if err == nil && len(out) > MaxRoster {
		err = fmt.Errorf("directory: more than %d bytes", MaxRoster)
	}
	return out, err
}

// ParseRoster reads what MarshalBinary writes. It proves nothing by itself.
func ParseRoster(raw []byte) (*Roster, error) {
	s := cryptobyte.String(raw)
	var version uint8
	if len(raw) > MaxRoster || !s.ReadUint8(&version) || version != rosterVersion {
		return nil, errRecord
	}
	r := &Roster{}
	ended := false
	for count := 0; !s.Empty(); count++ {
		var record cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&record) || len(record) > maxRecord || count == maxRecords || ended {
			return nil, errRecord
		}
		var err error
		if ended, err = r.add(record); err != nil {
			return nil, err
		}
	}
	// One spelling: the records in their order, the policy at the end.
	if again, err := r.MarshalBinary(); err != nil || !bytes.Equal(again, raw) {
		return nil, errRecord
	}
	if !r.ordered() {
		return nil, errRecord
	}
	return r, nil
}

// add takes one record; the policy is the last one.
func (r *Roster) add(record []byte) (last bool, err error) {
	s := cryptobyte.String(record)
	var kind uint8
	s.ReadUint8(&kind)
	switch kind {
	case recordParty:
		p, err := parseParty(&s)
		r.parties = append(r.parties, p)
		return false, err
	case recordNode:
		n, err := parseNode(&s)
		r.nodes = append(r.nodes, n)
		return false, err
	case recordKey:
		k, err := parseKeyRecord(&s)
		r.keys = append(r.keys, k)
		return false, err
	case recordAgencies:
		a, err := parseAgencies(record)
		r.agencies = append(r.agencies, a)
		return false, err
	case recordPolicy:
		r.policy, err = parsePolicy(&s)
		return true, err
	default:
		return false, errRecord
	}
}

// ordered says whether the records ascend, none twice.
func (r *Roster) ordered() bool {
	return ascends(r.parties, func(a, b Party) int { return compareRegions(a.Region, b.Region) }) &&
		ascends(r.nodes, compareNodes) && ascends(r.keys, compareKeys) &&
		ascends(r.agencies, func(a, b agenciesRecord) int { return compareRegions(a.Region, b.Region) })
}

func ascends[T any](list []T, compare func(a, b T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}

func compareRegions(a, b Region) int { return bytes.Compare([]byte(a), []byte(b)) }

func compareNodes(a, b NodeRecord) int {
	if c := compareRegions(a.Region, b.Region); c != 0 {
		return c
	}
	return nodeNumber(a.ID) - nodeNumber(b.ID)
}

func (p Party) marshal() []byte {
	var b cryptobyte.Builder
	b.AddUint8(recordParty)
	b.AddBytes([]byte(p.Region))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(p.Name)) })
	b.AddUint8(uint8(p.Stage))
	b.AddUint64(p.Since)
	return b.BytesOrPanic() // Lengths were checked when the record was made.
}

func parseParty(s *cryptobyte.String) (Party, error) {
	var (
		p      Party
		region []byte
		name   cryptobyte.String
		stage  uint8
	)
	if !s.ReadBytes(&region, RegionSize) || !s.ReadUint16LengthPrefixed(&name) || !s.ReadUint8(&stage) ||
		!s.ReadUint64(&p.Since) || !s.Empty() || Stage(stage).String() == "" {
		return p, errRecord
	}
	var err error
	if p.Region, err = ParseRegion(string(region)); err != nil {
		return p, err
	}
	p.Name, p.Stage = string(name), Stage(stage)
	return p, checkText(p.Name, 1, maxName)
}

func (n NodeRecord) marshal() []byte {
	var b cryptobyte.Builder
	b.AddUint8(recordNode)
	b.AddBytes([]byte(n.Region))
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(n.ID)) })
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(n.Addr)) })
	b.AddUint8(uint8(n.Role))
	b.AddUint64(n.From)
	b.AddUint64(n.Until)
	return b.BytesOrPanic() // Lengths were checked when the record was made.
}

func parseNode(s *cryptobyte.String) (NodeRecord, error) {
	var (
		n        NodeRecord
		region   []byte
		id, addr cryptobyte.String
		role     uint8
	)
	if !s.ReadBytes(&region, RegionSize) || !s.ReadUint8LengthPrefixed(&id) || !s.ReadUint8LengthPrefixed(&addr) ||
		!s.ReadUint8(&role) || !s.ReadUint64(&n.From) || !s.ReadUint64(&n.Until) || !s.Empty() ||
		Role(role).String() == "" || n.Until != 0 && n.Until <= n.From {
		return n, errRecord
	}
	var err error
	if n.Region, err = ParseRegion(string(region)); err != nil {
		return n, err
	}
	n.ID, n.Addr, n.Role = string(id), string(addr), Role(role)
	if err := checkNodeID(n.Region, n.ID); err != nil {
		return n, err
	}
	return n, CheckAddr(n.Addr)
}

// agenciesRecord stands for all keys of a region's agencies: a change of one
// of them changes one record, however many there are.
type agenciesRecord struct {
	Region Region
	Count  uint32
	root   *lateDigest
}

// lateDigest is a digest that is worked out when it is first asked for.
type lateDigest struct {
	once  sync.Once
	value sm.Digest
	work  func() sm.Digest
}

func (l *lateDigest) get() sm.Digest {
	l.once.Do(func() {
		if l.work != nil {
			l.value, l.work = l.work(), nil
		}
	})
	return l.value
}

func (a agenciesRecord) marshal() []byte {
	root := a.root.get()
	var b cryptobyte.Builder
	b.AddUint8(recordAgencies)
	b.AddBytes([]byte(a.Region))
	b.AddUint32(a.Count)
	b.AddBytes(root[:])
	return b.BytesOrPanic() // fixed fields only
}

func parseAgencies(record []byte) (agenciesRecord, error) {
	s := cryptobyte.String(record)
	a := agenciesRecord{root: &lateDigest{}}
	var (
		kind   uint8
		region []byte
	)
	if !s.ReadUint8(&kind) || kind != recordAgencies || !s.ReadBytes(&region, RegionSize) ||
		!s.ReadUint32(&a.Count) || !s.CopyBytes(a.root.value[:]) || !s.Empty() || a.Count == 0 || a.Count > maxAgencyKeys {
		return a, errRecord
	}
	var err error
	a.Region, err = ParseRegion(string(region))
	return a, err
}

func (p Policy) marshal() []byte {
	var b cryptobyte.Builder
	b.AddUint8(recordPolicy)
	b.AddUint8(uint8(p.Cosignatures))
	b.AddUint8(uint8(len(p.Formats)))
	for _, f := range p.Formats {
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(f)) })
	}
	return b.BytesOrPanic() // Lengths were checked when the record was made.
}

func parsePolicy(s *cryptobyte.String) (Policy, error) {
	var (
		p        Policy
		k, count uint8
	)
	if !s.ReadUint8(&k) || !s.ReadUint8(&count) || k > MaxMembers || count > maxFormats {
		return p, errRecord
	}
	p.Cosignatures = int(k)
	for range count {
		var name cryptobyte.String
		if !s.ReadUint8LengthPrefixed(&name) || checkFormat(string(name)) != nil {
			return p, errRecord
		}
		p.Formats = append(p.Formats, string(name))
	}
	if !s.Empty() || !slices.IsSorted(p.Formats) || len(slices.Compact(slices.Clone(p.Formats))) != len(p.Formats) {
		return p, errRecord
	}
	return p, nil
}

// agencyLeaves are the leaves of the tree of a region's agency keys.
func agencyLeaves(keys []AgencyKey) []sm.Digest {
	leaves := make([]sm.Digest, len(keys))
	for i, k := range keys {
		leaves[i] = ledger.LeafHash(k.marshal())
	}
	return leaves
}
