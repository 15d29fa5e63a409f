package peers

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Stage says how far a region takes part.
type Stage uint8

// The stages. A region goes through them one by one, and out from any.
const (
	StageObserver Stage = 1 // its node follows the ledger; the region writes nothing
	StageVerified Stage = 2 // writes and receives; neither votes, approves nor cosigns
	StageVoter    Stage = 3 // all of it
	StageLeft     Stage = 4 // gone; what it signed stays valid
)

var stageNames = [...]string{"", "observer", "verified", "voter", "left"}

func (s Stage) String() string {
	if int(s) >= len(stageNames) {
		return ""
	}
	return stageNames[s]
}

// Party is a region that takes part, or has.
type Party struct {
	Region Region
	Name   string
	Stage  Stage
	Since  uint64 // the first leaf index behind the entry that brought the stage
}

// Role says what a node is to its region.
type Role uint8

// The roles. A region has one active node, which holds its batch and witness
// keys. A tie-breaker votes in Raft and does nothing else.
const (
	RoleActive     Role = 1
	RoleStandby    Role = 2
	RoleTieBreaker Role = 3
)

var roleNames = [...]string{"", "active", "standby", "tie-breaker"}

func (r Role) String() string {
	if int(r) >= len(roleNames) {
		return ""
	}
	return roleNames[r]
}

// NodeRecord is one node and how long it takes part. Its keys are KeyRecords.
type NodeRecord struct {
	Region Region
	ID     string
	Addr   string
	Role   Role
	From   uint64 // as of Validity
	Until  uint64
}

// InForce says whether the node takes part in what comes next.
func (n NodeRecord) InForce() bool { return n.Until == 0 }

// Roster is who takes part and by which keys: what a node must know to judge
// who somebody is. It is the part of the directory under its root, complete but
// for the agencies' keys, of which it holds the roots. It is immutable and safe
// for concurrent use.
type Roster struct {
	parties  []Party          // ascending by region
	nodes    []NodeRecord     // ascending by region and number
	keys     []KeyRecord      // ascending by region, purpose, key id
	agencies []agenciesRecord // ascending by region
	policy   Policy

	once  sync.Once
	tree  []sm.Digest // leaf hashes of the records, in order
	total sm.Digest
}

// Policy is what the regions have agreed on besides who they are.
type Policy struct {
	// Cosignatures is the number that makes a checkpoint witnessed, when the
	// regions want more than Quorum of their number; else 0.
	Cosignatures int
	// Formats are the names of formats in force beyond version 1, ascending.
	Formats []string
}

// founded is the roster of a verified genesis.
func founded(g *Genesis) *Roster {
	r := &Roster{}
	for _, m := range g.Members {
		r.parties = append(r.parties, Party{Region: m.Region, Name: m.Name, Stage: StageVoter})
		r.nodes = append(r.nodes, NodeRecord{Region: m.Region, ID: m.Node.ID, Addr: m.Node.Addr, Role: RoleActive})
		r.keys = append(r.keys, m.records(Validity{})...)
	}
	slices.SortFunc(r.keys, compareKeys)
	return r
}

// records are a member's four keys.
func (m Member) records(v Validity) []KeyRecord {
	return []KeyRecord{
		{Region: m.Region, Purpose: PurposeNode, Node: m.Node.ID, Key: m.Node.Key, Validity: v},
		{Region: m.Region, Purpose: PurposeBatch, Key: m.Batch, Validity: v},
		{Region: m.Region, Purpose: PurposeDecryption, Key: m.Decryption, Validity: v},
		{Region: m.Region, Purpose: PurposeWitness, Key: m.Witness, Validity: v},
	}
}

// clone is what a change starts from.
func (r *Roster) clone() *Roster {
	return &Roster{
		parties: slices.Clone(r.parties), nodes: slices.Clone(r.nodes), keys: slices.Clone(r.keys),
		agencies: slices.Clone(r.agencies), policy: r.policy,
	}
}

