package peers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/xinqiao/creditgw/consensus/ledger"
	"github.com/xinqiao/creditgw/crypto/sm"
)

// Root is what a checkpoint says of the directory: the witness set and the root
// of the tree of records. It is a function of the ledger's entries alone.
func (r *Roster) Root() sm.Digest {
	r.once.Do(func() {
		for _, record := range r.records() {
			r.tree = append(r.tree, ledger.LeafHash(record))
		}
		r.total = DirectoryRoot(r.Witnesses().Digest(), recordsDigest(uint64(len(r.tree)), ledger.RootOf(r.tree)))
	})
	return r.total
}

// recordsDigest binds the number of records too, so that a proof has one
// spelling.
func recordsDigest(size uint64, root sm.Digest) sm.Digest {
	return sm.Sum(binary.BigEndian.AppendUint64(nil, size), root[:])
}

// DirectoryRoot is the root of a directory with this digest of its witness set
// and these Records.
func DirectoryRoot(witnesses, records sm.Digest) sm.Digest {
	return sm.Sum(sm.LabelDirectory.Append(nil), witnesses[:], records[:])
}

// Records is the digest of the tree of records. With it, whoever knows the
// witness set can check that it is the one under a directory root.
func (r *Roster) Records() sm.Digest {
	r.Root()
	return recordsDigest(uint64(len(r.tree)), ledger.RootOf(r.tree))
}

// Under checks that the set is the one of a directory: root is the directory's,
// records its Records.
func (s WitnessSet) Under(root, records sm.Digest) error {
	if DirectoryRoot(s.Digest(), records) != root {
		return errProof
	}
	return nil
}

// Proof shows one record under a directory's root.
type Proof struct {
	Witnesses sm.Digest   // digest of the witness set
	Record    []byte      // exact bytes of the leaf
	Index     uint64      // place of the record
	Size      uint64      // number of records
	Path      []sm.Digest // from the leaf upwards
}

var errProof = errors.New("directory: the proof does not hold")

// Prove shows a key of a region, also one that is no longer in force.
func (r *Roster) Prove(region Region, p Purpose, id sm.KeyID) (Proof, error) {
	i, ok := slices.BinarySearchFunc(r.keys, id, func(k KeyRecord, id sm.KeyID) int { return k.compare(region, p, id) })
	if !ok {
		return Proof{}, fmt.Errorf("directory: %s has no such %s key", region, p)
	}
	return r.proveAt(len(r.parties)+len(r.nodes)+i, r.keys[i].marshal())
}

func (r *Roster) proveAt(place int, record []byte) (Proof, error) {
	r.Root()
	path, err := ledger.InclusionOf(r.tree, uint64(place))
	if err != nil {
		return Proof{}, err
	}
	return Proof{
		Witnesses: r.Witnesses().Digest(), Record: record,
		Index: uint64(place), Size: uint64(len(r.tree)), Path: path,
	}, nil
}

// verify checks that the record is under the directory root.
func (p Proof) verify(root sm.Digest) error {
	if len(p.Record) > maxRecord || p.Size > maxRecords || len(p.Path) > ledger.MaxProof {
		return errProof
	}
	tree, err := ledger.RootFromInclusion(p.Index, p.Size, ledger.LeafHash(p.Record), p.Path)
	if err != nil || DirectoryRoot(p.Witnesses, recordsDigest(p.Size, tree)) != root {
		return errProof
	}
	return nil
}

// Key checks the proof against a directory root and reads its key.
func (p Proof) Key(root sm.Digest) (KeyRecord, error) {
	if err := p.verify(root); err != nil {
		return KeyRecord{}, err
	}
	s := cryptobyte.String(p.Record)
	var kind uint8
	if !s.ReadUint8(&kind) || kind != recordKey {
		return KeyRecord{}, errRecord
	}
	return parseKeyRecord(&s)
}

// AgencyProof shows an agency's key: its record in the tree of its region's
// agencies, and that tree's root in the directory.
type AgencyProof struct {
	Record   []byte
	Index    uint64
	Path     []sm.Digest
	Agencies Proof
}

// ProveAgency shows an agency key of a region, also a retired one.
func (d *Directory) ProveAgency(region Region, id sm.KeyID) (AgencyProof, error) {
	keys := d.AgencyKeys(region)
	i, ok := slices.BinarySearchFunc(keys, id, func(k AgencyKey, id sm.KeyID) int {
		own := k.Public.ID()
		return slices.Compare(own[:], id[:])
	})
	place, known := d.agenciesOf(region)
	if !ok || !known {
		return AgencyProof{}, fmt.Errorf("directory: %s has no such agency key", region)
	}
	path, err := ledger.InclusionOf(agencyLeaves(keys), uint64(i))
	if err != nil {
		return AgencyProof{}, err
	}
	above, err := d.proveAt(len(d.parties)+len(d.nodes)+len(d.keys)+place, d.agencies[place].marshal())
	if err != nil {
		return AgencyProof{}, err
	}
	return AgencyProof{Record: keys[i].marshal(), Index: uint64(i), Path: path, Agencies: above}, nil
}

// Key checks the proof against a directory root and reads its key.
func (p AgencyProof) Key(root sm.Digest) (AgencyKey, error) {
	if err := p.Agencies.verify(root); err != nil {
		return AgencyKey{}, err
	}
	agencies, err := parseAgencies(p.Agencies.Record)
	if err != nil {
		return AgencyKey{}, err
	}
	if len(p.Record) > maxRecord || len(p.Path) > ledger.MaxProof {
		return AgencyKey{}, errProof
	}
	err = ledger.VerifyInclusion(p.Index, uint64(agencies.Count), ledger.LeafHash(p.Record), p.Path, agencies.root.get())
	if err != nil {
		return AgencyKey{}, errProof
	}
	k, err := parseAgencyKey(p.Record)
	if err == nil && k.Region != agencies.Region {
		err = errRecord
	}
	return k, err
}
