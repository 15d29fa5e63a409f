package peers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/xinqiao/creditgw/crypto/sm"
)

// Sizes of the files that founders exchange, checked before parsing.
const (
	MaxGenesisFile = 256 << 10
	MaxMemberFile  = 8 << 10
)

// The JSON forms of docs/formats/genesis.md. The order of fields is the order
// in the file.
type (
	nodeFile struct {
		ID   string         `json:"id"`
		Addr string         `json:"addr"`
		Key  *sm.NodePublic `json:"key"`
	}
	memberBody struct {
		Region     Region               `json:"region"`
		Name       string               `json:"name"`
		Node       nodeFile             `json:"node"`
		Batch      *sm.BatchPublic      `json:"batch"`
		Decryption *sm.DecryptionPublic `json:"decryption"`
		Witness    *sm.WitnessPublic    `json:"witness"`
	}
	memberFile struct {
		Version int `json:"version"`
		memberBody
	}
	genesisFile struct {
		Version    int               `json:"version"`
		K          int               `json:"k"`
		Members    []memberBody      `json:"members"`
		Signatures map[Region][]byte `json:"signatures"`
	}
)

func bodyOf(m Member) memberBody {
	return memberBody{m.Region, m.Name, nodeFile(m.Node), m.Batch, m.Decryption, m.Witness}
}

func (b memberBody) member() Member {
	return Member{b.Region, b.Name, Node(b.Node), b.Batch, b.Decryption, b.Witness}
}

// ParseMember reads a member file.
func ParseMember(b []byte) (Member, error) {
	var f memberFile
	if err := parseFile(b, MaxMemberFile, &f); err != nil {
		return Member{}, fmt.Errorf("member file: %w", err)
	}
	if f.Version != GenesisVersion {
		return Member{}, fmt.Errorf("member file: version %d is not %d", f.Version, GenesisVersion)
	}
	m := f.member()
	return m, m.Validate()
}

// MarshalFile writes the member file.
func (m Member) MarshalFile() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return marshalFile(memberFile{GenesisVersion, bodyOf(m)})
}

// ParseGenesis reads a genesis file and checks its structure. Signatures are
// checked by Check and Verify: the file travels before all of them are there.
func ParseGenesis(b []byte) (Genesis, error) {
	var f genesisFile
	if err := parseFile(b, MaxGenesisFile, &f); err != nil {
		return Genesis{}, fmt.Errorf("genesis file: %w", err)
	}
	if f.Signatures == nil {
		return Genesis{}, errors.New("genesis file: signatures are null") // {} is the one spelling
	}
	g := Genesis{Version: f.Version, K: f.K, Signatures: f.Signatures}
	for _, m := range f.Members {
		g.Members = append(g.Members, m.member())
	}
	if err := g.checkStructure(); err != nil {
		return Genesis{}, err
	}
	return g, nil
}

// MarshalFile writes the genesis file.
func (g Genesis) MarshalFile() ([]byte, error) {
	if err := g.checkStructure(); err != nil {
		return nil, err
	}
	f := genesisFile{Version: g.Version, K: g.K, Signatures: g.Signatures}
	if f.Signatures == nil {
		f.Signatures = map[Region][]byte{}
	}
	for _, m := range g.Members {
		f.Members = append(f.Members, bodyOf(m))
	}
	return marshalFile(f)
}

func marshalFile(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // people read these files
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return out.Bytes(), err
}

// parseFile accepts only what marshalFile would have written, white space
// aside. encoding/json alone would let repeated keys and other capitals pass.
func parseFile(b []byte, limit int, into any) error {
	if len(b) > limit {
		return fmt.Errorf("longer than %d bytes", limit)
	}
	var given bytes.Buffer
	if err := json.Compact(&given, b); err != nil {
		return errors.New("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	written, err := marshalFile(into)
	if err != nil {
		return err
	}
	var canonical bytes.Buffer
	if err := json.Compact(&canonical, written); err != nil {
		return err
	}
	if !bytes.Equal(given.Bytes(), canonical.Bytes()) {
		return errors.New("a second spelling: keys missing, repeated or out of order, or needless escapes")
	}
	return nil
}
