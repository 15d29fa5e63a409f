package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/witness"
)

// Names within a node's directory, as docs/formats/keys.md has them.
const (
	keysName       = "keys"
	nodeKeyName    = "keys/node.pem"
	batchKeyName   = "keys/batch.pem"
	decryptionName = "keys/decryption.pem"
	witnessKeyName = "keys/witness.pem"
	idSecretName   = "keys/id-secret"
	stateName      = "witness/state"
	recoveryName   = "recovery.json"
	memberName     = "member.json"
	configName     = "creditgw.yaml"
	genesisName    = "genesis.json"
)

const maxKeyFile = 8 << 10

// Keys are the secrets of a region's node, each for one purpose.
type Keys struct {
	Node       *sm.NodeKey
	Batch      *sm.BatchKey
	Decryption *sm.DecryptionKey
	Witness    *sm.WitnessKey
	IDSecret   idSecret
	Spare      spareKeys
}

// founderInfo is what a region says about itself when it makes its keys.
type founderInfo struct {
	Region peers.Region
	Name   string
	Addr   string // HOST:PORT where the other regions reach this node by QUIC
}

// passphrases protect a key directory: one for daily use, one for the safe.
type passphrases struct {
	Keys     []byte
	Recovery []byte
}

// generateKeys draws all keys of a region and names its first node.
func generateKeys(info founderInfo, rand io.Reader) (*Keys, peers.Member, error) {
	var k Keys
	var errs [5]error
	k.Node, errs[0] = sm.Generate[sm.Node](rand)
	k.Batch, errs[1] = sm.Generate[sm.Batch](rand)
	k.Decryption, errs[2] = sm.GenerateDecryption(rand)
	k.Witness, errs[3] = sm.Generate[sm.Witness](rand)
	k.IDSecret, errs[4] = newIDSecret(rand)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, peers.Member{}, fmt.Errorf("generate keys: %w", err)
	}
	m := peers.Member{
		Region:     info.Region,
		Name:       info.Name,
		Node:       peers.Node{ID: peers.NodeID(info.Region, 1), Addr: info.Addr, Key: k.Node.Public()},
		Batch:      k.Batch.Public(),
		Decryption: k.Decryption.Public(),
		Witness:    k.Witness.Public(),
	}
	return &k, m, m.Validate()
}

// createKeys makes the keys of a region and writes them as write does.
func createKeys(dir string, info founderInfo, rand io.Reader, pass passphrases) (*Keys, peers.Member, error) {
	k, m, err := generateKeys(info, rand)
	if err != nil {
		return nil, peers.Member{}, err
	}
	return k, m, k.write(dir, m, rand, pass)
}

// write puts the key directory, the recovery file and member.json into dir. It
// overwrites nothing, and takes back what it wrote when it fails. All is
// durable when it returns.
func (k *Keys) write(dir string, m peers.Member, rand io.Reader, pass passphrases) error {
	files, err := k.files(m, rand, pass)
	if err != nil {
		return err
	}
	for _, name := range []string{keysName, witnessName} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	return writeNew(dir, files)
}

// newFile is a file of a key directory before it is written.
type newFile struct {
	name string
	data []byte
	mode os.FileMode
}

func (k *Keys) files(m peers.Member, rand io.Reader, pass passphrases) ([]newFile, error) {
	var errs []error
	secret := func(name string, data []byte, err error) newFile {
		errs = append(errs, err)
		return newFile{name, data, 0o600}
	}
	marshal := func(name string, marshalPEM func([]byte) ([]byte, error)) newFile {
		data, err := marshalPEM(pass.Keys)
		return secret(name, data, err)
	}
	files := []newFile{
		marshal(nodeKeyName, k.Node.MarshalPEM),
		marshal(batchKeyName, k.Batch.MarshalPEM),
		marshal(decryptionName, k.Decryption.MarshalPEM),
		marshal(witnessKeyName, k.Witness.MarshalPEM),
	}
	for _, added := range k.Spare.Decryption { // of a region that was restored
		files = append(files, marshal(spareName("decryption", added.Public().ID()), added.MarshalPEM))
	}
	sealed, err := k.IDSecret.seal(rand, m.Region, pass.Keys)
	errs = append(errs, err)
	data, err := marshalIndent(sealed)
	files = append(files, secret(idSecretName, data, err))
	data, err = k.recoveryFile(m.Region, rand, pass.Recovery)
	files = append(files, secret(recoveryName, data, err))
	// A key that has just been made has signed nothing, and only here is that
	// known.
	files = append(files, newFile{stateName, witness.Founding(), 0o600})
	// The member file comes last: where it is, the rest is.
	data, err = m.MarshalFile()
	errs = append(errs, err)
	files = append(files, newFile{memberName, data, 0o644})
	return files, errors.Join(errs...)
}

// recovery is the file of docs/formats/keys.md that brings back what governance
// can't replace.
type recovery struct {
	Version    int          `json:"version"`
	Region     peers.Region `json:"region"`
	Decryption string       `json:"decryption"`      // PEM
	Added      []string     `json:"added,omitempty"` // PEM, decryption keys that rotations have added
	IDSecret   sealedSecret `json:"id_secret"`
}

