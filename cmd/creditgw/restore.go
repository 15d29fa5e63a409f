package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/backup"
	"github.com/xinqiao/creditgw/peers"
)

type restoreFlags struct {
	newNodeFlags
	genesis, recovery string
	signer            string // key id of a node key that is not the genesis's
}

func (p *program) restoreCommand() *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore --dir DIR --genesis GENESIS --recovery RECOVERY --addr HOST:PORT FILE",
		Short: p.Say(text{"用备份和恢复文件建一个新节点", "make a new node of a backup and the recovery file"}),
		Long: p.Say(text{
			"恢复出来的是新节点：新编号、新密钥，要由各地区批准（node-add，然后 promote）才能参加；账本从其他地区取得。\n备份之后受理而未入账的会丢失。",
			"What is restored is a new node: a new number and new keys. It takes part once the regions have approved it\n(node-add, then promote), and gets the ledger from them. What was accepted after the backup and had not\nreached the ledger is lost."}),
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.restore(f, args[0]) },
	}
	f.declare(p, cmd, "dir")
	flags := cmd.Flags()
	flags.StringVar(&f.genesis, "genesis", "", p.Say(text{"创世文件", "the genesis"}))
	flags.StringVar(&f.recovery, "recovery", "", p.Say(text{"恢复文件", "the recovery file"}))
	flags.StringVar(&f.signer, "signer", "", p.Say(text{"签备份的节点公钥编号（不是创世节点时才需要）", "id of the node key that signed the backup, if the node is not the genesis's"}))
	for _, name := range []string{"genesis", "recovery"} {
		_ = cmd.MarkFlagRequired(name) // fails for unknown flags only
	}
	return cmd
}

func (p *program) restore(f restoreFlags, path string) error {
	genesis, err := signedGenesis(f.genesis)
	if err != nil {
		return err
	}
	dir, err := f.target()
	if err != nil {
		return err
	}
	pass, err := f.passphrases(p)
	if err != nil {
		return err
	}
	old, err := openRecovery(f.recovery, pass.Recovery)
	if err != nil {
		return err
	}
	return p.rebuild(f.newNodeFlags, dir, restoring{genesis: &genesis, recovered: old, signer: f.signer}, pass, path)
}

// rebuild makes a new node in dir of a backup and what opens it.
func (p *program) rebuild(f newNodeFlags, dir string, r restoring, pass passphrases, path string) (err error) {
	// Everything is made beside its place, and gets its name when it is whole.
	temp := dir + ".restoring"
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	r.dir = temp
	if err := r.read(path); err != nil {
		return unusableBackup(err)
	}
	if err := r.private(p.now()); err != nil {
		return &message{Text: text{"备份不能用", "the backup can't be used"}, Cause: err}
	}
	member, err := p.restoredIdentity(&r, f, dir, pass)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Rename(temp, dir), durable.SyncDir(filepath.Dir(dir))); err != nil {
		return err
	}
	return p.reportRestore(dir, &r, member)
}

func unusableBackup(err error) error {
	m := &message{Text: text{"备份不能用", "the backup can't be used"}, Cause: err}
	switch {
	case errors.Is(err, backup.ErrDamaged):
		m.Hint = text{"恢复文件要是本地区的，而且是解密密钥最近一次更换之后的",
			"the recovery file has to be this region's, of the last rotation of its decryption key"}
	case errors.Is(err, backup.ErrSigner):
		m.Hint = text{"签名的节点不在创世文件里：核对后用 --signer 给出它的公钥编号，见 creditctl member list",
			"the node that has signed it is not in the genesis: name its key id with --signer, as creditctl member list shows it"}
	}
	return m
}

