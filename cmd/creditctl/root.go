package main

import (
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

func (p *program) root() *cobra.Command {
	root := p.Root("creditctl", text{"信桥网关的命令行", "command line of the Xinqiao gateway"}, codeOf, p.commands()...)
	flags := root.PersistentFlags()
	flags.StringVar(&p.url, "url", p.fallback("CREDITCTL_URL", "http://127.0.0.1:8600"),
		p.Say(text{"网关地址，也可用 CREDITCTL_URL", "address of the gateway, or CREDITCTL_URL"}))
	flags.StringVar(&p.tokenFile, "token-file", p.Env("CREDITCTL_TOKEN_FILE"),
		p.Say(text{"存放令牌的文件，也可用 CREDITCTL_TOKEN_FILE", "file that holds the token, or CREDITCTL_TOKEN_FILE"}))
	return root
}

func (p *program) fallback(name, value string) string {
	if v := p.Env(name); v != "" {
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
		return nil, usageError(&message{Text: text{"--url 不是 http 或 https 地址", "--url is not an http or https address"},
			Hint: text{"例如 --url http://127.0.0.1:8600", "such as --url http://127.0.0.1:8600"}})
	}
	if p.tokenFile == "" {
		return nil, usageError(&message{Text: text{"缺少令牌", "a token is missing"},
			Hint: text{"用 --token-file 或 CREDITCTL_TOKEN_FILE 指明存放令牌的文件", "name the file that holds it with --token-file or CREDITCTL_TOKEN_FILE"}})
	}
	raw, err := os.ReadFile(p.tokenFile)
	if err != nil {
		return nil, usageError(&message{Text: text{"读不到令牌文件", "can't read the token file"}, Cause: err})
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || len(raw) > maxTokenFile || strings.ContainsAny(token, " \t\r\n") {
		return nil, usageError(&message{Text: text{"令牌文件里应只有一个令牌", "the token file must hold one token and nothing else"},
			Hint: text{"令牌由 creditgw token add 发放", "creditgw token add prints one"}})
	}
	return &httpapi.Client{URL: p.url, Token: token, Lang: p.Lang.Code(), HTTP: p.http}, nil
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

// print writes one line for people.
func (p *program) print(t text, args ...any) { fmt.Fprintln(p.Out, p.Sayf(t, args...)) }
