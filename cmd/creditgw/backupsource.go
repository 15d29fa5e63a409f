package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/backup"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
)

// backupDirName is where the journal gets second names while it is read.
const backupDirName = "backup"

// tokensName is the token file of package access, in the node's directory.
const tokensName = "tokens.json"

// backupSource is what a backup is made of: of a node that is stopped or runs.
type backupSource struct {
	dir     string
	ledger  sm.Digest
	self    peers.Member
	keys    *Keys
	head    exchange.Head          // of the ledger, no later than the journal's end
	journal func(dir string) error // gives the journal's segments second names in dir
	vault   *vault.Vault
	rand    io.Reader
	now     func() time.Time
}

// write writes the backup. The vault comes after the journal, so that it has
// each slot that the journal names.
func (s *backupSource) write(out io.Writer) (m backup.Manifest, err error) {
	links := filepath.Join(s.dir, backupDirName)
	if err := os.RemoveAll(links); err != nil { // of a backup that a crash has ended
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(links)) }()
	buffered := bufio.NewWriterSize(out, 1<<20)
	w, err := backup.NewWriter(buffered, s.rand, s.ledger, s.self.Region, s.keys.Decryption.Public())
	if err != nil {
		return m, err
	}
	for _, name := range []string{genesisName, memberName, tokensName, configName} {
		if err := addFile(w, name, filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	if err := s.journal(links); err != nil {
		return m, err
	}
	segments, err := os.ReadDir(links) // ascending
	if err != nil {
		return m, err
	}
	for _, segment := range segments {
		if err := addFile(w, journalName+"/"+segment.Name(), filepath.Join(links, segment.Name())); err != nil {
			return m, err
		}
	}
	keys, saved := io.Pipe()
	go func() { _ = saved.CloseWithError(s.vault.Save(saved)) }()
	err = w.File(vaultName, keys)
	if err = errors.Join(err, keys.Close()); err != nil {
		return m, err
	}
	m, err = w.Close(backup.Manifest{Node: s.self.Node.ID, Made: s.now().Unix(), Size: s.head.Size, Root: s.head.Root}, s.keys.Node)
	return m, errors.Join(err, buffered.Flush())
}

func addFile(w *backup.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.File(name, f)
}
