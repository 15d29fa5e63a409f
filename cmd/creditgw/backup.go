package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/consensus/durable"
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
		Short: p.Say(text{"备份一个节点独有的内容，节点可以在运行", "back up what only this node has, while it runs or is stopped"}),
		Long: p.Say(text{
			"备份流水日志、密钥槽、令牌和配置，密封给本地区的解密密钥，由节点密钥签名。账本在其他地区都有，不在其中；\nRaft 日志、见证状态和节点私钥永不备份。节点在运行时由它自己写出，不需要口令；已停时需要。",
			"Journal, vault, tokens and configuration, sealed to the region's decryption key and signed by the node. The\nledger is with the other regions; Raft log, witness state and private keys are never backed up. A running node\nwrites the backup itself, and no passphrase is needed; of a stopped one it is."}),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.backup(cmd.Context(), f, args[0]) },
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", p.Say(text{"节点的数据目录", "the node's directory"}))
	cmd.Flags().StringVar(&f.passphraseFile, "passphrase-file", "", p.Say(text{"密钥口令文件，节点已停时用", "file with the passphrase of the keys, for a stopped node"}))
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}

func (p *program) backup(ctx context.Context, f backupFlags, path string) error {
	running, err := dialBackup(ctx, f.dir)
	if err != nil {
		return err
	}
	var made backupReport
	if running != nil {
		made, err = saveBackup(path, running.write)
	} else {
		made, err = p.backupStopped(f, path)
	}
	if err != nil {
		return err
	}
	return p.reportBackup(path, made)
}

func (p *program) backupStopped(f backupFlags, path string) (backupReport, error) {
	pass, err := p.passphrase(keyPassphrase(f.passphraseFile))
	if err != nil {
		return backupReport{}, err
	}
	keys, self, err := loadKeys(f.dir, pass)
	if err != nil {
		return backupReport{}, err
	}
	return p.makeBackup(f.dir, keys, self, path)
}

// makeBackup backs a stopped node up to a file that does not exist yet.
func (p *program) makeBackup(dir string, keys *Keys, self peers.Member, path string) (made backupReport, err error) {
	genesis, err := signedGenesis(filepath.Join(dir, genesisName))
	if err != nil {
		return made, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return made, err
	}
	defer lock.Close() // the file was not written
	source := backupSource{
		dir: dir, ledger: genesis.LedgerID(), self: self, keys: keys, rand: p.rand, now: p.now,
		journal: func() (*journal.Cut, error) { return journal.OpenCut(filepath.Join(dir, journalName)) },
	}
	var fault error
	failed := func(err error) { fault = err }
	if source.vault, err = vault.Open(vault.Config{Path: filepath.Join(dir, vaultName), Rand: p.rand, Fatal: failed}); err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, source.vault.Close(), fault) }()
	if source.head, source.directory, err = store.ReadHead(filepath.Join(dir, ledgerName), &genesis); err != nil {
		return made, err
	}
	return saveBackup(path, func(out io.Writer) (backupReport, error) {
		m, err := source.write(out)
		return reportOf(m), err
	})
}

// saveBackup has write fill a file that does not exist yet, and takes it away if
// that fails.
func saveBackup(path string, write func(io.Writer) (backupReport, error)) (made backupReport, err error) {
	noBackup := func(cause error) error {
		return &message{Text: text{"没有做成备份", "no backup was made"}, Cause: cause}
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return made, noBackup(err)
	}
	made, err = write(out)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return made, errors.Join(noBackup(err), os.Remove(path))
	}
	return made, durable.SyncDir(filepath.Dir(path))
}

// backupReport is what is said of a backup that was made. All of it is in the
// manifest, which only the region can read.
type backupReport struct {
	File   string       `json:"file,omitempty"`
	Node   string       `json:"node"`
	Files  int          `json:"files"`
	Bytes  uint64       `json:"bytes"`
	Events uint64       `json:"events"`
	Size   uint64       `json:"ledger_size"`
	Root   sm.Digest    `json:"root"`
	Region peers.Region `json:"region"`
}

func reportOf(m backup.Manifest) backupReport {
	r := backupReport{Node: m.Node, Files: len(m.Files), Events: m.Events, Size: m.Size, Root: m.Root, Region: m.Region}
	for _, f := range m.Files {
		r.Bytes += f.Length
	}
	return r
}

func (p *program) reportBackup(path string, r backupReport) error {
	if p.JSON {
		r.File = path
		return p.PrintJSON(r)
	}
	_, err := fmt.Fprint(p.Out, p.Sayf(text{
		"节点 %s 的 %d 个文件、%d 字节、%d 个事件已备份到 %s，账本 %d 条时的树根 %s\n打开它需要恢复文件及其口令\n",
		"backed up %[2]d files, %[3]d bytes, %[4]d events of node %[1]s to %[5]s, with the ledger at %[6]d and root %[7]s\nto open it takes the recovery file and its passphrase\n",
	}, r.Node, r.Files, r.Bytes, r.Events, path, r.Size, r.Root))
	return err
}
