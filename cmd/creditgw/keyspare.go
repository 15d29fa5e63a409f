package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// spareKeys are what a rotation has added to the keys of member.json. Which of
// all is used, the ledger's directory says.
type spareKeys struct {
	Node       []*sm.NodeKey
	Batch      []*sm.BatchKey
	Decryption []*sm.DecryptionKey
	Witness    []*sm.WitnessKey
}

// spareName is the file of an added key: keys/batch-0123456789abcdef.pem, with
// the first eight bytes of its key id.
func spareName(purpose string, id sm.KeyID) string {
	return filepath.Join(keysName, purpose+"-"+hex.EncodeToString(id[:8])+".pem")
}

func loadSpares(dir string, passphrase []byte) (s spareKeys, err error) {
	if s.Node, err = loadEach(dir, "node", passphrase, sm.ParsePrivate[sm.Node]); err != nil {
		return s, err
	}
	if s.Batch, err = loadEach(dir, "batch", passphrase, sm.ParsePrivate[sm.Batch]); err != nil {
		return s, err
	}
	if s.Decryption, err = loadEach(dir, "decryption", passphrase, sm.ParseDecryption); err != nil {
		return s, err
	}
	s.Witness, err = loadEach(dir, "witness", passphrase, sm.ParsePrivate[sm.Witness])
	return s, err
}

func loadEach[K any](dir, purpose string, passphrase []byte, parse func(file, passphrase []byte) (K, error)) ([]K, error) {
	files, err := os.ReadDir(filepath.Join(dir, keysName))
	if err != nil {
		return nil, noKeys(dir, err)
	}
	var keys []K
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), purpose+"-") || filepath.Ext(f.Name()) != ".pem" {
			continue
		}
		k, err := loadKey(dir, filepath.Join(keysName, f.Name()), passphrase, parse)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// held are the key of member.json, unless the node has none of the purpose,
// and those that rotations have added.
func held[K comparable](first K, spare []K) []K {
	var none K
	return slices.DeleteFunc(append([]K{first}, spare...), func(k K) bool { return k == none })
}

func (k *Keys) nodes() []*sm.NodeKey        { return held(k.Node, k.Spare.Node) }
func (k *Keys) batches() []*sm.BatchKey     { return held(k.Batch, k.Spare.Batch) }
func (k *Keys) witnesses() []*sm.WitnessKey { return held(k.Witness, k.Spare.Witness) }

// sealTo is the region's decryption key in force, if it is held here: what this
// node could not open itself would be no backup.
func (k *Keys) sealTo(d *peers.Directory, region peers.Region) *sm.DecryptionPublic {
	now, ok := d.Decryption(region)
	for _, held := range k.decryptions() {
		if ok && held.Public().Equal(now) {
			return now
		}
	}
	return k.Decryption.Public()
}

func (k *Keys) decryptions() []*sm.DecryptionKey {
	keys := held(k.Decryption, k.Spare.Decryption)
	slices.Reverse(keys) // an added one is newer
	return keys
}
