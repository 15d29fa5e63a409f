package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

func (p *program) memberCommand() *cobra.Command {
	return command.Group("member", p.Say(text{"成员、密钥与规则的变更", "changes of members, keys and rules"}),
		p.memberPropose(), p.memberApprove(), p.memberList(), p.memberProof(), p.memberDoubtful())
}

// maxChangeFile bounds a file that creditgw member writes.
const maxChangeFile = 16 << 10

func (p *program) memberPropose() *cobra.Command {
	var c peers.Change
	var kind, region, keyID string
	cmd := &cobra.Command{
		Use:   "propose [FILE]",
		Short: p.Say(text{"提议一项变更，本地区即算一票", "propose a change; this region counts as one"}),
		Long: p.Say(text{
			"带新公钥的变更（join、key-add、node-add、promote）由 creditgw member 写成文件，其余用选项写明。",
			"Changes that bring a key (join, key-add, node-add, promote) are files that creditgw member writes; the others are said by flags."}),
		Example: "  creditctl member propose join.json\n  creditctl member propose --change stage --region 150000 --stage voter\n" +
			"  creditctl member propose --change key-revoke --region 120000 --purpose batch --key-id 0123… --suspect-from 5100",
		Args: cobra.MaximumNArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, client *httpapi.Client, args []string) error {
			c.Change, c.Region = peers.ChangeKind(kind), peers.Region(region)
			if err := p.readChange(&c, keyID, args); err != nil {
				return err
			}
			entry, err := client.Propose(cmd.Context(), c)
			if err != nil || p.JSON {
				return firstError(err, func() error { return p.PrintJSON(entry) })
			}
			p.print(text{"已受理，入账后各地区可以批准（creditctl member list 查看）", "accepted; once it is on the ledger the regions may approve it (see creditctl member list)"})
			return nil
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "change", "", p.Say(text{"stage、leave、key-retire、key-revoke、node-remove、policy 或 activate", "stage, leave, key-retire, key-revoke, node-remove, policy or activate"}))
	flags.StringVar(&region, "region", "", p.Say(text{"地区", "region"}))
	flags.StringVar(&c.Stage, "stage", "", p.Say(text{"verified 或 voter", "verified or voter"}))
	flags.StringVar(&c.Purpose, "purpose", "", p.Say(text{"node、batch、decryption、witness 或 agency", "node, batch, decryption, witness or agency"}))
	flags.StringVar(&keyID, "key-id", "", p.Say(text{"公钥编号，32 位十六进制", "key id, 32 hexadecimal digits"}))
	flags.Uint64Var(&c.SuspectFrom, "suspect-from", 0, p.Say(text{"从哪一条起可疑", "leaf index from which on it is suspect"}))
	flags.StringVar(&c.Node, "node", "", p.Say(text{"节点编号", "node id"}))
	flags.IntVar(&c.Cosignatures, "cosignatures", 0, p.Say(text{"见证所需的地区数，0 为默认", "regions that make a checkpoint witnessed, 0 for the default"}))
	flags.StringVar(&c.Format, "format", "", p.Say(text{"格式名", "name of the format"}))
	return cmd
}

// readChange completes a change from flags, or takes all of it from a file.
func (p *program) readChange(c *peers.Change, keyID string, args []string) error {
	if keyID != "" {
		var id sm.KeyID
		if id.UnmarshalText([]byte(keyID)) != nil {
			return usageError(&message{Text: text{"--key-id 应为 32 位十六进制", "--key-id is 32 hexadecimal digits"}})
		}
		c.KeyID = id[:]
	}
	switch {
	case len(args) == 0 && c.Change == "":
		return usageError(&message{Text: text{"需要变更文件或 --change", "a file or --change is needed"}})
	case len(args) == 0:
		return nil
	case c.Change != "":
		return usageError(&message{Text: text{"文件与 --change 只能用一个", "a file or --change, not both"}})
	}
	raw, err := readAtMost(args[0], maxChangeFile)
	if err != nil {
		return usageError(&message{Text: text{"读不到变更文件", "can't read the change file"}, Cause: err})
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil || decoder.More() {
		return &message{Text: text{"不是变更文件", "not a file of a change"}, Cause: err,
			Hint: text{"由 creditgw member 生成", "creditgw member writes one"}}
	}
	return nil
}

func readAtMost(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return raw, err
}

func (p *program) memberApprove() *cobra.Command {
	var digest string
	cmd := &cobra.Command{
		Use:   "approve INDEX --digest DIGEST",
		Short: p.Say(text{"批准一项提议", "approve a proposal"}),
		Long: p.Say(text{
			"INDEX 和 DIGEST 见 creditctl member list。先用电话等另一途径与对方核对新公钥。",
			"INDEX and DIGEST are those of creditctl member list. Compare new keys with their owner by another way first, such as by phone."}),
		Args: cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, client *httpapi.Client, args []string) error {
			index, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usageError(&message{Text: text{"INDEX 应为条目号", "INDEX is a leaf index"}})
			}
			want, err := sm.ParseDigest(digest)
			if err != nil {
				return usageError(&message{Text: text{"--digest 应为 64 位小写十六进制", "--digest is 64 lower-case hexadecimal digits"}})
			}
			entry, err := client.Approve(cmd.Context(), index, want)
			if err != nil || p.JSON {
				return firstError(err, func() error { return p.PrintJSON(entry) })
			}
			p.print(text{"已受理：批准第 %d 条的提议", "accepted: approval of the proposal at leaf %d"}, index)
			return nil
		}),
	}
	cmd.Flags().StringVar(&digest, "digest", "", p.Say(text{"提议的摘要", "digest of the proposal"}))
	_ = cmd.MarkFlagRequired("digest") // it fails for an unknown flag only
	return cmd
}

