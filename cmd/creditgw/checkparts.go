package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/consensus"
	"github.com/xinqiao/creditgw/exchange/access"
	"github.com/xinqiao/creditgw/exchange/casebook"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/witness"
)

// Names of the node's parts within its directory.
const (
	ledgerName   = "ledger"
	journalName  = "journal"
	vaultName    = "vault"
	casebookName = "casebook"
	raftName     = "raft"
)

// partCheck is what the check found in one part of a node.
type partCheck struct {
	Part    string   `json:"part"`
	Entries uint64   `json:"entries"` // leaves, events, slots, entries, files
	Erased  uint64   `json:"erased,omitempty"`
	Root    string   `json:"root,omitempty"`
	Torn    int64    `json:"torn_bytes,omitempty"` // written in part when the power went; the next start drops it
	Damage  []string `json:"damage,omitempty"`
}

// found adds what a check ended with. Joined faults are a line each.
func (c *partCheck) found(err error) {
	if err != nil {
		c.Damage = append(c.Damage, strings.Split(err.Error(), "\n")...)
	}
}

// A nodePart is a part of a node that is checked by itself, in a process of its
// own. Its databases come first: rotten pages are where a reader dies.
type nodePart struct {
	name      string
	databases func(dir string) []string
	read      func(c *partCheck, f checkFlags, progress func(done, total int64))
}

// nodeParts is everything a node holds, in the order of the check.
var nodeParts = []nodePart{
	{"identity", nil, checkIdentity},
	{ledgerName, in("ledger/*/state.db"), checkLedger},
	{journalName, nil, checkJournal},
	{vaultName, nil, checkVault},
	{casebookName, in("casebook/casebook.db"), checkCasebook},
	{raftName, in("raft/wal/wal-meta.db"), checkRaft},
	{witnessName, in("witness/checkpoints.db"), checkWitness},
}

// in lists the files that match within a node's directory.
func in(pattern string) func(dir string) []string {
	return func(dir string) []string {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is constant
		return paths
	}
}

// checkIdentity reads what says who the node is and who may speak to it. The
// genesis has been verified by the caller's caller, but not that this node is in
// it.
func checkIdentity(c *partCheck, f checkFlags, _ func(done, total int64)) {
	var member peers.Member
	raw, err := readLimited(filepath.Join(f.dir, memberName), peers.MaxMemberFile)
	if err == nil {
		member, err = peers.ParseMember(raw)
	}
	if again, _ := member.MarshalFile(); err == nil && !bytes.Equal(raw, again) {
		err = errors.New("it is not as it was made")
	}
	if err != nil {
		c.found(fmt.Errorf("%s: %w", memberName, err))
	}
	c.Entries++
	genesis, err := signedGenesis(filepath.Join(f.dir, genesisName))
	c.found(err)
	c.Entries++
	if m, ok := genesis.Member(member.Region); ok && m.Node.ID == member.Node.ID &&
		(!m.Node.Key.Equal(member.Node.Key) || !m.Batch.Equal(member.Batch)) {
		c.found(fmt.Errorf("%s: its keys are not those that the genesis has", memberName))
	}
	if _, err := access.Check(f.dir, time.Now()); err != nil {
		c.found(err)
	}
	c.Entries++
	if f.passphraseFile != "" {
		pass, err := command.ReadPassphraseFile(f.passphraseFile)
		if err == nil {
			_, _, err = loadKeys(f.dir, pass)
		}
		c.found(err)
		c.Entries++
	}
}

func checkLedger(c *partCheck, f checkFlags, progress func(done, total int64)) {
	genesis, err := readGenesis(filepath.Join(f.dir, genesisName))
	if err != nil {
		c.found(err)
		return
	}
	r, err := store.Check(filepath.Join(f.dir, ledgerName), &genesis, func(done, size uint64) { progress(int64(done), int64(size)) })
	c.Entries, c.Erased = r.Size, r.Erased
	if err == nil && r.OK() {
		c.Root = r.Root.String()
	}
	for _, d := range r.Damage {
		c.found(d)
	}
	c.found(err)
}

func checkJournal(c *partCheck, f checkFlags, progress func(done, total int64)) {
	r, err := journal.Check(filepath.Join(f.dir, journalName), progress)
	c.Entries, c.Torn = r.Events, r.Torn
	c.found(err)
}

func checkVault(c *partCheck, f checkFlags, _ func(done, total int64)) {
	r, err := vault.Check(filepath.Join(f.dir, vaultName))
	c.Entries, c.Erased = r.Slots, r.Erased
	c.found(err)
}

func checkCasebook(c *partCheck, f checkFlags, progress func(done, total int64)) {
	r, err := casebook.Check(filepath.Join(f.dir, casebookName), func(done, total uint64) { progress(int64(done), int64(total)) })
	c.Entries = r.Entries
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Join(f.dir, casebookName, casebook.FileName), err)
	}
	c.found(err)
}

func checkRaft(c *partCheck, f checkFlags, progress func(done, total int64)) {
	r, err := consensus.Check(filepath.Join(f.dir, raftName), func(done, total uint64) { progress(int64(done), int64(total)) })
	c.Entries, c.Torn = r.Entries, r.Torn
	c.found(err)
}

func checkWitness(c *partCheck, f checkFlags, _ func(done, total int64)) {
	r, err := witness.Check(filepath.Join(f.dir, witnessName))
	c.Entries = r.Checkpoints
	c.found(err)
}
