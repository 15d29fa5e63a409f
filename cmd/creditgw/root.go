package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// commands lists the subcommands. A new one is added here and nowhere else.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.demoCommand(),
		p.initCommand(),
		p.genesisCommand(),
		p.tokenCommand(),
		p.memberCommand(),
		p.serveCommand(),
		p.configCommand(),
		p.checkCommand(),
		p.backupCommand(),
		p.restoreCommand(),
		p.resyncCommand(),
		p.selftestCommand(),
		p.benchCommand(),
		p.benchServerCommand(),
	}
}

func (p *program) execute(ctx context.Context, args []string) error {
	root := p.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return usageError(&message{
		text: text{"用法不对", "wrong usage"}, cause: err,
		hint: text{"creditgw --help 列出命令和选项", "creditgw --help lists commands and flags"},
	})
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use: "creditgw",
		Short: p.say(text{"信桥：区域间信用数据交换网关",
			"Xinqiao, the inter-regional credit data exchange gateway"}),
		Args:          cobra.NoArgs,
		SilenceErrors: true, // run prints them, once, in the right language
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	// languageOf has read --lang already; here it is declared for help and parsing.
	root.PersistentFlags().String("lang", p.say(text{"zh", "en"}),
		p.say(text{"语言：zh 或 en，默认取自 LANG", "language: zh or en, by default from LANG"}))
	root.PersistentFlags().BoolVar(&p.json, "json", false,
		p.say(text{"以 JSON 输出结果", "print the result as JSON"}))
	root.AddCommand(p.commands()...)
	separateUsage(root)
	if p.lang == chinese {
		root.SetUsageTemplate(chineseHeadings.Replace(root.UsageTemplate()))
	}
	return root
}

// separateUsage wraps what the commands themselves return, so that any other
// error that comes out of cobra is known to be one of usage.
func separateUsage(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			var exit *exitError
			if err == nil || errors.As(err, &exit) {
				return err
			}
			return &exitError{exitInvalid, err}
		}
	}
	for _, child := range cmd.Commands() {
		separateUsage(child)
	}
}

var chineseHeadings = strings.NewReplacer(
	"Usage:", "用法：",
	"Available Commands:", "命令：",
	"Examples:", "例子：",
	"Global Flags:", "通用选项：",
	"Flags:", "选项：",
	`Use "{{.CommandPath}} [command] --help" for more information about a command.`,
	`各命令的说明见 "{{.CommandPath}} [命令] --help"。`,
)

// group is a command that only holds others. Without a known one it is wrong
// usage, not a page of help and success.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return usageError(&message{
			text: text{"缺少子命令", "a subcommand is missing"},
			hint: text{cmd.CommandPath() + " --help", cmd.CommandPath() + " --help"},
		})
	}
	cmd.AddCommand(children...)
	return cmd
}

// printJSON writes one result for programs.
func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