// memberView is what member list prints for programs.
type memberView struct {
	httpapi.Members
	Proposals []httpapi.ProposalView `json:"proposals"`
}

func (p *program) memberList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: p.Say(text{"成员、节点、密钥和待批准的提议", "members, nodes, keys and open proposals"}),
		Args:  cobra.NoArgs,
		RunE: p.calling(func(cmd *cobra.Command, client *httpapi.Client, _ []string) error {
			members, err := client.Members(cmd.Context())
			if err != nil {
				return err
			}
			proposals, err := client.Proposals(cmd.Context())
			if err != nil || p.JSON {
				return firstError(err, func() error { return p.PrintJSON(memberView{members, proposals.Items}) })
			}
			return p.showMembers(members, proposals.Items)
		}),
	}
}

func (p *program) memberProof() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "proof",
		Short: p.Say(text{"取得成员文件，用来离线核验证据", "get the members file, by which evidence is verified offline"}),
		Long: p.Say(text{
			"成员文件含全部成员的公钥及其起止，自创世文件起可证，不必相信给出它的地区。\n证据由后加入的地区或轮换后的密钥签名时，用 creditctl verify --members 核验。",
			"The members file has the keys of all members and when they were good. It proves\nitself from the genesis: whoever gives it need not be believed. Evidence signed by\nregions or keys that came later is checked with creditctl verify --members."}),
		Example: "  creditctl member proof -o members.proof\n  creditctl verify evidence/20260506T015900Z-two-roots-42-150000.json --genesis genesis.json --members members.proof",
		Args:    cobra.NoArgs,
		RunE: p.calling(func(cmd *cobra.Command, client *httpapi.Client, _ []string) error {
			file, err := client.MembersProof(cmd.Context())
			if err != nil {
				return err
			}
			return p.putFile(output, file)
		}),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", p.Say(text{"写入的文件；缺省为标准输出", "file to write; standard output by default"}))
	return cmd
}

func (p *program) showMembers(m httpapi.Members, open []httpapi.ProposalView) error {
	p.print(text{"账本 %d 条：批准需 %d 家，见证需 %d 家", "ledger of %d entries: %d approve, %d witness"}, m.LedgerSize, m.Approvals, m.Cosignatures)
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	for _, r := range m.Regions {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Region, r.Name, p.Say(stageTexts[r.Stage]))
		for _, n := range m.Nodes {
			if n.Region == r.Region {
				fmt.Fprintf(table, "  %s\t%s\t%s\n", n.Node, n.Addr, p.Say(roleTexts[n.Role]))
			}
		}
		for _, k := range r.Keys {
			state := p.Say(text{"在用", "in force"})
			switch {
			case k.Revoked:
				state = p.Sayf(text{"第 %d 条起撤销，第 %d 条起可疑", "revoked at leaf %d, doubtful from leaf %d"}, k.Until, k.SuspectFrom)
			case k.Until != 0:
				state = p.Sayf(text{"自第 %d 条起停用", "ended at leaf %d"}, k.Until)
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\n", k.Purpose, k.KeyID, state)
		}
	}
	for _, n := range m.Nodes {
		if n.Role == peers.RoleTieBreaker.String() {
			fmt.Fprintf(table, "%s\t%s\t%s\n", n.Node, n.Addr, p.Say(roleTexts[n.Role]))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, o := range open {
		approved := make([]string, len(o.Approved))
		for i, r := range o.Approved {
			approved[i] = r.String()
		}
		p.print(text{"待批准：第 %d 条 %s %s，已批准 %s，还需 %d 家", "open: leaf %d, %s %s, approved by %s, %d more needed"},
			o.Index, o.Change.Change, o.Change.Region, strings.Join(approved, " "), o.Missing)
		p.print(text{"  creditctl member approve %d --digest %s", "  creditctl member approve %d --digest %s"}, o.Index, o.Digest)
	}
	return nil
}

var stageTexts = map[string]text{
	"observer": {"观察", "observer"},
	"verified": {"已验证", "verified"},
	"voter":    {"表决", "voter"},
	"left":     {"已退出", "left"},
}

var roleTexts = map[string]text{
	"active":      {"现用", "active"},
	"standby":     {"备用", "standby"},
	"tie-breaker": {"仲裁", "tie-breaker"},
}
