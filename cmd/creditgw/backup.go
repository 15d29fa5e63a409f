package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange/backup"
	"github.com/xinqiao/creditgw/exchange/journal"
	"github.com/xinqiao/creditgw/exchange/store"
	"github.com/xinqiao/creditgw/exchange/vault"
	"github.com/xinqiao/creditgw/peers"
)

type backupFlags struct{ dir, passphraseFile string }

func (p *program) backupCommand() *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:   "backup --dir DIR FILE",
		Short: p.Say(text{"备份一个已停节点独有的内容", "back up what only this node has, while it is stopped"}),
		Long: p.Say(text{
			"备份流水日志、密钥槽、令牌和配置，密封给本地区的解密密钥，由节点密钥签名。账本在其他地区都有，不在其中；\nRaft 日志、见证状态和节点私钥永不备份。",
			"Journal, vault, tokens and configuration, sealed to the region's decryption key and signed by the node. The\nledger is with the other regions; Raft log, witness state and private keys are never backed up."}),
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.backup(f, args[0]) },
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", p.Say(text{"节点的数据目录", "the node's directory"}))
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", p.Say(text{"密钥口令文件", "file with the passphrase of the keys"}))
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}

func (p *program) backup(f backupFlags, path string) error {
	pass, err := p.passphrase(keyPassphrase(f.passphraseFile))
	if err != nil {
		return err
	}
	keys, self, err := loadKeys(f.dir, pass)
	if err != nil {
		return err
	}
	manifest, err := p.makeBackup(f.dir, keys, self, path)
	if err != nil {
		return err
	}
	return p.reportBackup(path, manifest)
}

// makeBackup backs a stopped node up to a file that does not exist yet.
func (p *program) makeBackup(dir string, keys *Keys, self peers.Member, path string) (m backup.Manifest, err error) {
	genesis, err := signedGenesis(filepath.Join(dir, genesisName))
	if err != nil {
		return m, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return m, err
	}
	defer lock.Close() // the file was not written
	source := backupSource{
		dir: dir, ledger: genesis.LedgerID(), self: self, keys: keys, rand: p.rand, now: p.now,
		journal: func(to string) error { return journal.Link(filepath.Join(dir, journalName), to) },
	}
	var fault error
	failed := func(err error) { fault = err }
	if source.vault, err = vault.Open(vault.Config{Path: filepath.Join(dir, vaultName), Rand: p.rand, Fatal: failed}); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, source.vault.Close(), fault) }()
	if source.head, err = store.ReadHead(filepath.Join(dir, ledgerName), &genesis); err != nil {
		return m, err
	}
	// A damaged journal is no backup of anything.
	if _, err := journal.Check(filepath.Join(dir, journalName), nil); err != nil {
		return m, err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return m, err
	}
	m, err = source.write(out)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return m, errors.Join(&message{Text: text{"没有做成备份", "no backup was made"}, Cause: err}, os.Remove(path))
	}
	return m, nil
}

func (p *program) reportBackup(path string, m backup.Manifest) error {
	var bytes uint64
	for _, f := range m.Files {
		bytes += f.Length
	}
	if p.JSON {
		return p.PrintJSON(struct {
			File   string    `json:"file"`
			Node   string    `json:"node"`
			Files  int       `json:"files"`
			Bytes  uint64    `json:"bytes"`
			Size   uint64    `json:"ledger_size"`
			Root   sm.Digest `json:"root"`
			Region string    `json:"region"`
		}{path, m.Node, len(m.Files), bytes, m.Size, m.Root, string(m.Region)})
	}
	_, err := fmt.Fprint(p.Out, p.Sayf(text{
		"节点 %s 的 %d 个文件、%d 字节已备份到 %s，账本 %d 条时的树根 %s\n打开它需要恢复文件及其口令\n",
		"backed up %[2]d files, %[3]d bytes of node %[1]s to %[4]s, with the ledger at %[5]d and root %[6]s\nto open it takes the recovery file and its passphrase\n",
	}, m.Node, len(m.Files), bytes, path, m.Size, m.Root))
	return err
}
