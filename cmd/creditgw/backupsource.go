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
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
)

// tokensName is the token file of package access, in the node's directory.
const tokensName = "tokens.json"

// backupSource is what a backup is made of: of a node that is stopped or runs.
type backupSource struct {
	dir       string
	ledger    sm.Digest
	self      peers.Member
	keys      *Keys
	head      exchange.Head // of the ledger when the backup begins
	directory *peers.Directory
	journal   func() (*journal.Cut, error)
	vault     *vault.Vault
	rand      io.Reader
	now       func() time.Time
}

// write writes the backup. The cut of the journal comes first, then the vault,
// and until that is saved nothing is erased: so it has each slot that the cut
// names, and none is erased of whose erasure the cut does not know.
func (s *backupSource) write(out io.Writer) (m backup.Manifest, err error) {
	buffered := bufio.NewWriterSize(out, 1<<20)
	w, err := backup.NewWriter(buffered, s.rand, s.ledger, s.self.Region, s.keys.sealTo(s.directory, s.self.Region))
	if err != nil {
		return m, err
	}
	for _, name := range []string{genesisName, memberName, tokensName, configName} {
		if err := addFile(w, name, filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	release := s.vault.Hold()
	cut, err := s.journal()
	if err == nil {
		defer func() { err = errors.Join(err, cut.Close()) }()
		err = s.addVault(w)
	}
	release()
	if err != nil {
		return m, err
	}
	last, err := cut.Each(func(name string, content io.Reader) error { return w.File(journalName+"/"+name, content) })
	if err != nil {
		return m, err
	}
	m, err = w.Close(backup.Manifest{
		Node: s.self.Node.ID, Made: s.now().Unix(), Size: s.head.Size, Root: s.head.Root, Events: uint64(last),
	}, s.keys.Node)
	return m, errors.Join(err, buffered.Flush())
}

func (s *backupSource) addVault(w *backup.Writer) error {
	keys, saved := io.Pipe()
	go func() { _ = saved.CloseWithError(s.vault.Save(saved)) }()
	return errors.Join(w.File(vaultName, keys), keys.Close())
}

func addFile(w *backup.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.File(name, f)
}
