package main

import (
	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) memberDoubtful() *cobra.Command {
	var from uint64
	cmd := &cobra.Command{
		Use:   "doubtful",
		Short: p.Say(text{"被撤销的密钥在可疑期内签署的条目", "what revoked keys have signed in the time that they are suspected of"}),
		Long: p.Say(text{
			"逐页读取、逐条打印；--json 时每行一个对象。条目仍在账本上，是否属实须向来源地区核实。\n登记或停用单位公钥的条目写明是谁的公钥、是否在用：地区密钥撤销后，这些公钥仍然有效。\n单位的签名在密封内容里：本地区能打开的才会列出，来源地区能列出自己的全部。",
			"Read page by page and printed as it comes; with --json one object a line. The\nentries stay on the ledger: ask their origin whether they are true. Those that\nregister or retire an agency's key say whose it is and whether it is in force,\nwhich it stays when the region's key is revoked. What an agency has signed is\nsealed: listed is what this region can open; the origin can list all of its own."}),
		Args: cobra.NoArgs,
		RunE: p.calling(func(cmd *cobra.Command, client *httpapi.Client, _ []string) error {
			return p.listDoubtful(cmd, client, from)
		}),
	}
	cmd.Flags().Uint64Var(&from, "from", 0, p.Say(text{"从哪一条起", "leaf index to begin with"}))
	return cmd
}

func (p *program) listDoubtful(cmd *cobra.Command, client *httpapi.Client, from uint64) error {
	found := 0
	for more := true; more; {
		page, err := client.Doubtful(cmd.Context(), from)
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			if err := p.showDoubtful(e); err != nil {
				return err
			}
		}
		found += len(page.Items)
		if from, more, err = following(page.Next, from); err != nil {
			return err
		}
	}
	if !p.JSON {
		p.print(text{"存疑条目 %d 条", "%d entries are in doubt"}, found)
	}
	return nil
}

func (p *program) showDoubtful(e httpapi.DoubtfulEntry) error {
	if p.JSON {
		return p.PrintJSON(e)
	}
	p.print(text{
		"第 %d 条  来源 %s  批次 %d 第 %d 项  %s  %s 密钥 %s  %s",
		"leaf %d  origin %s  batch %d item %d  %s  %s key %s  %s"},
		e.Index, e.Origin, e.Seq, e.Item, e.Kind, e.Purpose, e.KeyID, e.ID)
	if k := e.AgencyKey; k != nil {
		p.print(text{"  单位 %s %s  公钥 %s  %s", "  agency %s %s  key %s  %s"}, k.USCC, k.Name, k.KeyID, p.keyState(k))
	}
	return nil
}
