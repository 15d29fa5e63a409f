package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

// Files of changes, beside those of restore.go.
const (
	joinName       = "join.json"
	tieBreakerName = "tie-breaker.json"
)

func (p *program) memberCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: p.Say(text{"写出要由各地区批准的变更：加入、换钥、仲裁节点", "write changes that the regions have to approve: joining, a new key, a tie-breaker"}),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError(&message{Text: text{"缺少子命令", "a subcommand is missing"}})
		},
	}
	cmd.AddCommand(
		p.changeCommand("join", text{"本地区申请加入（先 init，再把 genesis.json 放进目录）", "this region asks to join (after init, with genesis.json in the directory)"}, p.memberJoin),
		p.changeCommand("tie-breaker", text{"本目录的节点作为仲裁节点", "the node of this directory becomes the tie-breaker"}, p.memberTieBreaker),
		p.keyAddCommand())
	return cmd
}

// changeCommand is a command that signs one change with the keys of a
// directory.
func (p *program) changeCommand(use string, short text, run func(dir, passphraseFile string) error) *cobra.Command {
	var dir, passphraseFile string
	cmd := &cobra.Command{
		Use: use + " --dir DIR", Short: p.Say(short), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return run(dir, passphraseFile) },
	}
	p.keyFlags(cmd, &dir, &passphraseFile)
	return cmd
}

func (p *program) keyFlags(cmd *cobra.Command, dir, passphraseFile *string) {
	cmd.Flags().StringVar(dir, "dir", "", p.Say(text{"节点目录", "directory of the node"}))
	cmd.Flags().StringVar(passphraseFile, "passphrase-file", "", p.Say(text{
		"密钥口令文件（或环境变量 CREDITGW_PASSPHRASE，或终端输入）",
		"file with the passphrase of the keys (or CREDITGW_PASSPHRASE, or asked for)"}))
	_ = cmd.MarkFlagRequired("dir")
}

// unlocked opens what a change is made from: the ledger, the keys and the
// passphrase that they are under.
func (p *program) unlocked(dir, passphraseFile string) (ledger sm.Digest, keys *Keys, self peers.Member, pass []byte, err error) {
	genesis, err := signedGenesis(filepath.Join(dir, genesisName))
	if err != nil {
		return ledger, nil, self, nil, err
	}
	if pass, err = p.passphrase(keyPassphrase(passphraseFile)); err != nil {
		return ledger, nil, self, nil, err
	}
	keys, self, err = loadKeys(dir, pass)
	return genesis.LedgerID(), keys, self, pass, err
}

func (p *program) memberJoin(dir, passphraseFile string) error {
	ledger, keys, m, _, err := p.unlocked(dir, passphraseFile)
	if err != nil {
		return err
	}
	change, err := peers.Change{
		Change: peers.ChangeJoin, Region: m.Region, Name: m.Name, Node: m.Node.ID, Addr: m.Node.Addr, NodeKey: m.Node.Key.Bytes(),
		BatchKey: m.Batch.Bytes(), DecryptionKey: m.Decryption.Bytes(), WitnessKey: m.Witness.Bytes(),
	}.Prove(ledger, keys.Batch)
	if err != nil {
		return err
	}
	return p.writeChange(filepath.Join(dir, joinName), change, keyIDs(m))
}

func (p *program) memberTieBreaker(dir, passphraseFile string) error {
	ledger, keys, m, _, err := p.unlocked(dir, passphraseFile)
	if err != nil {
		return err
	}
	change, err := peers.Change{
		Change: peers.ChangeNodeAdd, Region: m.Region, Node: m.Node.ID, Role: peers.RoleTieBreaker.String(), Addr: m.Node.Addr,
		NodeKey: m.Node.Key.Bytes(),
	}.Prove(ledger, keys.Node)
	if err != nil {
		return err
	}
	return p.writeChange(filepath.Join(dir, tieBreakerName), change, map[string]sm.KeyID{"node": m.Node.Key.ID()})
}

func (p *program) keyAddCommand() *cobra.Command {
	var dir, passphraseFile, recoveryFile, purpose string
	cmd := &cobra.Command{
		Use: "key-add --dir DIR --purpose batch",
		Short: p.Say(text{"生成一把新钥，放在旧钥旁边；批准后运行中的节点自行启用，再用 key-retire 停用旧钥",
			"make a new key beside the old one; the running node uses it once it is approved, and key-retire then ends the old one"}),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.keyAdd(dir, passphraseFile, recoveryFile, purpose) },
	}
	p.keyFlags(cmd, &dir, &passphraseFile)
	cmd.Flags().StringVar(&purpose, "purpose", "", p.Say(text{"node、batch、decryption 或 witness", "node, batch, decryption or witness"}))
	cmd.Flags().StringVar(&recoveryFile, "recovery-passphrase-file", "", p.Say(text{
		"新恢复文件的口令文件（decryption）", "file with the passphrase of the new recovery file (decryption)"}))
	_ = cmd.MarkFlagRequired("purpose")
	return cmd
}

