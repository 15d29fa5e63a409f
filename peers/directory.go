package peers

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/benbjohnson/immutable"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// maxAgencyKeys bounds what one region can make every node keep for ever.
const maxAgencyKeys = 1 << 16

// Directory is what every signature is judged against: the founders and the
// agency keys registered since. It is immutable and safe for concurrent use.
type Directory struct {
	genesis *Genesis
	ledger  sm.Digest
	nodes   map[string]Region     // node id to its region
	members map[sm.KeyID]struct{} // every key of a member, of any purpose

	next   uint64 // the lowest leaf index that has not been folded
	counts map[Region]int
	// agencies is persistent, so that With costs O(log n) and not a copy of a
	// directory that grows for decades. Its keys are region ‖ key id.
	agencies *immutable.SortedMap[string, AgencyKey]
}

// AgencyKey is a key with which an agency signs its own records.
type AgencyKey struct {
	Region Region // the region that registered it and answers for it
	USCC   string
	Name   string
	Label  string
	Public *sm.AgencyPublic
	From   uint64 // leaf index of the agency-key entry
	Until  uint64 // leaf index of the agency-key-retire entry, 0 while in force
}

// InForceAt says whether the key may sign what the entry at this leaf index
// holds. It stays true for old entries after the key was retired.
func (k AgencyKey) InForceAt(index uint64) bool {
	return k.From < index && (k.Until == 0 || index < k.Until)
}

// ErrOrder is returned when entries are folded out of order: a fault of the
// caller, never an outcome to replicate.
var ErrOrder = errors.New("directory: leaf index was folded before")

// NewDirectory verifies the genesis and starts from it.
func NewDirectory(g *Genesis) (*Directory, error) {
	if err := g.Verify(); err != nil {
		return nil, err
	}
	d := &Directory{
		genesis:  g,
		ledger:   g.LedgerID(),
		nodes:    map[string]Region{},
		members:  map[sm.KeyID]struct{}{},
		counts:   map[Region]int{},
		agencies: immutable.NewSortedMap[string, AgencyKey](nil),
	}
	for _, m := range g.Members {
		d.nodes[m.Node.ID] = m.Region
		for _, id := range []sm.KeyID{m.Node.Key.ID(), m.Batch.ID(), m.Decryption.ID(), m.Witness.ID()} {
			d.members[id] = struct{}{}
		}
	}
	return d, nil
}

// With folds the governance entry at a leaf index. A *Rejection is the same on
// every node and leaves the directory as it was; leaf indexes must ascend.
func (d *Directory) With(index uint64, origin Region, kind string, body []byte) (*Directory, error) {
	if index < d.next {
		return nil, fmt.Errorf("%w: %d", ErrOrder, index)
	}
	if _, ok := d.genesis.Member(origin); !ok {
		return nil, reject(CodeOriginUnknown, "the origin is not a member")
	}
	switch kind {
	case KindAgencyKey:
		return d.withAgencyKey(index, origin, body)
	case KindAgencyKeyRetire:
		return d.withAgencyKeyRetired(index, origin, body)
	default:
		return nil, reject(CodeNotActive, "this governance kind is not active")
	}
}

func (d *Directory) withAgencyKey(index uint64, origin Region, body []byte) (*Directory, error) {
	b, err := decodeBody[agencyKeyBody](body)
	if err != nil {
		return nil, err
	}
	public, err := sm.ParsePublic[sm.Agency](b.Key)
	if err != nil {
		return nil, reject(CodeBodyMalformed, "key: not a point on the curve")
	}
	if _, shared := d.members[public.ID()]; shared {
		return nil, reject(CodeKeyExists, "the key is a member's")
	}
	if _, ok := d.agencies.Get(agencyRef(origin, public.ID())); ok {
		return nil, reject(CodeKeyExists, "the key was registered before")
	}
	if d.counts[origin] >= maxAgencyKeys {
		return nil, reject(CodeKeyLimit, "the region has %d keys", maxAgencyKeys)
	}
	return d.with(index, AgencyKey{
		Region: origin, USCC: b.USCC, Name: b.Name, Label: b.Label, Public: public, From: index,
	}), nil
}

