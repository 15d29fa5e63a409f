package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/peers/witness"
)

func (p *program) resyncCommand() *cobra.Command {
	var from string
	var f newNodeFlags
	cmd := &cobra.Command{
		Use:   "resync --dir DIR --to NEW --addr HOST:PORT",
		Short: p.Say(text{"账本分叉之后，以新节点身份重新加入", "after a fork: rejoin as a new node"}),
		Long: p.Say(text{
			"把已停节点独有的内容（流水日志、密钥槽、令牌）搬到一个新节点，原目录连同证据原样保留。新节点没有 Raft 日志和账本，\n由各地区批准（node-add，然后 promote）后，从有多数见证的快照取得账本。据分叉账本读过、其他地区未见证的条目作废，由新节点重读。\n新密钥沿用原密钥的口令，恢复文件另做一份。",
			"Takes what only the stopped node has (journal, vault, tokens) to a new node, and leaves its directory with the\nevidence as it is. The new node has neither Raft log nor ledger: once the regions have approved it (node-add,\nthen promote) it gets the ledger by a witnessed snapshot. What the journal has read of a forked ledger, behind\nwhat the regions have witnessed, counts for nothing and is read again.\nThe new keys have the passphrase of the old ones, and a new recovery file is made."}),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.resync(from, f) },
	}
	cmd.Flags().StringVar(&from, "dir", "", p.Say(text{"已停节点的目录，保留不动", "directory of the stopped node, which is left as it is"}))
	_ = cmd.MarkFlagRequired("dir") // fails for unknown flags only
	f.declare(p, cmd, "to")
	return cmd
}

// resync is a backup and a restore in one, by the keys that are still there.
func (p *program) resync(from string, f newNodeFlags) (err error) {
	dir, err := f.target()
	if err != nil {
		return err
	}
	genesis, err := signedGenesis(filepath.Join(from, genesisName))
	if err != nil {
		return err
	}
	pass, err := f.passphrases(p)
	if err != nil {
		return err
	}
	keys, self, err := loadKeys(from, pass.Keys)
	if err != nil {
		return err
	}
	path := dir + ".backup" // sealed, and gone when the new node is there
	if _, err := p.makeBackup(from, keys, self, path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	r := restoring{
		genesis: &genesis, signer: self.Node.Key.ID().String(), // it has just signed
		recovered: recovered{region: self.Region, decryption: keys.Decryption, added: keys.Spare.Decryption, idSecret: keys.IDSecret},
	}
	if r.common, err = commonLedger(from); err != nil {
		return err
	}
	return p.rebuild(f, dir, r, pass, path)
}

// commonLedger is up to where a forked node's ledger is surely the others' too:
// what enough regions have cosigned with its own root. It is nil when the node was
// not stopped by a fork.
func commonLedger(dir string) (*uint64, error) {
	r, err := witness.Check(filepath.Join(dir, witnessName))
	if err != nil || r.Halted != witness.HaltForked && r.Halted != witness.HaltRewritten {
		return nil, err
	}
	return &r.Witnessed, nil
}