// Party finds a region, also one that has left.
func (r *Roster) Party(region Region) (Party, bool) {
	i, ok := slices.BinarySearchFunc(r.parties, region, func(p Party, to Region) int { return compareRegions(p.Region, to) })
	if !ok {
		return Party{}, false
	}
	return r.parties[i], true
}

// Parties lists all regions that take part or have, ascending.
func (r *Roster) Parties() []Party { return slices.Clone(r.parties) }

// Exchanges says whether a region writes and receives.
func (r *Roster) Exchanges(region Region) bool {
	p, ok := r.Party(region)
	return ok && (p.Stage == StageVerified || p.Stage == StageVoter)
}

// Regions lists those that write and receive, ascending.
func (r *Roster) Regions() []Region { return r.regions(StageVerified, StageVoter) }

// Voters lists those whose approvals and cosignatures count, ascending.
func (r *Roster) Voters() []Region { return r.regions(StageVoter) }

func (r *Roster) regions(stages ...Stage) []Region {
	var regions []Region
	for _, p := range r.parties {
		if slices.Contains(stages, p.Stage) {
			regions = append(regions, p.Region)
		}
	}
	return regions
}

// Approvals is the number of voters that must want a change.
func (r *Roster) Approvals() int { return Quorum(len(r.Voters())) }

// Witnesses are the voters' witness keys in force.
func (r *Roster) Witnesses() WitnessSet {
	var s WitnessSet
	for _, k := range r.keys {
		if k.Purpose != PurposeWitness || !k.InForce() {
			continue
		}
		if p, _ := r.Party(k.Region); p.Stage == StageVoter {
			s.Keys = append(s.Keys, WitnessKey{Region: k.Region, Public: k.Key.(*sm.WitnessPublic)})
		}
	}
	n := len(s.Regions())
	s.K = min(max(Quorum(n), r.policy.Cosignatures), max(n, 1))
	return s
}

// Quorum is the number of cosignatures that make a checkpoint witnessed.
func (r *Roster) Quorum() int { return r.Witnesses().K }

// Member is a region as it takes part now, by the newest of its keys. Not every
// key need be there: a revoked one is missing until another was added.
func (r *Roster) Member(region Region) (Member, bool) {
	p, ok := r.Party(region)
	if !ok || p.Stage == StageLeft {
		return Member{}, false
	}
	m := Member{Region: region, Name: p.Name}
	for _, n := range r.nodes {
		if n.Region == region && n.Role == RoleActive && n.InForce() {
			m.Node = Node{ID: n.ID, Addr: n.Addr, Key: r.nodeKey(n)}
		}
	}
	m.Batch, _ = newest(r, region, PurposeBatch).(*sm.BatchPublic)
	m.Decryption, _ = newest(r, region, PurposeDecryption).(*sm.DecryptionPublic)
	m.Witness, _ = newest(r, region, PurposeWitness).(*sm.WitnessPublic)
	return m, true
}

// newest is the region's key in force that was added last; of two added by one
// entry the first in the order of records.
func newest(r *Roster, region Region, p Purpose) PublicKey {
	var found *KeyRecord
	for i := range r.keys {
		k := &r.keys[i]
		if k.Region == region && k.Purpose == p && k.InForce() && (found == nil || k.From > found.From) {
			found = k
		}
	}
	if found == nil {
		return nil
	}
	return found.Key
}

func (r *Roster) nodeKey(n NodeRecord) *sm.NodePublic {
	keys := r.NodeKeys(n.ID)
	if len(keys) == 0 {
		return nil
	}
	return keys[len(keys)-1]
}

// NodeKeys are a node's keys in force, the newest last: two while it rotates.
func (r *Roster) NodeKeys(id string) []*sm.NodePublic {
	return inForce[*sm.NodePublic](r, func(k KeyRecord) bool { return k.Purpose == PurposeNode && k.Node == id })
}

