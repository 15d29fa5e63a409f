package receipt

import (
	"errors"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/peers"
)

// Key shows a region's key by its record in the directory of the checkpoint.
type Key struct {
	Index     uint64    `json:"index"`
	Path      Path      `json:"path,omitempty"`
	Record    []byte    `json:"record"`
	Size      uint64    `json:"size"`
	Witnesses sm.Digest `json:"witnesses"` // digest of the directory's witness set
}

func newKey(p peers.Proof) *Key {
	return &Key{Index: p.Index, Path: p.Path, Record: p.Record, Size: p.Size, Witnesses: p.Witnesses}
}

func (k *Key) proof() peers.Proof {
	return peers.Proof{Witnesses: k.Witnesses, Record: k.Record, Index: k.Index, Size: k.Size, Path: k.Path}
}

// AgencyKey shows an agency's key: its record among its region's, and theirs in
// the directory.
type AgencyKey struct {
	Agencies Key    `json:"agencies"`
	Index    uint64 `json:"index"`
	Path     Path   `json:"path,omitempty"`
	Record   []byte `json:"record"`
}

func newAgencyKey(p peers.AgencyProof) *AgencyKey {
	return &AgencyKey{Agencies: *newKey(p.Agencies), Index: p.Index, Path: p.Path, Record: p.Record}
}

func (k *AgencyKey) proof() peers.AgencyProof {
	return peers.AgencyProof{Record: k.Record, Index: k.Index, Path: k.Path, Agencies: k.Agencies.proof()}
}

var errKey = errors.New("its record in the directory is another key's, or the key was not good there")

// batchKey is the key that may have signed for the origin: the founder's, or
// the one that a directory record shows.
func (v *verification) batchKey(shown *Key, origin peers.Region, good func(peers.Validity) bool) (*sm.BatchPublic, error) {
	if shown == nil {
		m, ok := v.founded.Member(origin)
		if !ok {
			return nil, errors.New("the region is no founder and its key is not shown")
		}
		return m.Batch, nil
	}
	record, err := shown.proof().Key(v.covering.Directory)
	if err != nil {
		return nil, err
	}
	key, batch := record.Key.(*sm.BatchPublic)
	if !batch || record.Region != origin || !good(record.Validity) {
		return nil, errKey
	}
	v.Doubtful = v.State == Witnessed && record.Doubtful(v.Index)
	return key, nil
}

// author checks who vouches for disclosed content. A region does by the batch
// signature, which is verified already; an agency that signed the record, or the
// file that the region took it from, by its own, under a key that is shown as good
// at the entry's leaf.
func (v *verification) author(d *Disclosed, a *exchange.Author) error {
	if a.Key == nil || a.Kind == exchange.AuthorRegion && v.State != Witnessed {
		if d.Agency != nil {
			return errForm
		}
		return nil
	}
	if v.State != Witnessed {
		return errors.New("an agency's key can be shown for witnessed entries only")
	}
	if d.Agency == nil {
		return errors.New("the agency's key is not shown")
	}
	record, err := d.Agency.proof().Key(v.covering.Directory)
	if err != nil {
		return err
	}
	if record.Region != v.Header.Origin || record.USCC != a.Agency || record.Public.ID() != *a.Key || !record.At(v.Index) {
		return errKey
	}
	v.AuthorDoubtful = record.Doubtful(v.Index)
	return a.Verify(v.Ledger, record.Public, d.Record)
}
