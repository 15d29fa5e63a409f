package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// keyring is what a running node holds of its region's keys. Who uses a key asks
// for it each time, and says which ones the ledger's directory names: when one of
// them is lacking, the key directory is read again. creditgw member key-add has
// written the file before anyone hears of the key, so a rotation needs no restart
// and nothing that is sealed to a new key comes too early.
type keyring struct {
	dir        string
	passphrase []byte // empty: the keys stay as they were given
	logger     *slog.Logger

	held atomic.Pointer[Keys]

	mu   sync.Mutex
	seen string // the key directory as it was read last
}

func newKeyring(cfg nodeConfig) *keyring {
	k := &keyring{dir: cfg.Dir, passphrase: cfg.Passphrase, logger: cfg.Logger}
	k.held.Store(cfg.Keys)
	return k
}

// with returns the keys, after a look for those of the ids that are lacking.
// They may still lack: a node holds no keys of other nodes of its region.
func (k *keyring) with(ids []sm.KeyID) *Keys {
	keys := k.held.Load()
	if len(k.passphrase) == 0 || keys.hold(ids) {
		return keys
	}
	if err := k.reload(); err != nil {
		k.logger.Error("an added key can't be opened", "alarm", true, "error", err)
	}
	return k.held.Load()
}

// reload opens what was added, if anything has changed since the last time.
func (k *keyring) reload() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen, err := fingerprint(filepath.Join(k.dir, keysName))
	if err != nil || seen == k.seen {
		return err
	}
	k.seen = seen
	spare, err := loadSpares(k.dir, k.passphrase)
	if err != nil {
		return err
	}
	keys := *k.held.Load()
	keys.Spare = spare
	k.held.Store(&keys)
	k.logger.Info("key directory read again", "keys", len(keys.ids()))
	return nil
}

// fingerprint tells whether a directory's files are others, or longer, than
// before: a file that was read while it was being written is read again.
func fingerprint(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %d %d\n", f.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}

// hold says whether all of these keys are there.
func (k *Keys) hold(ids []sm.KeyID) bool {
	held := k.ids()
	return !slices.ContainsFunc(ids, func(id sm.KeyID) bool { return !slices.Contains(held, id) })
}

func (k *Keys) ids() []sm.KeyID {
	var ids []sm.KeyID
	for _, key := range k.nodes() {
		ids = append(ids, key.Public().ID())
	}
	for _, key := range k.batches() {
		ids = append(ids, key.Public().ID())
	}
	for _, key := range k.decryptions() {
		ids = append(ids, key.Public().ID())
	}
	for _, key := range k.witnesses() {
		ids = append(ids, key.Public().ID())
	}
	return ids
}

// named are the region's keys in force of a purpose, as the directory has them.
// Of node keys only those of this node count.
func (n *node) named(p peers.Purpose) (ids []sm.KeyID) {
	for _, k := range n.store.Directory().Keys(n.cfg.Self.Region) {
		if k.Purpose == p && k.InForce() && (k.Node == "" || k.Node == n.cfg.Self.Node.ID) {
			ids = append(ids, k.Key.ID())
		}
	}
	return ids
}

func (n *node) batchKeys() []*sm.BatchKey { return n.keys.with(n.named(peers.PurposeBatch)).batches() }

func (n *node) witnessKeys() []*sm.WitnessKey {
	return n.keys.with(n.named(peers.PurposeWitness)).witnesses()
}

func (n *node) decryptionKeys() []*sm.DecryptionKey {
	return n.keys.with(n.named(peers.PurposeDecryption)).decryptions()
}

// nodeKey is the key with which this node shows who it is: of those that it
// holds the one that the directory took in last.
func (n *node) nodeKey() *sm.NodeKey {
	held := n.keys.with(n.named(peers.PurposeNode)).nodes()
	return inForce(held, n.store.Directory().NodeKeys(n.cfg.Self.Node.ID))
}

// batchKey is the one that signs now.
func (n *node) batchKey() *sm.BatchKey {
	return inForce(n.batchKeys(), n.store.Directory().BatchKeys(n.cfg.Self.Region))
}

// inForce is the last of the public keys whose private half is held, the first
// of those held if none is.
func inForce[R sm.Role](held []*sm.Private[R], public []*sm.Public[R]) *sm.Private[R] {
	for _, p := range slices.Backward(public) {
		for _, k := range held {
			if k.Public().Equal(p) {
				return k
			}
		}
	}
	return held[0]
}