// maxRecoveryFile is room for a key of each of some hundred rotations.
const maxRecoveryFile = 128 * maxKeyFile

func (k *Keys) recoveryFile(r peers.Region, rand io.Reader, passphrase []byte) ([]byte, error) {
	file := recovery{Version: 1, Region: r}
	pem, err := k.Decryption.MarshalPEM(passphrase)
	if err != nil {
		return nil, err
	}
	file.Decryption = string(pem)
	for _, added := range k.Spare.Decryption {
		if pem, err = added.MarshalPEM(passphrase); err != nil {
			return nil, err
		}
		file.Added = append(file.Added, string(pem))
	}
	if file.IDSecret, err = k.IDSecret.seal(rand, r, passphrase); err != nil {
		return nil, err
	}
	return marshalIndent(file)
}

func marshalIndent(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

func writeNew(dir string, files []newFile) (err error) {
	var written []string
	defer func() {
		if err == nil {
			return
		}
		for _, path := range written {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := createFile(path, f.data, f.mode); err != nil {
			return err
		}
		written = append(written, path)
	}
	return errors.Join(durable.SyncDir(filepath.Join(dir, keysName)), durable.SyncDir(dir), durable.SyncDir(filepath.Dir(dir)))
}

// loadMember reads the public side of a node's directory.
func loadMember(dir string) (peers.Member, error) {
	b, err := readLimited(filepath.Join(dir, memberName), peers.MaxMemberFile)
	if err != nil {
		return peers.Member{}, noKeys(dir, err)
	}
	return peers.ParseMember(b)
}

// loadKeys opens the key directory and demands that the keys are those of
// member.json.
func loadKeys(dir string, passphrase []byte) (*Keys, peers.Member, error) {
	m, err := loadMember(dir)
	if err != nil {
		return nil, peers.Member{}, err
	}
	var k Keys
	if k.Node, err = loadKey(dir, nodeKeyName, passphrase, sm.ParsePrivate[sm.Node]); err != nil {
		return nil, peers.Member{}, err
	}
	if k.Batch, err = loadBatchKey(dir, passphrase); err != nil {
		return nil, peers.Member{}, err
	}
	if k.Decryption, err = loadKey(dir, decryptionName, passphrase, sm.ParseDecryption); err != nil {
		return nil, peers.Member{}, err
	}
	if k.Witness, err = loadKey(dir, witnessKeyName, passphrase, sm.ParsePrivate[sm.Witness]); err != nil {
		return nil, peers.Member{}, err
	}
	if k.IDSecret, err = loadIDSecret(dir, m.Region, passphrase); err != nil {
		return nil, peers.Member{}, err
	}
	if k.Spare, err = loadSpares(dir, passphrase); err != nil {
		return nil, peers.Member{}, err
	}
	if !k.Node.Public().Equal(m.Node.Key) || !k.Batch.Public().Equal(m.Batch) ||
		!k.Decryption.Public().Equal(m.Decryption) || !k.Witness.Public().Equal(m.Witness) {
		return nil, peers.Member{}, &message{
			Text: text{"密钥与 member.json 不符", "the keys are not those of member.json"},
			Hint: text{dir + " 里混入了别的目录的文件", dir + " holds files of another directory"},
		}
	}
	return &k, m, nil
}

func loadBatchKey(dir string, passphrase []byte) (*sm.BatchKey, error) {
	return loadKey(dir, batchKeyName, passphrase, sm.ParsePrivate[sm.Batch])
}

func loadKey[K any](dir, name string, passphrase []byte, parse func(file, passphrase []byte) (K, error)) (key K, err error) {
	b, err := readPrivate(filepath.Join(dir, name), maxKeyFile)
	if err != nil {
		return key, noKeys(dir, err)
	}
	if key, err = parse(b, passphrase); err != nil {
		return key, cannotOpen(name, err)
	}
	return key, nil
}

func loadIDSecret(dir string, r peers.Region, passphrase []byte) (idSecret, error) {
	b, err := readPrivate(filepath.Join(dir, idSecretName), maxSealedFile)
	if err != nil {
		return nil, noKeys(dir, err)
	}
	sealed, err := parseSealedSecret(b)
	if err != nil {
		return nil, cannotOpen(idSecretName, err)
	}
	s, err := sealed.open(r, passphrase)
	if err != nil {
		return nil, cannotOpen(idSecretName, err)
	}
	return s, nil
}

func cannotOpen(name string, err error) error {
	m := &message{Text: text{"打不开 " + name, "cannot open " + name}, Cause: err}
	if errors.Is(err, sm.ErrPassphrase) || errors.Is(err, errSealed) {
		m.Hint = text{"口令不对？", "is it the right passphrase?"}
	}
	return m
}

func noKeys(dir string, err error) error {
	m := &message{Text: text{"读不到密钥目录", "cannot read the key directory"}, Cause: err}
	if errors.Is(err, fs.ErrNotExist) {
		m.Hint = text{"先运行 creditgw init --dir " + dir, "run creditgw init --dir " + dir + " first"}
	}
	return m
}
