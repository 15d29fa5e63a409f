package peers

import (
	"errors"
	"fmt"
	"slices"

	"github.com/benbjohnson/immutable"
	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// maxAgencyKeys bounds what one region can make every node keep for ever.
const maxAgencyKeys = 1 << 16

// Directory is what every signature is judged against: the fold of the genesis
// and of the governance entries since. It is immutable and safe for concurrent
// use.
type Directory struct {
	*Roster // as of Next
	genesis *Genesis
	ledger  sm.Digest
	next    uint64 // the lowest leaf index that has not been folded

	// agencyKeys is persistent, so that With costs O(log n) and not a copy of a
	// directory that grows for decades. Its keys are region ‖ key id.
	agencyKeys *immutable.SortedMap[string, AgencyKey]

	proposals []Proposal // ascending by index
}

// AgencyKey is a key with which an agency signs its own records.
type AgencyKey struct {
	Region Region // the region that registered it and answers for it
	USCC   string
	Name   string
	Label  string
	Public *sm.AgencyPublic
	Validity
}

// ErrOrder is returned when entries are folded out of order: a fault of the
// caller, never an outcome to replicate.
var ErrOrder = errors.New("directory: leaf index was folded before")

// NewDirectory verifies the genesis and starts from it.
func NewDirectory(g *Genesis) (*Directory, error) {
	if err := g.Verify(); err != nil {
		return nil, err
	}
	return &Directory{
		Roster: founded(g), genesis: g, ledger: g.LedgerID(),
		agencyKeys: immutable.NewSortedMap[string, AgencyKey](nil),
	}, nil
}

// With folds the governance entry at a leaf index. A *Rejection is the same on
// every node and leaves the directory as it was; leaf indexes must ascend.
func (d *Directory) With(index uint64, origin Region, kind string, body []byte) (*Directory, error) {
	if index < d.next {
		return nil, fmt.Errorf("%w: %d", ErrOrder, index)
	}
	if !d.Exchanges(origin) {
		return nil, reject(CodeOriginUnknown, "the origin is not a member")
	}
	switch kind {
	case KindAgencyKey:
		return d.withAgencyKey(index, origin, body)
	case KindAgencyKeyRetire:
		return d.withAgencyKeyRetired(index, origin, body)
	case KindPropose:
		return d.withProposal(index, origin, body)
	case KindApprove:
		return d.withApproval(index, origin, body)
	default:
		return nil, reject(CodeNotActive, "this governance kind is not active")
	}
}

func (d *Directory) withAgencyKey(index uint64, origin Region, body []byte) (*Directory, error) {
	c, err := decodeAgencyClaim(origin, body)
	if err != nil {
		return nil, err
	}
	if d.used(c.Key.Bytes()) {
		return nil, reject(CodeKeyExists, "the key is a member's")
	}
	if _, ok := d.agencyKeys.Get(agencyRef(origin, c.Key.ID())); ok {
		return nil, reject(CodeKeyExists, "the key was registered before")
	}
	if d.agencyCount(origin) >= maxAgencyKeys {
		return nil, reject(CodeKeyLimit, "the region has %d keys", maxAgencyKeys)
	}
	if !c.Proven(d.ledger) {
		return nil, reject(CodeProof, "the key has not signed that it is this agency's in this region")
	}
	return d.after(index).setAgency(AgencyKey{
		Region: origin, USCC: c.USCC, Name: c.Name, Label: c.Label, Public: c.Key,
		Validity: Validity{From: index + 1},
	}), nil
}

func (d *Directory) withAgencyKeyRetired(index uint64, origin Region, body []byte) (*Directory, error) {
	b, err := decodeBody[agencyKeyRetireBody](body)
	if err != nil {
		return nil, err
	}
	k, ok := d.agencyKeys.Get(agencyRef(origin, sm.KeyID(b.KeyID)))
	if !ok || k.USCC != b.USCC {
		return nil, reject(CodeKeyUnknown, "the region has no such key of this agency")
	}
	if !k.InForce() {
		return nil, reject(CodeKeyRetired, "the key is retired already")
	}
	k.Until = index + 1
	return d.after(index).setAgency(k), nil
}

// setAgency adds or replaces one key in a directory that nobody has seen yet.
func (d *Directory) setAgency(k AgencyKey) *Directory {
	ref := agencyRef(k.Region, k.Public.ID())
	_, known := d.agencyKeys.Get(ref)
	d.agencyKeys = d.agencyKeys.Set(ref, k)
	keys := d.agencyKeys
	record := agenciesRecord{Region: k.Region, Count: 1, root: &lateDigest{work: func() sm.Digest {
		return ledger.RootOf(agencyLeaves(agencyKeysOf(keys, k.Region)))
	}}}
	i, found := d.agenciesOf(k.Region)
	if !found {
		d.agencies = slices.Insert(d.agencies, i, record)
		return d
	}
	record.Count = d.agencies[i].Count
	if !known {
		record.Count++
	}
	d.agencies[i] = record
	return d
}

// usedByAgency says whether a key is, or was, an agency's of any region.
func (d *Directory) usedByAgency(point []byte) bool {
	public, err := sm.ParsePublic[sm.Agency](point)
	if err != nil {
		return false
	}
	for _, a := range d.agencies {
		if _, ok := d.agencyKeys.Get(agencyRef(a.Region, public.ID())); ok {
			return true
		}
	}
	return false
}

// after is a directory that has folded index, to be changed by its maker.
func (d *Directory) after(index uint64) *Directory {
	after := *d
	after.Roster, after.next = d.clone(), index+1
	return &after
}

func (d *Directory) agenciesOf(r Region) (int, bool) {
	return slices.BinarySearchFunc(d.agencies, r, func(a agenciesRecord, r Region) int { return compareRegions(a.Region, r) })
}

func (d *Directory) agencyCount(r Region) int {
	i, ok := d.agenciesOf(r)
	if !ok {
		return 0
	}
	return int(d.agencies[i].Count)
}

func agencyRef(r Region, id sm.KeyID) string { return string(r) + string(id[:]) }

// Ledger is the ledger id.
func (d *Directory) Ledger() sm.Digest { return d.ledger }

// Next is the lowest leaf index that has not been folded.
func (d *Directory) Next() uint64 { return d.next }

// AgencyKeyAt finds the key with which an agency of region r may have signed
// what the entry at this leaf index holds. r is the entry's origin: a region
// answers for its own agencies only.
func (d *Directory) AgencyKeyAt(r Region, uscc string, id sm.KeyID, index uint64) (AgencyKey, bool) {
	k, ok := d.agencyKeys.Get(agencyRef(r, id))
	if !ok || k.USCC != uscc || !k.At(index) {
		return AgencyKey{}, false
	}
	return k, true
}

// AgencyKeyIn finds the key that an agency-key or agency-key-retire entry of an
// origin is about, as it stands now. Other kinds are about none.
func (d *Directory) AgencyKeyIn(origin Region, kind string, body []byte) (AgencyKey, bool) {
	var id sm.KeyID
	switch kind {
	case KindAgencyKey:
		c, err := decodeAgencyClaim(origin, body)
		if err != nil {
			return AgencyKey{}, false
		}
		id = c.Key.ID()
	case KindAgencyKeyRetire:
		b, err := decodeBody[agencyKeyRetireBody](body)
		if err != nil {
			return AgencyKey{}, false
		}
		id = sm.KeyID(b.KeyID)
	default:
		return AgencyKey{}, false
	}
	return d.agencyKeys.Get(agencyRef(origin, id))
}

// AgencyKeys lists the keys of the region's agencies, retired ones included,
// ascending by key id.
func (d *Directory) AgencyKeys(r Region) []AgencyKey { return agencyKeysOf(d.agencyKeys, r) }

func agencyKeysOf(all *immutable.SortedMap[string, AgencyKey], r Region) []AgencyKey {
	keys := []AgencyKey{}
	it := all.Iterator()
	for it.Seek(string(r)); !it.Done(); {
		_, k, _ := it.Next()
		if k.Region != r {
			break
		}
		keys = append(keys, k)
	}
	return slices.Clip(keys)
}

func (k AgencyKey) marshal() []byte {
	var b cryptobyte.Builder
	b.AddBytes([]byte(k.Region))
	b.AddBytes([]byte(k.USCC))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(k.Name)) })
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(k.Label)) })
	b.AddBytes(k.Public.Bytes())
	k.Validity.add(&b)
	return b.BytesOrPanic() // Lengths were checked when the key was registered.
}

func parseAgencyKey(record []byte) (AgencyKey, error) {
	var (
		k                   AgencyKey
		region, uscc, point []byte
		name, label         cryptobyte.String
	)
	s := cryptobyte.String(record)
	if !s.ReadBytes(&region, RegionSize) || !s.ReadBytes(&uscc, usccSize) ||
		!s.ReadUint16LengthPrefixed(&name) || !s.ReadUint8LengthPrefixed(&label) ||
		!s.ReadBytes(&point, sm.PublicSize) || !k.Validity.read(&s) || !s.Empty() {
		return k, errRecord
	}
	var err error
	if k.Region, err = ParseRegion(string(region)); err != nil {
		return k, err
	}
	k.USCC, k.Name, k.Label = string(uscc), string(name), string(label)
	if err := checkAgency(k.USCC, k.Name, k.Label); err != nil {
		return k, err
	}
	k.Public, err = sm.ParsePublic[sm.Agency](point)
	return k, err
}
