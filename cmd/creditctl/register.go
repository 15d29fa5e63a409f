package main

import (
	"context"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) registerCommand() *cobra.Command {
	load := &cobra.Command{
		Use:       "import firms|authorities|sources FILE",
		Short:     p.Say(text{"导入企业名录、处罚机关名录或来源计划", "import the register of firms or of authorities, or the source plan"}),
		ValidArgs: []string{exchange.RegisterFirms, exchange.RegisterAuthorities, exchange.RegisterSources},
		Args:      cobra.ExactArgs(2),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			if !slices.Contains(cmd.ValidArgs, args[0]) {
				return usageError(&message{Text: text{"名录只能是 firms、authorities 或 sources", "the register is firms, authorities or sources"}})
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
			load := func(ctx context.Context, file io.Reader) (httpapi.RegisterImport, error) {
				return c.ImportRegister(ctx, args[0], file)
			}
			if args[0] == exchange.RegisterSources {
				load = c.ImportSources
			}
			done, err := load(cmd.Context(), bar.read(f))
			bar.end()
			if err != nil {
				return err
			}
			return p.showImport(done)
		}),
	}
	return command.Group("register", p.Say(text{"名录", "registers"}), load, p.sourcesCommand())
}

func (p *program) sourcesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sources",
		Short: p.Say(text{"各来源的报送情况，逾期的标出", "what has come from each source, and who is overdue"}),
		Args:  cobra.NoArgs,
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, _ []string) error {
			for cursor := ""; ; {
				page, err := c.Sources(cmd.Context(), cursor)
				if err != nil {
					return err
				}
				if p.JSON {
					err = p.PrintJSON(page)
				} else {
					p.showSources(page.Items)
				}
				if cursor = page.Next; err != nil || cursor == "" {
					return err
				}
			}
		}),
	}
}

func (p *program) showSources(sources []httpapi.Source) {
	for _, s := range sources {
		p.print(text{"%s %s %s：%d 份，%d 行", "%s %s %s: %d files, %d rows"}, s.USCC, s.Name, s.Kind, s.Submissions, s.Rows)
		for _, f := range s.Findings {
			p.print(text{"  %s 已 %d 天（约定 %d 天）：%s", "  %s for %d days (%d agreed): %s"}, f.Rule, s.SilentDays, s.EveryDays, f.Hint)
		}
	}
}

// showImport tells what came of it; rows that were refused make it exit 1.
func (p *program) showImport(done httpapi.RegisterImport) error {
	if p.JSON {
		if err := p.PrintJSON(done); err != nil {
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
