package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) receiptCommand() *cobra.Command {
	var output string
	var disclose bool
	cmd := &cobra.Command{
		Use:   "receipt ID",
		Short: p.Say(text{"取得一条记录的凭证，供任何人离线核验", "get a record's receipt, which anyone can verify offline"}),
		Long: p.Say(text{
			"凭证是一个 JSON 文件，用 creditctl verify 离线核验。\n见证之前取得的是暂时凭证；本地记录的凭证是本地区签名的回执。\n带 --disclose 时附上记录内容，交给谁由您决定。",
			"A receipt is one JSON file; creditctl verify checks it offline. Before the record\nis witnessed it is provisional; a home record's is a ticket signed by its region.\nWith --disclose the record's content is in it: whom you give it to is up to you."}),
		Example: "  creditctl receipt ID -o receipt.json\n  creditctl verify receipt.json --genesis genesis.json",
		Args:    cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			id, err := sm.ParseDigest(args[0])
			if err != nil {
				return usageError(&message{Text: text{"ID 应为 64 位十六进制", "ID is 64 hexadecimal digits"}})
			}
			file, err := c.Receipt(cmd.Context(), id, disclose)
			if err != nil {
				return err
			}
			return p.putFile(output, file)
		}),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", p.Say(text{"写入的文件；缺省为标准输出", "file to write; standard output by default"}))
	cmd.Flags().BoolVar(&disclose, "disclose", false, p.Say(text{"附上记录内容", "with the record's content"}))
	return cmd
}

// putFile writes bytes to a file, or as they are to standard output.
func (p *program) putFile(name string, raw []byte) error {
	if name == "" {
		_, err := p.Out.Write(raw)
		return err
	}
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		return &message{Text: text{"写不了文件", "can't write the file"}, Cause: err}
	}
	return nil
}
