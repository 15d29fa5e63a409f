package peers

import (
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// ChangeKind names a change of the directory that a quorum decides.
type ChangeKind string

// The changes: docs/formats/governance.md.
const (
	ChangeJoin       ChangeKind = "join"        // a region comes in as an observer
	ChangeStage      ChangeKind = "stage"       // a region goes one stage up
	ChangeLeave      ChangeKind = "leave"       // a region goes, with all its keys
	ChangeKeyAdd     ChangeKind = "key-add"     // first half of a rotation
	ChangeKeyRetire  ChangeKind = "key-retire"  // second half
	ChangeKeyRevoke  ChangeKind = "key-revoke"  // a key is in wrong hands
	ChangeNodeAdd    ChangeKind = "node-add"    // a standby or the tie-breaker
	ChangeNodeRemove ChangeKind = "node-remove" // its end
	ChangePromote    ChangeKind = "promote"     // a standby takes over from the active node
	ChangePolicy     ChangeKind = "policy"      // more cosignatures than k
	ChangeActivate   ChangeKind = "activate"    // a format comes into force
)

// Change is one change of the directory, as it is proposed. Which fields it has
// follows from its kind; the others are empty.
type Change struct {
	Change ChangeKind `cbor:"change" json:"change"`
	Region Region     `cbor:"region,omitempty" json:"region,omitempty"`
	Name   string     `cbor:"name,omitempty" json:"name,omitempty"`
	Stage  string     `cbor:"stage,omitempty" json:"stage,omitempty"`

	Node string `cbor:"node,omitempty" json:"node,omitempty"`
	Role string `cbor:"role,omitempty" json:"role,omitempty"`
	Addr string `cbor:"addr,omitempty" json:"addr,omitempty"`

	Purpose     string `cbor:"purpose,omitempty" json:"purpose,omitempty"`
	Key         []byte `cbor:"key,omitempty" json:"key,omitempty"`
	KeyID       []byte `cbor:"key_id,omitempty" json:"key_id,omitempty"`
	SuspectFrom uint64 `cbor:"suspect_from,omitempty" json:"suspect_from,omitempty"`

	NodeKey       []byte `cbor:"node_key,omitempty" json:"node_key,omitempty"`
	BatchKey      []byte `cbor:"batch_key,omitempty" json:"batch_key,omitempty"`
	DecryptionKey []byte `cbor:"decryption_key,omitempty" json:"decryption_key,omitempty"`
	WitnessKey    []byte `cbor:"witness_key,omitempty" json:"witness_key,omitempty"`

	Cosignatures int    `cbor:"cosignatures,omitempty" json:"cosignatures,omitempty"`
	Format       string `cbor:"format,omitempty" json:"format,omitempty"`

	// Proof is a signature by a key that the change brings, over the change
	// without it: nobody brings in a key that is another's.
	Proof []byte `cbor:"proof,omitempty" json:"proof,omitempty"`
}

// field is one of Change's, as a bit.
type field uint

const (
	fieldRegion field = 1 << iota
	fieldName
	fieldStage
	fieldNode
	fieldRole
	fieldAddr
	fieldPurpose
	fieldKey
	fieldKeyID
	fieldSuspectFrom
	fieldNodeKey
	fieldBatchKey
	fieldDecryptionKey
	fieldWitnessKey
	fieldCosignatures
	fieldFormat
	fieldProof
)

// shapes says which fields a kind must have and which it may have.
var shapes = map[ChangeKind]struct{ must, may field }{
	ChangeJoin: {must: fieldRegion | fieldName | fieldNode | fieldAddr | fieldNodeKey | fieldBatchKey |
		fieldDecryptionKey | fieldWitnessKey | fieldProof},
	ChangeStage:      {must: fieldRegion | fieldStage},
	ChangeLeave:      {must: fieldRegion},
	ChangeKeyAdd:     {must: fieldRegion | fieldPurpose | fieldKey | fieldProof, may: fieldNode},
	ChangeKeyRetire:  {must: fieldRegion | fieldPurpose | fieldKeyID},
	ChangeKeyRevoke:  {must: fieldRegion | fieldPurpose | fieldKeyID, may: fieldSuspectFrom},
	ChangeNodeAdd:    {must: fieldRegion | fieldNode | fieldRole | fieldAddr | fieldNodeKey | fieldProof},
	ChangeNodeRemove: {must: fieldRegion | fieldNode},
	ChangePromote:    {must: fieldRegion | fieldNode | fieldBatchKey | fieldWitnessKey | fieldProof},
	ChangePolicy:     {may: fieldCosignatures},
	ChangeActivate:   {must: fieldFormat},
}

// fields are those that are not empty.
func (c *Change) fields() field {
	var set field
	for bit, present := range map[field]bool{
		fieldRegion: c.Region != "", fieldName: c.Name != "", fieldStage: c.Stage != "",
		fieldNode: c.Node != "", fieldRole: c.Role != "", fieldAddr: c.Addr != "",
		fieldPurpose: c.Purpose != "", fieldKey: len(c.Key) > 0, fieldKeyID: len(c.KeyID) > 0,
		fieldSuspectFrom: c.SuspectFrom != 0, fieldNodeKey: len(c.NodeKey) > 0,
		fieldBatchKey: len(c.BatchKey) > 0, fieldDecryptionKey: len(c.DecryptionKey) > 0,
		fieldWitnessKey: len(c.WitnessKey) > 0, fieldCosignatures: c.Cosignatures != 0,
		fieldFormat: c.Format != "", fieldProof: len(c.Proof) > 0,
	} {
		if present {
			set |= bit
		}
	}
	return set
}

// check judges the change by itself, whatever the directory holds.
func (c Change) check() error {
	shape, ok := shapes[c.Change]
	if !ok {
		return errors.New("change: no such kind")
	}
	if has := c.fields(); has&shape.must != shape.must || has&^(shape.must|shape.may) != 0 {
		return fmt.Errorf("change: not the fields of %s", c.Change)
	}
	if c.Region != "" {
		if _, err := ParseRegion(string(c.Region)); err != nil {
			return err
		}
	}
	if c.Name != "" {
		if err := checkText(c.Name, 1, maxName); err != nil {
			return fmt.Errorf("name: %w", err)
		}
	}
	if c.Node != "" {
		if err := checkNodeID(c.Region, c.Node); err != nil {
			return err
		}
	}
	if c.Addr != "" {
		if err := CheckAddr(c.Addr); err != nil {
			return err
		}
	}
	return c.checkWords()
}

// checkWords looks at the fields of which few values are known, and at sizes.
func (c Change) checkWords() error {
	purpose, known := ParsePurpose(c.Purpose)
	switch {
	case c.Purpose != "" && !known:
		return errors.New("purpose: not one of node, batch, decryption, witness, agency")
	case c.Change != ChangeKeyRevoke && purpose == PurposeAgency:
		return errors.New("purpose: a region registers and retires its agencies' keys by itself")
	case c.Change == ChangeKeyAdd && (purpose == PurposeNode) != (c.Node != ""):
		return errors.New("node: there for a node key, and for no other")
	case c.Stage != "" && c.Stage != StageVerified.String() && c.Stage != StageVoter.String():
		return errors.New("stage: not verified or voter")
	case c.Role != "" && c.Role != RoleStandby.String() && c.Role != RoleTieBreaker.String():
		return errors.New("role: not standby or tie-breaker")
	case len(c.KeyID) != 0 && len(c.KeyID) != len(sm.KeyID{}):
		return fmt.Errorf("key_id: not %d bytes", len(sm.KeyID{}))
	case len(c.Proof) > maxSignature:
		return fmt.Errorf("proof: more than %d bytes", maxSignature)
	case c.Cosignatures < 0 || c.Cosignatures > MaxMembers:
		return fmt.Errorf("cosignatures: not 0 to %d", MaxMembers)
	case c.Format != "" && checkFormat(c.Format) != nil:
		return checkFormat(c.Format)
	}
	for _, point := range [][]byte{c.Key, c.NodeKey, c.BatchKey, c.DecryptionKey, c.WitnessKey} {
		if len(point) == 0 {
			continue
		}
		// Points are the same for all purposes.
		if _, err := sm.ParsePublic[sm.Node](point); err != nil {
			return errors.New("key: not a point on the curve")
		}
	}
	return nil
}

// EncodeProposal makes the body of a member-propose entry.
func EncodeProposal(c Change) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return detcbor.Marshal(c)
}