// NodeKeysAt are the keys of a node that were good at a leaf index.
func (r *Roster) NodeKeysAt(id string, index uint64) (keys []*sm.NodePublic) {
	for _, k := range r.keys {
		if k.Purpose == PurposeNode && k.Node == id && k.At(index) {
			keys = append(keys, k.Key.(*sm.NodePublic))
		}
	}
	return keys
}

// BatchKeys are a region's batch keys in force, the newest last.
func (r *Roster) BatchKeys(region Region) []*sm.BatchPublic {
	return inForce[*sm.BatchPublic](r, func(k KeyRecord) bool { return k.Purpose == PurposeBatch && k.Region == region })
}

func inForce[K PublicKey](r *Roster, which func(KeyRecord) bool) []K {
	var found []KeyRecord
	for _, k := range r.keys {
		if k.InForce() && which(k) {
			found = append(found, k)
		}
	}
	slices.SortStableFunc(found, func(a, b KeyRecord) int { return cmp.Compare(a.From, b.From) })
	keys := make([]K, len(found))
	for i, k := range found {
		keys[i] = k.Key.(K)
	}
	return keys
}

// NodeByID finds a node that takes part and its region.
func (r *Roster) NodeByID(id string) (Node, Region, bool) {
	n, ok := r.Node(id)
	if !ok || !n.InForce() {
		return Node{}, "", false
	}
	return Node{ID: n.ID, Addr: n.Addr, Key: r.nodeKey(n)}, n.Region, true
}

// Node finds the record of a node, also of one that has ended.
func (r *Roster) Node(id string) (NodeRecord, bool) {
	i := slices.IndexFunc(r.nodes, func(n NodeRecord) bool { return n.ID == id })
	if i < 0 {
		return NodeRecord{}, false
	}
	return r.nodes[i], true
}

// Nodes lists the nodes that take part.
func (r *Roster) Nodes() []NodeRecord {
	return slices.DeleteFunc(slices.Clone(r.nodes), func(n NodeRecord) bool { return !n.InForce() })
}

// Votes says whether a node has a vote in Raft: the active node of a voter, and
// the tie-breaker.
func (r *Roster) Votes(n NodeRecord) bool {
	p, _ := r.Party(n.Region)
	return n.InForce() && (n.Role == RoleTieBreaker || n.Role == RoleActive && p.Stage == StageVoter)
}

// Key finds a key of a region, also one that is no longer in force.
func (r *Roster) Key(region Region, p Purpose, id sm.KeyID) (KeyRecord, bool) {
	i, ok := slices.BinarySearchFunc(r.keys, id, func(k KeyRecord, id sm.KeyID) int { return k.compare(region, p, id) })
	if !ok {
		return KeyRecord{}, false
	}
	return r.keys[i], true
}

// Keys lists the region's keys, ended ones included.
func (r *Roster) Keys(region Region) []KeyRecord {
	return slices.DeleteFunc(slices.Clone(r.keys), func(k KeyRecord) bool { return k.Region != region })
}

// BatchKey finds the key that a new batch of the region names.
func (r *Roster) BatchKey(region Region, id sm.KeyID) (*sm.BatchPublic, bool) {
	k, ok := r.Key(region, PurposeBatch, id)
	if !ok || !k.InForce() || !r.Exchanges(region) {
		return nil, false
	}
	return k.Key.(*sm.BatchPublic), true
}

// Decryption is the key to which new bodies for the region are sealed.
func (r *Roster) Decryption(region Region) (*sm.DecryptionPublic, bool) {
	if !r.Exchanges(region) {
		return nil, false
	}
	k, ok := newest(r, region, PurposeDecryption).(*sm.DecryptionPublic)
	return k, ok
}

// Policy is what the regions have agreed on.
func (r *Roster) Policy() Policy { return r.policy }

// used says whether any region has, or ever had, this key for any purpose.
func (r *Roster) used(point []byte) bool {
	return slices.ContainsFunc(r.keys, func(k KeyRecord) bool { return bytes.Equal(k.Key.Bytes(), point) })
}