func (d *Directory) withAgencyKeyRetired(index uint64, origin Region, body []byte) (*Directory, error) {
	b, err := decodeBody[agencyKeyRetireBody](body)
	if err != nil {
		return nil, err
	}
	k, ok := d.agencies.Get(agencyRef(origin, sm.KeyID(b.KeyID)))
	if !ok || k.USCC != b.USCC {
		return nil, reject(CodeKeyUnknown, "the region has no such key of this agency")
	}
	if k.Until != 0 {
		return nil, reject(CodeKeyRetired, "the key is retired already")
	}
	k.Until = index
	return d.with(index, k), nil
}

// with returns the directory after index with one key added or replaced.
func (d *Directory) with(index uint64, k AgencyKey) *Directory {
	after := *d
	after.next = index + 1
	if k.Until == 0 {
		after.counts = maps.Clone(d.counts)
		after.counts[k.Region]++
	}
	after.agencies = d.agencies.Set(agencyRef(k.Region, k.Public.ID()), k)
	return &after
}

func agencyRef(r Region, id sm.KeyID) string { return string(r) + string(id[:]) }

// Ledger is the ledger id.
func (d *Directory) Ledger() sm.Digest { return d.ledger }

// Quorum is the number of cosignatures that make a checkpoint witnessed.
func (d *Directory) Quorum() int { return d.genesis.K }

// Next is the lowest leaf index that has not been folded.
func (d *Directory) Next() uint64 { return d.next }

// Regions lists the members' regions in ascending order.
func (d *Directory) Regions() []Region {
	regions := make([]Region, len(d.genesis.Members))
	for i, m := range d.genesis.Members {
		regions[i] = m.Region
	}
	return regions
}

// Member finds a member by its region.
func (d *Directory) Member(r Region) (Member, bool) { return d.genesis.Member(r) }

// NodeByID finds a node and its region.
func (d *Directory) NodeByID(id string) (Node, Region, bool) {
	r, ok := d.nodes[id]
	if !ok {
		return Node{}, "", false
	}
	m, _ := d.genesis.Member(r)
	return m.Node, r, true
}

// BatchKey finds the key that a batch of the region names.
func (d *Directory) BatchKey(r Region, id sm.KeyID) (*sm.BatchPublic, bool) {
	m, ok := d.genesis.Member(r)
	if !ok || m.Batch.ID() != id {
		return nil, false
	}
	return m.Batch, true
}

// Decryption is the key to which bodies for the region are sealed.
func (d *Directory) Decryption(r Region) (*sm.DecryptionPublic, bool) {
	m, ok := d.genesis.Member(r)
	return m.Decryption, ok
}

// AgencyKeyAt finds the key with which an agency of region r may have signed
// what the entry at this leaf index holds. r is the entry's origin: a region
// answers for its own agencies only.
func (d *Directory) AgencyKeyAt(r Region, uscc string, id sm.KeyID, index uint64) (AgencyKey, bool) {
	k, ok := d.agencies.Get(agencyRef(r, id))
	if !ok || k.USCC != uscc || !k.InForceAt(index) {
		return AgencyKey{}, false
	}
	return k, true
}

// AgencyKeys lists the keys of the region's agencies, retired ones included,
// ascending by key id.
func (d *Directory) AgencyKeys(r Region) []AgencyKey {
	keys := make([]AgencyKey, 0, d.counts[r])
	it := d.agencies.Iterator()
	for it.Seek(string(r)); !it.Done(); {
		_, k, _ := it.Next()
		if k.Region != r {
			break
		}
		keys = append(keys, k)
	}
	return slices.Clip(keys)
}