// ParseProposal reads the body of a member-propose entry.
func ParseProposal(body []byte) (Change, error) { return decodeBody[Change](body) }

// signer signs for a change: the private half of a key that it brings.
type signer interface {
	Sign(label sm.Label, ledger sm.Digest, msg []byte) ([]byte, error)
}

// Prove adds the proof of possession. By says which key has to sign.
func (c Change) Prove(ledger sm.Digest, by signer) (Change, error) {
	c.Proof = nil
	msg, err := detcbor.Marshal(c)
	if err != nil {
		return c, err
	}
	if c.Proof, err = by.Sign(sm.LabelMember, ledger, msg); err != nil {
		return c, err
	}
	return c, c.check()
}

// proven checks the proof by the key that the kind of change demands: the new
// batch key for a region and for a promotion, the node's own key for a node,
// and an added key itself. A decryption key can't sign: its region's batch key
// does.
func (c Change) proven(ledger sm.Digest, r *Roster) bool {
	var keys [][]byte
	switch purpose, _ := ParsePurpose(c.Purpose); {
	case c.Change == ChangeJoin, c.Change == ChangePromote:
		keys = [][]byte{c.BatchKey}
	case c.Change == ChangeNodeAdd:
		keys = [][]byte{c.NodeKey}
	case purpose == PurposeDecryption:
		for _, k := range r.keys {
			if k.Region == c.Region && k.Purpose == PurposeBatch && k.InForce() {
				keys = append(keys, k.Key.Bytes())
			}
		}
	default:
		keys = [][]byte{c.Key}
	}
	proof := c.Proof
	c.Proof = nil
	msg, err := detcbor.Marshal(c)
	if err != nil {
		return false
	}
	for _, point := range keys {
		// The purpose of the key is in what is signed, so its type is no matter.
		public, err := sm.ParsePublic[sm.Node](point)
		if err == nil && public.Verify(sm.LabelMember, ledger, msg, proof) == nil {
			return true
		}
	}
	return false
}
