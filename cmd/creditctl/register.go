package main

import (
	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) registerCommand() *cobra.Command {
	load := &cobra.Command{
		Use:       "import firms|authorities FILE",
		Short:     p.say(text{"导入企业名录或处罚机关名录", "import the register of firms or of authorities"}),
		ValidArgs: []string{exchange.RegisterFirms, exchange.RegisterAuthorities},
		Args:      cobra.ExactArgs(2),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			if args[0] != exchange.RegisterFirms && args[0] != exchange.RegisterAuthorities {
				return usageError(&message{text: text{"名录只能是 firms 或 authorities", "the register is firms or authorities"}})
			}
			f, err := openFile(args[1])
			if err != nil {
				return err
			}
			defer f.Close()
			// The bar is for files of firms, which can be large.
			info, err := f.Stat()
			if err != nil {
				return err
			}
			bar := p.progress(info.Size(), info.Name())
			done, err := c.ImportRegister(cmd.Context(), args[0], bar.read(f))
			bar.end()
			if err != nil {
				return err
			}
			return p.showImport(done)
		}),
	}
	return group("register", p.say(text{"名录", "registers"}), load)
}

// showImport tells what came of it; rows that were refused make it exit 1.
func (p *program) showImport(done httpapi.RegisterImport) error {
	if p.json {
		if err := p.printJSON(done); err != nil {
			return err
		}
	} else {
		p.print(text{"%s：%d 行，导入 %d", "%s: %d rows, %d imported"}, done.Register, done.Rows, done.Accepted)
		for _, f := range done.Findings[:min(shownFindings, len(done.Findings))] {
			p.print(text{"  第%d行 %s %s %s", "  row %d %s %s %s"}, f.Row, f.Rule, f.Message, f.Hint)
		}
	}
	if done.Accepted < done.Rows {
		return notValid
	}
	return nil
}
