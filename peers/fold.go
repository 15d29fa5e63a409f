package peers

import (
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// maxKeysInForce is how many keys of one purpose a region, or a node, has at
// once: the old one and the new one of a rotation.
const maxKeysInForce = 2

// change makes the directory after a change that the entry at index decides.
func (d *Directory) change(index uint64, c Change) (*Directory, error) {
	after := d.after(index)
	f := &fold{d: after, from: index + 1}
	var err error
	switch c.Change {
	case ChangeJoin:
		err = f.join(c)
	case ChangeStage:
		err = f.stage(c)
	case ChangeLeave:
		err = f.leave(c)
	case ChangeKeyAdd:
		err = f.addKey(c)
	case ChangeKeyRetire:
		err = f.retireKey(c)
	case ChangeKeyRevoke:
		err = f.revokeKey(c)
	case ChangeNodeAdd:
		err = f.addNode(c)
	case ChangeNodeRemove:
		err = f.removeNode(c)
	case ChangePromote:
		err = f.promote(c)
	case ChangePolicy:
		err = f.policy(c)
	case ChangeActivate:
		err = f.activate(c)
	}
	if err != nil {
		return nil, err
	}
	return after, nil
}

// fold changes a directory that nobody has seen yet.
type fold struct {
	d    *Directory
	from uint64 // the first leaf index at which the change is in force
}

func (f *fold) join(c Change) error {
	if len(f.d.regions(StageObserver, StageVerified, StageVoter)) >= MaxMembers {
		return reject(CodeLimit, "%d regions take part", MaxMembers)
	}
	party, known := f.d.Party(c.Region)
	if known && party.Stage != StageLeft {
		return reject(CodeRegionExists, "%s takes part already", c.Region)
	}
	if err := f.fresh(c.NodeKey, c.BatchKey, c.DecryptionKey, c.WitnessKey); err != nil {
		return err
	}
	if err := f.newNode(c, RoleActive); err != nil {
		return err
	}
	if !c.proven(f.d.ledger, f.d.Roster) {
		return reject(CodeProof, "the proof is not by the region's batch key")
	}
	f.put(Party{Region: c.Region, Name: c.Name, Stage: StageObserver, Since: f.from})
	f.newKey(c.Region, PurposeNode, c.Node, c.NodeKey)
	f.newKey(c.Region, PurposeBatch, "", c.BatchKey)
	f.newKey(c.Region, PurposeDecryption, "", c.DecryptionKey)
	f.newKey(c.Region, PurposeWitness, "", c.WitnessKey)
	return nil
}

func (f *fold) stage(c Change) error {
	party, err := f.member(c.Region)
	if err != nil {
		return err
	}
	next := party.Stage + 1
	if next.String() != c.Stage {
		return reject(CodeStage, "%s is %s", c.Region, party.Stage)
	}
	for p := PurposeNode; p <= PurposeWitness; p++ {
		if newest(f.d.Roster, c.Region, p) == nil {
			return reject(CodeKeyUnknown, "%s has no %s key in force", c.Region, p)
		}
	}
	party.Stage, party.Since = next, f.from
	f.put(party)
	return nil
}

func (f *fold) leave(c Change) error {
	party, err := f.member(c.Region)
	if err != nil {
		return err
	}
	party.Stage, party.Since = StageLeft, f.from
	f.put(party)
	f.endNodes(func(n NodeRecord) bool { return n.Region == c.Region })
	f.endKeys(func(k KeyRecord) bool { return k.Region == c.Region })
	f.d.proposals = slices.DeleteFunc(slices.Clone(f.d.proposals), func(p Proposal) bool { return p.Region == c.Region })
	return f.enough()
}

func (f *fold) addKey(c Change) error {
	if _, err := f.member(c.Region); err != nil {
		return err
	}
	if err := f.fresh(c.Key); err != nil {
		return err
	}
	purpose, _ := ParsePurpose(c.Purpose)
	if purpose == PurposeNode {
		if n, ok := f.d.Node(c.Node); !ok || !n.InForce() {
			return reject(CodeNodeUnknown, "no node %s takes part", c.Node)
		}
	}
	if f.count(c.Region, purpose, c.Node) >= maxKeysInForce {
		return reject(CodeLimit, "%d %s keys of %s are in force; retire one", maxKeysInForce, purpose, c.Region)
	}
	if !c.proven(f.d.ledger, f.d.Roster) {
		return reject(CodeProof, "the proof is not by the key, or for a decryption key not by the region's batch key")
	}
	f.newKey(c.Region, purpose, c.Node, c.Key)
	return nil
}

func (f *fold) retireKey(c Change) error {
	k, err := f.key(c)
	if err != nil {
		return err
	}
	if !k.InForce() {
		return reject(CodeKeyRetired, "the key is retired already")
	}
	if f.count(k.Region, k.Purpose, k.Node) < 2 {
		return reject(CodeLastKey, "it is the last one; add another first")
	}
	k.Until = f.from
	return nil
}

// revokeKey may take a region's last key: what is in wrong hands must go at
// once. A second revocation can only move the suspicion back.
func (f *fold) revokeKey(c Change) error {
	if c.SuspectFrom >= f.from {
		return reject(CodeSuspect, "leaf %d is not there yet", c.SuspectFrom)
	}
	if c.Purpose == PurposeAgency.String() {
		return f.revokeAgencyKey(c)
	}
	k, err := f.key(c)
	if err != nil {
		return err
	}
	if k.Revoked && k.SuspectFrom <= c.SuspectFrom || k.Until != 0 && k.Until <= c.SuspectFrom {
		return reject(CodeKeyRetired, "it says nothing new of a key that has ended")
	}
	k.Validity = k.revoke(f.from-1, c.SuspectFrom)
	return f.enough()
}

func (f *fold) revokeAgencyKey(c Change) error {
	k, ok := f.d.agencyKeys.Get(agencyRef(c.Region, sm.KeyID(c.KeyID)))
	if !ok {
		return reject(CodeKeyUnknown, "the region has no such agency key")
	}
	if k.Revoked && k.SuspectFrom <= c.SuspectFrom || k.Until != 0 && k.Until <= c.SuspectFrom {
		return reject(CodeKeyRetired, "it says nothing new of a key that has ended")
	}
	k.Validity = k.revoke(f.from-1, c.SuspectFrom)
	f.d.setAgency(k)
	return nil
}

func (f *fold) addNode(c Change) error {
	role := RoleStandby
	if c.Role == RoleTieBreaker.String() {
		role = RoleTieBreaker
		party, known := f.d.Party(c.Region)
		if known && party.Stage != StageLeft {
			return reject(CodeRegionExists, "the tie-breaker is no region's that takes part")
		}
		if slices.ContainsFunc(f.d.nodes, func(n NodeRecord) bool { return n.Role == role && n.InForce() }) {
			return reject(CodeLimit, "there is a tie-breaker")
		}
	} else if _, err := f.member(c.Region); err != nil {
		return err
	}
	if err := f.fresh(c.NodeKey); err != nil {
		return err
	}
	if err := f.newNode(c, role); err != nil {
		return err
	}
	if !c.proven(f.d.ledger, f.d.Roster) {
		return reject(CodeProof, "the proof is not by the node's key")
	}
	f.newKey(c.Region, PurposeNode, c.Node, c.NodeKey)
	return nil
}

func (f *fold) removeNode(c Change) error {
	n, ok := f.d.Node(c.Node)
	if !ok || !n.InForce() || n.Region != c.Region {
		return reject(CodeNodeUnknown, "no node %s takes part", c.Node)
	}
	if n.Role == RoleActive {
		return reject(CodeRole, "%s is the active node: promote another, or let the region leave", c.Node)
	}
	f.endNodes(func(n NodeRecord) bool { return n.ID == c.Node })
	f.endKeys(func(k KeyRecord) bool { return k.Node == c.Node })
	return nil
}

// promote fences the old node: its keys end where those of the new one begin.
func (f *fold) promote(c Change) error {
	n, ok := f.d.Node(c.Node)
	if !ok || !n.InForce() || n.Region != c.Region {
		return reject(CodeNodeUnknown, "no node %s takes part", c.Node)
	}
	if n.Role != RoleStandby {
		return reject(CodeRole, "%s is %s", c.Node, n.Role)
	}
	if err := f.fresh(c.BatchKey, c.WitnessKey); err != nil {
		return err
	}
	if !c.proven(f.d.ledger, f.d.Roster) {
		return reject(CodeProof, "the proof is not by the new batch key")
	}
	var old string
	f.endNodes(func(n NodeRecord) bool {
		if n.Region == c.Region && n.Role == RoleActive {
			old = n.ID
			return true
		}
		return false
	})
	f.endKeys(func(k KeyRecord) bool {
		return k.Region == c.Region && (k.Purpose == PurposeBatch || k.Purpose == PurposeWitness || old != "" && k.Node == old)
	})
	i := slices.IndexFunc(f.d.nodes, func(n NodeRecord) bool { return n.ID == c.Node })
	f.d.nodes[i].Role = RoleActive
	f.newKey(c.Region, PurposeBatch, "", c.BatchKey)
	f.newKey(c.Region, PurposeWitness, "", c.WitnessKey)
	return nil
}

func (f *fold) policy(c Change) error {
	n := len(f.d.Witnesses().Regions())
	if c.Cosignatures != 0 && (c.Cosignatures < Quorum(n) || c.Cosignatures > n) {
		return reject(CodePolicy, "cosignatures: not %d to %d", Quorum(n), n)
	}
	f.d.Roster.policy.Cosignatures = c.Cosignatures
	return nil
}

func (f *fold) activate(c Change) error {
	formats := f.d.Roster.policy.Formats
	i, found := slices.BinarySearch(formats, c.Format)
	if found || len(formats) >= maxFormats {
		return reject(CodePolicy, "the format is in force, or there are %d", maxFormats)
	}
	f.d.Roster.policy.Formats = slices.Insert(slices.Clone(formats), i, c.Format)
	return nil
}

// member finds a region that takes part.
func (f *fold) member(r Region) (Party, error) {
	p, ok := f.d.Party(r)
	if !ok || p.Stage == StageLeft {
		return p, reject(CodeRegionUnknown, "%s does not take part", r)
	}
	return p, nil
}

// fresh demands keys that nobody has had, and no two alike.
func (f *fold) fresh(points ...[]byte) error {
	for i, point := range points {
		if f.d.used(point) || slices.ContainsFunc(points[:i], func(p []byte) bool { return slices.Equal(p, point) }) ||
			f.d.usedByAgency(point) {
			return reject(CodeKeyExists, "a key is, or was, in use")
		}
	}
	return nil
}

// newNode demands a number above all that the region has used, and an address
// that no other node has.
func (f *fold) newNode(c Change, role Role) error {
	last := 0
	for _, n := range f.d.nodes {
		if n.Region == c.Region {
			last = max(last, nodeNumber(n.ID))
		}
		if n.InForce() && strings.EqualFold(n.Addr, c.Addr) {
			return reject(CodeNodeExists, "%s has this address", n.ID)
		}
	}
	if nodeNumber(c.Node) <= last {
		return reject(CodeNodeExists, "the region's next node is %s", NodeID(c.Region, last+1))
	}
	n := NodeRecord{Region: c.Region, ID: c.Node, Addr: c.Addr, Role: role, From: f.from}
	i, _ := slices.BinarySearchFunc(f.d.nodes, n, compareNodes)
	f.d.nodes = slices.Insert(f.d.nodes, i, n)
	return nil
}

func (f *fold) put(p Party) {
	i, found := slices.BinarySearchFunc(f.d.parties, p.Region, func(p Party, r Region) int { return compareRegions(p.Region, r) })
	if found {
		f.d.parties[i] = p
	} else {
		f.d.parties = slices.Insert(f.d.parties, i, p)
	}
}

func (f *fold) newKey(r Region, p Purpose, node string, point []byte) {
	public, err := parseKey(p, point)
	if err != nil {
		return // unreachable: check has parsed the point
	}
	k := KeyRecord{Region: r, Purpose: p, Node: node, Key: public, Validity: Validity{From: f.from}}
	i, _ := slices.BinarySearchFunc(f.d.keys, k, compareKeys)
	f.d.keys = slices.Insert(f.d.keys, i, k)
}

func (f *fold) endNodes(which func(NodeRecord) bool) {
	for i := range f.d.nodes {
		if n := &f.d.nodes[i]; n.InForce() && which(*n) {
			n.Until = f.from
		}
	}
}

func (f *fold) endKeys(which func(KeyRecord) bool) {
	for i := range f.d.keys {
		if k := &f.d.keys[i]; k.InForce() && which(*k) {
			k.Until = f.from
		}
	}
}

// key finds the key that a change names.
func (f *fold) key(c Change) (*KeyRecord, error) {
	purpose, _ := ParsePurpose(c.Purpose)
	i := slices.IndexFunc(f.d.keys, func(k KeyRecord) bool {
		return k.Region == c.Region && k.Purpose == purpose && k.Key.ID() == sm.KeyID(c.KeyID)
	})
	if i < 0 {
		return nil, reject(CodeKeyUnknown, "%s has no such %s key", c.Region, c.Purpose)
	}
	return &f.d.keys[i], nil
}

// count is the number of keys in force of a purpose; node is "" unless that is
// node.
func (f *fold) count(r Region, p Purpose, node string) int {
	n := 0
	for _, k := range f.d.keys {
		if k.Region == r && k.Purpose == p && k.Node == node && k.InForce() {
			n++
		}
	}
	return n
}

// enough demands that somebody is left who can decide and cosign.
func (f *fold) enough() error {
	if len(f.d.Voters()) == 0 || len(f.d.Witnesses().Keys) == 0 {
		return reject(CodeTooFew, "nobody would be left to decide or to cosign")
	}
	return nil
}