// restoredIdentity makes the keys of the new node, and writes them with what has
// to be proposed so that it may take part.
func (p *program) restoredIdentity(r *restoring, f newNodeFlags, dir string, pass passphrases) (peers.Member, error) {
	id := f.node
	if id == "" {
		_, number, _ := strings.Cut(r.manifest.Node, "-")
		n, err := strconv.Atoi(number)
		if err != nil {
			return peers.Member{}, err
		}
		id = peers.NodeID(r.manifest.Region, n+1)
	}
	keys, member, err := generateKeys(founderInfo{Region: r.manifest.Region, Name: r.lost.Name, Addr: f.addr}, p.rand)
	if err != nil {
		return member, err
	}
	keys.Decryption, keys.IDSecret = r.recovered.decryption, r.recovered.idSecret
	keys.Spare.Decryption = r.recovered.added
	member.Decryption, member.Node.ID = keys.Decryption.Public(), id
	if err := member.Validate(); err != nil {
		return member, usageError(&message{Text: text{"--node 不对", "--node is wrong"}, Cause: err})
	}
	if err := keys.write(r.dir, member, p.rand, pass); err != nil {
		return member, err
	}
	changes, err := replacement(r.genesis.LedgerID(), member, keys)
	if err != nil {
		return member, err
	}
	for name, change := range changes {
		raw, err := marshalIndent(change)
		if err == nil {
			err = createFile(filepath.Join(r.dir, name), raw, 0o644)
		}
		if err != nil {
			return member, err
		}
	}
	config := sampleConfig{Dir: dir, Addr: f.addr, HTTP: f.http, PassphraseFile: f.passphraseFile}
	if err := config.write(r.dir); err != nil {
		return member, err
	}
	return member, durable.SyncDir(r.dir)
}

// Files of the changes that let a new node in.
const (
	nodeAddName = "node-add.json"
	promoteName = "promote.json"
)

// replacement is what the regions have to decide: the new node comes in as a
// standby, and takes over, which ends the keys of the lost one.
func replacement(ledger sm.Digest, m peers.Member, keys *Keys) (map[string]peers.Change, error) {
	add, err := peers.Change{
		Change: peers.ChangeNodeAdd, Region: m.Region, Node: m.Node.ID, Role: "standby", Addr: m.Node.Addr, NodeKey: m.Node.Key.Bytes(),
	}.Prove(ledger, keys.Node)
	if err != nil {
		return nil, err
	}
	promote, err := peers.Change{
		Change: peers.ChangePromote, Region: m.Region, Node: m.Node.ID, BatchKey: m.Batch.Bytes(), WitnessKey: m.Witness.Bytes(),
	}.Prove(ledger, keys.Batch)
	return map[string]peers.Change{nodeAddName: add, promoteName: promote}, err
}

func (p *program) reportRestore(dir string, r *restoring, m peers.Member) error {
	if p.JSON {
		return p.PrintJSON(struct {
			Node     string            `json:"node"`
			Dir      string            `json:"dir"`
			Lost     string            `json:"lost_node"`
			Events   exchange.Position `json:"events"`
			Slots    uint64            `json:"slots"`
			Size     uint64            `json:"ledger_size"`
			Root     sm.Digest         `json:"root"`
			Proposed []string          `json:"to_propose"`
		}{
			m.Node.ID, dir, r.manifest.Node, r.events, r.nextSlot - 1, r.manifest.Size, r.manifest.Root,
			[]string{filepath.Join(dir, nodeAddName), filepath.Join(dir, promoteName)},
		})
	}
	_, err := fmt.Fprint(p.Out, p.Sayf(text{
		"节点 %s 已在 %s 建成，代替 %s：%d 个事件，备份时账本 %d 条、树根 %s\n" +
			"它要由各地区批准才能参加：\n  creditctl member propose %s\n  creditctl member propose %s\n" +
			"后一项生效时，丢失节点的密钥随之失效。批准之前请与其他地区核对公钥编号 %s\n",
		"made node %s in %s in the place of %s: %d events, the ledger was at %d with root %s\n" +
			"it takes part once the regions have approved:\n  creditctl member propose %s\n  creditctl member propose %s\n" +
			"the second ends the keys of the lost node. Before they approve, compare the key id %s with the other regions\n",
	}, m.Node.ID, dir, r.manifest.Node, r.events, r.manifest.Size, r.manifest.Root,
		filepath.Join(dir, nodeAddName), filepath.Join(dir, promoteName), m.Node.Key.ID()))
	return err
}
