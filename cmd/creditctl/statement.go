package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/schemas/ident"
)

// statementPoll is how often a statement is asked for while it is waited for.
const statementPoll = time.Second

func (p *program) statementCommand() *cobra.Command {
	var output string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "statement USCC",
		Short: p.Say(text{"取得本地区对一个主体持有哪些记录（或没有）的表态", "get what this region states that it holds of a subject, or that it holds nothing"}),
		Long: p.Say(text{
			"表态是一个 JSON 文件，用 creditctl verify 离线核验：该地区在账本的某一点上，对该主体\n恰好持有所列记录。它不能证明该地区知道一切，也不是无违法违规证明。\n首次询问的主体要等下一次锚定和见证，通常数秒。",
			"A statement is one JSON file that creditctl verify checks offline: at one point of\nthe ledger the region held exactly the records listed. It does not prove that the\nregion knows all. A subject asked for the first time waits for the next anchor\nand its witnesses, usually seconds."}),
		Example: "  creditctl statement 91110101MA8H84F153 -o statement.json\n  creditctl verify statement.json --genesis genesis.json",
		Args:    cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			if ident.CheckUSCC(args[0]) != nil {
				return usageError(&message{Text: text{"统一社会信用代码校验不通过", "the unified social credit code fails its check"}})
			}
			file, err := p.awaitStatement(cmd.Context(), c, args[0], wait)
			if err != nil {
				return err
			}
			return p.putFile(output, file)
		}),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", p.Say(text{"写入的文件；缺省为标准输出", "file to write; standard output by default"}))
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, p.Say(text{"最长等待", "how long to wait at most"}))
	return cmd
}

func (p *program) awaitStatement(ctx context.Context, c *httpapi.Client, uscc string, wait time.Duration) ([]byte, error) {
	for until := p.now().Add(wait); ; {
		file, err := c.Statement(ctx, uscc)
		if err != nil || file != nil {
			return file, err
		}
		if p.now().After(until) {
			return nil, &message{Text: text{"尚未锚定或见证", "not anchored or not witnessed yet"},
				Hint: text{"稍后再执行同一命令", "run the same command again later"}}
		}
		select {
		case <-time.After(statementPoll):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
