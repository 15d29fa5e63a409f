package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/backup"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
)

// savedVaultName is the vault as it was backed up, until it is known which of
// its slots the journal names.
const savedVaultName = "vault.saved"

// recovered is what a recovery file brings back.
type recovered struct {
	region     peers.Region
	decryption *sm.DecryptionKey
	added      []*sm.DecryptionKey // by rotations
	idSecret   idSecret
}

func openRecovery(path string, passphrase []byte) (recovered, error) {
	raw, err := readLimited(path, maxRecoveryFile)
	if err != nil {
		return recovered{}, &message{Text: text{"读不到恢复文件", "cannot read the recovery file"}, Cause: err}
	}
	var file recovery
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil || file.Version != 1 {
		return recovered{}, invalidFile(path, errors.New("not a recovery file of this version"))
	}
	out := recovered{region: file.Region}
	if out.decryption, err = sm.ParseDecryption([]byte(file.Decryption), passphrase); err != nil {
		return recovered{}, cannotOpen(path, err)
	}
	for _, pem := range file.Added {
		key, err := sm.ParseDecryption([]byte(pem), passphrase)
		if err != nil {
			return recovered{}, cannotOpen(path, err)
		}
		out.added = append(out.added, key)
	}
	if out.idSecret, err = file.IDSecret.open(file.Region, passphrase); err != nil {
		return recovered{}, cannotOpen(path, err)
	}
	return out, nil
}

// restoring is one restore into a directory that is nobody's yet.
type restoring struct {
	dir       string
	genesis   *peers.Genesis
	recovered recovered
	signer    string // key id that the operator names, "" for the genesis's
	// common, after a fork, is up to where the journal's notes are of the others'
	// ledger too.
	common *uint64

	lost     peers.Member // as the backup has it
	manifest backup.Manifest
	events   exchange.Position
	nextSlot uint64
}

// read takes the backup apart and returns nil if all of it is what the node has
// signed.
func (r *restoring) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := backup.NewReader(f, r.genesis.LedgerID(), held(r.recovered.decryption, r.recovered.added)...)
	if err != nil {
		return err
	}
	if in.Region() != r.recovered.region {
		return fmt.Errorf("it is of region %s, the recovery file of %s", in.Region(), r.recovered.region)
	}
	if err := os.Mkdir(filepath.Join(r.dir, journalName), 0o700); err != nil {
		return err
	}
	for err == nil {
		err = in.Next(r.place)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	r.manifest, err = in.Manifest(r.nodeKey)
	return err
}

// place puts one file where it belongs. The configuration is made anew, for its
// addresses are those of the lost node.
func (r *restoring) place(name string, content io.Reader) error {
	switch {
	case name == genesisName:
		raw, err := io.ReadAll(io.LimitReader(content, peers.MaxGenesisFile+1))
		if err != nil {
			return err
		}
		g, err := peers.ParseGenesis(raw)
		if err == nil && g.LedgerID() != r.genesis.LedgerID() {
			err = errors.New("its genesis is another one")
		}
		if err != nil {
			return err
		}
		return createFile(filepath.Join(r.dir, name), raw, 0o644)
	case name == memberName:
		raw, err := io.ReadAll(io.LimitReader(content, peers.MaxMemberFile+1))
		if err != nil {
			return err
		}
		r.lost, err = peers.ParseMember(raw)
		return err
	case name == configName:
		_, err := io.Copy(io.Discard, content)
		return err
	case name == tokensName, strings.HasPrefix(name, journalName+"/") && strings.Count(name, "/") == 1:
		return createFrom(filepath.Join(r.dir, name), content, 0o600)
	case name == vaultName:
		return createFrom(filepath.Join(r.dir, savedVaultName), content, 0o600)
	}
	return fmt.Errorf("a file %s that this binary does not know", name)
}

// nodeKey is the key that must have signed the backup.
func (r *restoring) nodeKey(node string) *sm.NodePublic {
	if r.lost.Node.ID != node || r.lost.Region != r.recovered.region {
		return nil
	}
	m, ok := r.genesis.Member(r.lost.Region)
	known := ok && m.Node.ID == node && m.Node.Key.Equal(r.lost.Node.Key)
	if known || r.signer != "" && r.signer == r.lost.Node.Key.ID().String() {
		return r.lost.Node.Key
	}
	return nil
}

// private opens the journal and makes the vault that it needs.
func (r *restoring) private(now time.Time) (err error) {
	var fault error
	j, err := journal.Open(journal.Config{
		Dir: filepath.Join(r.dir, journalName), Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { fault = err },
	})
	if err != nil {
		return err
	}
	r.nextSlot = 1
	last := amendment{common: r.common}
	err = j.Read(1, func(at exchange.Position, e exchange.Event) error {
		r.events, r.nextSlot = at, max(r.nextSlot, e.NextSlot())
		return last.look(at, &e)
	})
	if events := last.events(now); err == nil && len(events) > 0 {
		_, err = j.Append(context.Background(), events...)
	}
	if err = errors.Join(err, j.Close(), fault); err != nil {
		return err
	}
	if uint64(r.events) != r.manifest.Events {
		return fmt.Errorf("its journal ends with event %d, the manifest says %d", r.events, r.manifest.Events)
	}
	path := filepath.Join(r.dir, savedVaultName)
	saved, err := os.Open(path)
	if err != nil {
		return err
	}
	err = vault.Restore(filepath.Join(r.dir, vaultName), saved, r.nextSlot)
	return errors.Join(err, saved.Close(), os.Remove(path))
}
