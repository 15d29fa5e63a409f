package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/consensus/durable"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/peers"
)

func (p *program) genesisCommand() *cobra.Command {
	return command.Group("genesis", p.Say(text{"建立账本：合并成员，逐家签名", "found a ledger: join the members, sign one after the other"}),
		p.genesisJoinCommand(), p.genesisSignCommand())
}

func (p *program) genesisJoinCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "join member.json… -o genesis.json",
		Short: p.Say(text{"把各家的 member.json 合并成创世文件", "join the founders' member.json into a genesis"}),
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return p.genesisJoin(args, out) },
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", p.Say(text{"创世文件", "the genesis file"}))
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

func (p *program) genesisJoin(files []string, out string) error {
	if _, err := os.Lstat(out); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return usageError(&message{Text: text{out + " 已存在，不会覆盖", out + " exists and is not overwritten"}})
	}
	var members []peers.Member
	for _, path := range files {
		b, err := readLimited(path, peers.MaxMemberFile)
		if err != nil {
			return cannotRead(path, err)
		}
		m, err := peers.ParseMember(b)
		if err != nil {
			return invalidFile(path, err)
		}
		members = append(members, m)
	}
	g, err := peers.Join(members)
	if err != nil {
		return &message{Text: text{"这些成员不能合并", "these members cannot be joined"}, Cause: err}
	}
	if err := writeGenesis(out, g); err != nil {
		return err
	}
	return p.reportGenesis(out, g)
}

func (p *program) genesisSignCommand() *cobra.Command {
	var dir, passphraseFile string
	cmd := &cobra.Command{
		Use:   "sign --dir DIR genesis.json",
		Short: p.Say(text{"核对本家的内容并加上本家的签名（原地）", "check one's own member and add one's signature, in place"}),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.genesisSign(dir, passphraseFile, args[0])
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", p.Say(text{"节点目录", "directory of the node"}))
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", p.Say(text{
		"密钥口令文件（或环境变量 CREDITGW_PASSPHRASE，或终端输入）",
		"file with the passphrase of the keys (or CREDITGW_PASSPHRASE, or asked for)"}))
	_ = cmd.MarkFlagRequired("dir")
	return cmd
}

func (p *program) genesisSign(dir, passphraseFile, path string) error {
	g, err := readGenesis(path)
	if err != nil {
		return err
	}
	if err := g.Check(); err != nil {
		return invalidFile(path, err)
	}
	own, err := loadMember(dir)
	if err != nil {
		return err
	}
	if err := checkOwn(g, own); err != nil {
		return err
	}
	passphrase, err := p.passphrase(keyPassphrase(passphraseFile))
	if err != nil {
		return err
	}
	key, err := loadBatchKey(dir, passphrase)
	if err != nil {
		return err
	}
	if g, err = g.Sign(own.Region, key); err != nil {
		return err
	}
	if err := writeGenesis(path, g); err != nil {
		return err
	}
	return p.reportGenesis(path, g)
}

// checkOwn demands that the genesis says of us what we say ourselves: whoever
// joined it could have put in another address or key.
func checkOwn(g peers.Genesis, own peers.Member) error {
	in, ok := g.Member(own.Region)
	if !ok {
		return &message{Text: text{
			"创世文件里没有地区 " + own.Region.String(), "region " + own.Region.String() + " is not in the genesis"}}
	}
	if !in.Equal(own) {
		return &message{
			Text: text{"创世文件里本地区的内容与 member.json 不同，不签", "the genesis differs from our own member.json: not signed"},
			Hint: text{"向合并的一方索要按您的 member.json 重做的创世文件", "ask whoever joined it for one made from your member.json"},
		}
	}
	return nil
}

func readGenesis(path string) (peers.Genesis, error) {
	b, err := readLimited(path, peers.MaxGenesisFile)
	if err != nil {
		return peers.Genesis{}, cannotRead(path, err)
	}
	g, err := peers.ParseGenesis(b)
	if err != nil {
		return peers.Genesis{}, invalidFile(path, err)
	}
	return g, nil
}

// signedGenesis reads a genesis that every founder has signed.
func signedGenesis(path string) (peers.Genesis, error) {
	g, err := readGenesis(path)
	if err == nil {
		err = g.Verify()
	}
	return g, err
}

func writeGenesis(path string, g peers.Genesis) error {
	b, err := g.MarshalFile()
	if err != nil {
		return err
	}
	if err := durable.Replace(path, b, 0o644); err != nil {
		return &message{Text: text{"写不了 " + path, "cannot write " + path}, Cause: err}
	}
	return nil
}

func (p *program) reportGenesis(path string, g peers.Genesis) error {
	missing := g.Unsigned()
	if p.JSON {
		return p.PrintJSON(struct {
			File    string         `json:"file"`
			Ledger  sm.Digest      `json:"ledger"`
			K       int            `json:"k"`
			Members int            `json:"members"`
			Missing []peers.Region `json:"missing"`
		}{path, g.LedgerID(), g.K, len(g.Members), append([]peers.Region{}, missing...)})
	}
	_, err := fmt.Fprint(p.Out, p.Sayf(text{
		"%s：账本 %s，%d 家成员，见证需 %d 家\n",
		"%s: ledger %s, %d members, witnessed by %d\n",
	}, path, g.LedgerID(), len(g.Members), g.K))
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		_, err = fmt.Fprintln(p.Out, p.Say(text{
			"各家都已签名：把它放到每个节点目录下，名为 genesis.json",
			"signed by every founder: put it into each node's directory as genesis.json"}))
		return err
	}
	names := make([]string, len(missing))
	for i, r := range missing {
		names[i] = r.String()
	}
	_, err = fmt.Fprintln(p.Out, p.Say(text{"尚未签名：", "not signed yet by: "})+strings.Join(names, " ")+"\n"+
		p.Say(text{"各家先用电话等另一途径核对账本编号相同", "compare the ledger id with the others by another way, such as by phone"}))
	return err
}

func cannotRead(path string, err error) error {
	return &message{Text: text{"读不了 " + path, "cannot read " + path}, Cause: err}
}

func invalidFile(path string, err error) error {
	return &message{Text: text{path + " 无效", path + " is not valid"}, Cause: err}
}
