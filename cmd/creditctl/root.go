package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/exchange/httpapi"
)

// commands lists the verbs. A new one is added here and nowhere else.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.submitCommand(),
		p.canonicalCommand(),
		p.agencyCommand(),
		p.memberCommand(),
		p.recordCommand(),
		p.eraseCommand(),
		p.receiptCommand(),
		p.statementCommand(),
		p.verifyCommand(),
		p.auditCommand(),
		p.registerCommand(),
		p.remindersCommand(),
		p.statusCommand(),
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
		hint: text{"creditctl --help 列出命令和选项", "creditctl --help lists commands and flags"},
	})
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "creditctl",
		Short:         p.say(text{"信桥网关的命令行", "command line of the Xinqiao gateway"}),
		Args:          cobra.NoArgs,
		SilenceErrors: true, // run prints them, once, in the right language
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(p.out)
	root.SetErr(p.err)
	flags := root.PersistentFlags()
	// languageOf has read --lang already; here it is declared for help and parsing.
	flags.String("lang", p.code(), p.say(text{"语言：zh 或 en，默认取自 LANG", "language: zh or en, by default from LANG"}))
	flags.BoolVar(&p.json, "json", false, p.say(text{"以 JSON 输出结果", "print the result as JSON"}))
	flags.StringVar(&p.url, "url", p.fallback("CREDITCTL_URL", "http://127.0.0.1:8600"),
		p.say(text{"网关地址，也可用 CREDITCTL_URL", "address of the gateway, or CREDITCTL_URL"}))
	flags.StringVar(&p.tokenFile, "token-file", p.env("CREDITCTL_TOKEN_FILE"),
		p.say(text{"存放令牌的文件，也可用 CREDITCTL_TOKEN_FILE", "file that holds the token, or CREDITCTL_TOKEN_FILE"}))
	root.AddCommand(p.commands()...)
	separateUsage(root)
	if p.lang == chinese {
		root.SetUsageTemplate(chineseHeadings.Replace(root.UsageTemplate()))
	}
	return root
}

func (p *program) fallback(name, value string) string {
	if v := p.env(name); v != "" {
		return v
	}
	return value
}

// maxTokenFile bounds what is read as a token.
const maxTokenFile = 4 << 10

// client is the API of the gateway as the caller of this command line.
func (p *program) client() (*httpapi.Client, error) {
	target, err := url.Parse(p.url)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, usageError(&message{text: text{"--url 不是 http 或 https 地址", "--url is not an http or https address"},
			hint: text{"例如 --url http://127.0.0.1:8600", "such as --url http://127.0.0.1:8600"}})
	}
	if p.tokenFile == "" {
		return nil, usageError(&message{text: text{"缺少令牌", "a token is missing"},
			hint: text{"用 --token-file 或 CREDITCTL_TOKEN_FILE 指明存放令牌的文件", "name the file that holds it with --token-file or CREDITCTL_TOKEN_FILE"}})
	}
	raw, err := os.ReadFile(p.tokenFile)
	if err != nil {
		return nil, usageError(&message{text: text{"读不到令牌文件", "can't read the token file"}, cause: err})
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || len(raw) > maxTokenFile || strings.ContainsAny(token, " \t\r\n") {
		return nil, usageError(&message{text: text{"令牌文件里应只有一个令牌", "the token file must hold one token and nothing else"},
			hint: text{"令牌由 creditgw token add 发放", "creditgw token add prints one"}})
	}
	return &httpapi.Client{URL: p.url, Token: token, Lang: p.code(), HTTP: p.http}, nil
}

// calling is a command that needs the gateway.
func (p *program) calling(run func(cmd *cobra.Command, c *httpapi.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := p.client()
		if err != nil {
			return err
		}
		return run(cmd, c, args)
	}
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
			if errors.Is(err, httpapi.ErrUnreachable) {
				return &exitError{exitUnreachable, err}
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

// print writes one line for people.
func (p *program) print(t text, args ...any) { fmt.Fprintln(p.out, p.sayf(t, args...)) }