func (p *program) keyAdd(dir, passphraseFile, recoveryFile, purpose string) error {
	ledger, keys, m, pass, err := p.unlocked(dir, passphraseFile)
	if err != nil {
		return err
	}
	change := peers.Change{Change: peers.ChangeKeyAdd, Region: m.Region, Purpose: purpose}
	var file []byte
	var id sm.KeyID
	switch purpose {
	case "node":
		change.Node = m.Node.ID
		change, file, id, err = added[sm.Node](p, change, ledger, pass)
	case "batch":
		change, file, id, err = added[sm.Batch](p, change, ledger, pass)
	case "witness":
		change, file, id, err = added[sm.Witness](p, change, ledger, pass)
	case "decryption":
		var k *sm.DecryptionKey
		if k, err = sm.GenerateDecryption(p.rand); err != nil {
			return err
		}
		keys.Spare.Decryption = append(keys.Spare.Decryption, k)
		if err := p.renewRecovery(dir, keys, m.Region, recoveryFile); err != nil {
			return err
		}
		change.Key, id = k.Public().Bytes(), k.Public().ID()
		// It can't sign: the batch key vouches for it, the last that was added.
		batches := keys.batches()
		if change, err = change.Prove(ledger, batches[len(batches)-1]); err == nil {
			file, err = k.MarshalPEM(pass)
		}
	default:
		return usageError(&message{Text: text{"--purpose 应为 node、batch、decryption 或 witness", "--purpose takes node, batch, decryption or witness"}})
	}
	if err != nil {
		return err
	}
	// The key is on disk before anyone hears of it.
	if err := createFile(filepath.Join(dir, spareName(purpose, id)), file, 0o600); err != nil {
		return err
	}
	if err := durable.SyncDir(filepath.Join(dir, keysName)); err != nil {
		return err
	}
	return p.writeChange(filepath.Join(dir, fmt.Sprintf("key-add-%s.json", purpose)), change, map[string]sm.KeyID{purpose: id})
}

// renewRecovery writes the recovery file anew, before anything can be sealed to
// a key that the one in the safe lacks.
func (p *program) renewRecovery(dir string, keys *Keys, r peers.Region, passphraseFile string) error {
	pass, err := p.newPassphrase(recoveryPassphrase(passphraseFile))
	if err != nil {
		return err
	}
	raw, err := keys.recoveryFile(r, p.rand, pass)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, recoveryName)
	if err := durable.Replace(path, raw, 0o600); err != nil {
		return err
	}
	_, err = fmt.Fprint(p.Err, p.Sayf(text{
		"新的恢复文件在 %s：离线保存，代替旧的；新钥启用后的备份，旧的打不开\n",
		"the new recovery file is %s: keep it offline in the place of the old one, which does not open backups made once the new key is in force\n"}, path))
	return err
}

// added makes a signing key and the change that brings it in, signed by itself.
func added[R sm.Role](p *program, c peers.Change, ledger sm.Digest, pass []byte) (peers.Change, []byte, sm.KeyID, error) {
	k, err := sm.Generate[R](p.rand)
	if err != nil {
		return c, nil, sm.KeyID{}, err
	}
	c.Key = k.Public().Bytes()
	if c, err = c.Prove(ledger, k); err != nil {
		return c, nil, sm.KeyID{}, err
	}
	file, err := k.MarshalPEM(pass)
	return c, file, k.Public().ID(), err
}

// writeChange puts the change where the operator of a voter can propose it.
func (p *program) writeChange(path string, c peers.Change, ids map[string]sm.KeyID) error {
	raw, err := marshalIndent(c)
	if err != nil {
		return err
	}
	if err := durable.Replace(path, raw, 0o644); err != nil {
		return err
	}
	if p.JSON {
		return p.PrintJSON(struct {
			File string              `json:"file"`
			Keys map[string]sm.KeyID `json:"keys"`
		}{path, ids})
	}
	for _, purpose := range []string{"node", "batch", "decryption", "witness"} {
		if id, ok := ids[purpose]; ok {
			fmt.Fprintf(p.Out, "%s\t%s\n", purpose, id)
		}
	}
	_, err = fmt.Fprint(p.Out, p.Sayf(text{
		"把 %s 交给一个有表决权的地区：creditctl member propose\n批准之前请各地区与您核对以上公钥编号\n",
		"give %s to a region that votes: creditctl member propose\nbefore they approve, the regions compare the key ids above with you\n",
	}, path))
	return err
}

// checkFounder refuses a genesis that has other keys of this node. A node that
// is not in it must be let in by the regions.
func checkFounder(g *peers.Genesis, self peers.Member) error {
	m, ok := g.Member(self.Region)
	if ok && m.Node.ID == self.Node.ID && (!m.Node.Key.Equal(self.Node.Key) || !m.Batch.Equal(self.Batch)) {
		return &message{Text: text{"创世文件里本节点的密钥不同", "the genesis has other keys of this node"},
			Hint: text{"目录不对？", "is it the right directory?"}}
	}
	return nil
}
