package peers

import (
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/schemas/detcbor"
)

// AgencyClaim is an agency's word that a key is its own, given to one region.
// The key signs all of it, so that whoever only knows the public half can't have
// it registered: not by another region, nor for another agency, nor under
// another name. A region registers a key once and for good, so a claim needs
// neither number nor time.
type AgencyClaim struct {
	Region Region // registers the key and answers for the agency
	USCC   string
	Name   string
	Label  string // tells an agency's keys apart for people, such as the number of a smart card
	Key    *sm.AgencyPublic
	Proof  []byte // by Key; DER
}

// claimed is what the key signs.
type claimed struct {
	Region Region `cbor:"region"`
	USCC   string `cbor:"uscc"`
	Name   string `cbor:"name"`
	Key    []byte `cbor:"key"`
	Label  string `cbor:"label"`
}

// Statement gives the bytes that the key signs under sm.LabelAgencyKey.
func (c AgencyClaim) Statement() ([]byte, error) {
	if _, err := ParseRegion(string(c.Region)); err != nil {
		return nil, err
	}
	if err := checkAgency(c.USCC, c.Name, c.Label); err != nil {
		return nil, err
	}
	return detcbor.Marshal(claimed{c.Region, c.USCC, c.Name, c.Key.Bytes(), c.Label})
}

// Prove adds the key's signature.
func (c AgencyClaim) Prove(ledger sm.Digest, by signer) (AgencyClaim, error) {
	msg, err := c.Statement()
	if err != nil {
		return c, err
	}
	c.Proof, err = by.Sign(sm.LabelAgencyKey, ledger, msg)
	return c, err
}

// Proven reports whether the key has signed the claim on this ledger.
func (c AgencyClaim) Proven(ledger sm.Digest) bool {
	msg, err := c.Statement()
	return err == nil && c.Key.Verify(sm.LabelAgencyKey, ledger, msg, c.Proof) == nil
}

// Encode makes the body of an agency-key entry. The region is not in it: it is
// the entry's origin.
func (c AgencyClaim) Encode() ([]byte, error) {
	b := agencyKeyBody{USCC: c.USCC, Name: c.Name, Key: c.Key.Bytes(), Label: c.Label, Proof: c.Proof}
	if err := b.check(); err != nil {
		return nil, err
	}
	return detcbor.Marshal(b)
}

// decodeAgencyClaim reads the body of an agency-key entry of this origin.
func decodeAgencyClaim(origin Region, body []byte) (AgencyClaim, error) {
	b, err := decodeBody[agencyKeyBody](body)
	if err != nil {
		return AgencyClaim{}, err
	}
	key, err := sm.ParsePublic[sm.Agency](b.Key)
	if err != nil {
		return AgencyClaim{}, reject(CodeBodyMalformed, "key: not a point on the curve")
	}
	return AgencyClaim{Region: origin, USCC: b.USCC, Name: b.Name, Label: b.Label, Key: key, Proof: b.Proof}, nil
}

type agencyKeyBody struct {
	USCC  string `cbor:"uscc"`
	Name  string `cbor:"name"`
	Key   []byte `cbor:"key"`
	Label string `cbor:"label"`
	Proof []byte `cbor:"proof"`
}

func (b agencyKeyBody) check() error {
	if len(b.Proof) == 0 || len(b.Proof) > maxSignature {
		return fmt.Errorf("proof: not 1 to %d bytes", maxSignature)
	}
	return checkAgency(b.USCC, b.Name, b.Label)
}

func checkAgency(uscc, name, label string) error {
	if err := checkUSCC(uscc); err != nil {
		return err
	}
	if err := checkText(name, 1, maxName); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if err := checkText(label, 0, maxLabel); err != nil {
		return fmt.Errorf("label: %w", err)
	}
	return nil
}

// The file in which a claim goes from the agency to its region.
const (
	MaxClaimFile = 4 << 10 // checked before parsing
	claimVersion = 1
)

// claimFile is its JSON form, docs/formats/governance.md.
type claimFile struct {
	Version int              `json:"version"`
	Region  Region           `json:"region"`
	USCC    string           `json:"uscc"`
	Name    string           `json:"name"`
	Label   string           `json:"label,omitempty"`
	Key     *sm.AgencyPublic `json:"key"`
	Proof   []byte           `json:"proof"`
}

// ParseAgencyClaim reads a claim's file. Whether the proof holds is for Proven
// to say, which knows the ledger.
func ParseAgencyClaim(b []byte) (AgencyClaim, error) {
	var f claimFile
	if err := parseFile(b, MaxClaimFile, &f); err != nil {
		return AgencyClaim{}, fmt.Errorf("agency claim: %w", err)
	}
	if f.Version != claimVersion {
		return AgencyClaim{}, fmt.Errorf("agency claim: version %d is not %d", f.Version, claimVersion)
	}
	c := AgencyClaim{f.Region, f.USCC, f.Name, f.Label, f.Key, f.Proof}
	return c, c.check()
}

// MarshalFile writes the claim's file.
func (c AgencyClaim) MarshalFile() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return marshalFile(claimFile{claimVersion, c.Region, c.USCC, c.Name, c.Label, c.Key, c.Proof})
}

// check judges the form of all but what it says.
func (c AgencyClaim) check() error {
	if c.Key == nil {
		return errors.New("agency claim: no key")
	}
	if _, err := c.Statement(); err != nil {
		return fmt.Errorf("agency claim: %w", err)
	}
	if _, err := c.Encode(); err != nil {
		return fmt.Errorf("agency claim: %w", err)
	}
	return nil
}
