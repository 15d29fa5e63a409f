package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/access"
)

func (p *program) tokenCommand() *cobra.Command {
	return command.Group("token", p.Say(text{"接口令牌：发放、列出、作废", "tokens of the API: add, list, revoke"}),
		p.tokenAddCommand(), p.tokenListCommand(), p.tokenRevokeCommand())
}

// dirFlag declares the node directory that every token command works on.
func (p *program) dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", p.Say(text{"节点目录", "directory of the node"}))
	_ = cmd.MarkFlagRequired("dir")
}

func (p *program) tokenAddCommand() *cobra.Command {
	var (
		dir, role string
		scopes    []string
		g         access.Grant
	)
	cmd := &cobra.Command{
		Use:   "add --role ROLE [--scope unit=USCC,authority=USCC,source=USCC] --dir DIR",
		Short: p.Say(text{"发放令牌，只显示一次", "make a token and show it once"}),
		Example: "  creditgw token add --role agency-entry --scope unit=USCC,authority=USCC --dir DIR\n" +
			"  creditgw token add --role app --expires 2160h --dir DIR",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var err error
			g.Role = exchange.Role(role)
			if g.Scope, err = access.ParseScope(scopes); err != nil {
				return badGrant(err)
			}
			return p.tokenAdd(dir, g)
		},
	}
	p.dirFlag(cmd, &dir)
	// An array, not a slice: pflag's slices split at commas and read quotes as CSV.
	cmd.Flags().StringArrayVar(&scopes, "scope", nil, p.Say(text{
		"范围（可重复）：unit 报送单位、authority 处罚机关、source 数据来源单位",
		"scope, repeatable: the unit it submits for, penalty authorities, data source units"}))
	cmd.Flags().StringVar(&role, "role", "", p.Say(text{"角色：", "role: "})+roleNames())
	cmd.Flags().DurationVar(&g.Lifetime, "expires", 8760*time.Hour, p.Say(text{"有效期", "how long it is valid"}))
	cmd.Flags().StringVar(&g.Label, "label", "", p.Say(text{
		"持有人或岗位；三员必填", "who holds it; required of the three administrators"}))
	_ = cmd.MarkFlagRequired("role")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(strings.Split(roleNames(), " "), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (p *program) tokenAdd(dir string, g access.Grant) error {
	store, err := p.openTokens(dir)
	if err != nil {
		return err
	}
	token, id, err := store.Add(g)
	if err != nil {
		return badGrant(err)
	}
	if p.JSON {
		return p.PrintJSON(struct {
			ID    string        `json:"id"`
			Token string        `json:"token"`
			Role  exchange.Role `json:"role"`
		}{id, token, g.Role})
	}
	// The token alone goes to out, so that > FILE makes a token file.
	fmt.Fprintln(p.Err, p.Sayf(text{"令牌 %s，角色 %s；只显示这一次：", "token %s, role %s; shown only this once:"}, id, g.Role))
	_, err = fmt.Fprintln(p.Out, token)
	return err
}

func (p *program) tokenListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list --dir DIR",
		Short: p.Say(text{"列出令牌（不含令牌本身）", "list the tokens, though not what opens"}),
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return p.tokenList(dir) },
	}
	p.dirFlag(cmd, &dir)
	return cmd
}

// tokenLine is one token for programs: what is kept, without its hash.
type tokenLine struct {
	ID      string         `json:"id"`
	Role    exchange.Role  `json:"role"`
	Scope   exchange.Scope `json:"scope"`
	Label   string         `json:"label"`
	Created time.Time      `json:"created"`
	Expires time.Time      `json:"expires"`
	State   string         `json:"state"` // active, expired, revoked
}

func (p *program) tokenList(dir string) error {
	store, err := p.openTokens(dir)
	if err != nil {
		return err
	}
	tokens, err := store.List()
	if err != nil {
		return err
	}
	lines := make([]tokenLine, len(tokens))
	for i, t := range tokens {
		lines[i] = tokenLine{t.ID, t.Role, t.Scope, t.Label, t.Created, t.Expires, tokenState(t, p.now())}
	}
	if p.JSON {
		return p.PrintJSON(struct {
			Tokens []tokenLine `json:"tokens"`
		}{lines})
	}
	states := map[string]text{"active": {"有效", "active"}, "expired": {"已过期", "expired"}, "revoked": {"已作废", "revoked"}}
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Role, p.Say(states[l.State]),
			l.Expires.In(exchange.Shanghai).Format(time.DateOnly), strings.Join(l.Scope.Units, ","), l.Label)
	}
	return w.Flush()
}

func tokenState(t access.Token, now time.Time) string {
	switch {
	case t.Revoked != nil:
		return "revoked"
	case t.InForce(now):
		return "active"
	}
	return "expired"
}

func (p *program) tokenRevokeCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "revoke ID --dir DIR",
		Short: p.Say(text{"作废令牌", "revoke a token"}),
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return p.tokenRevoke(dir, args[0]) },
	}
	p.dirFlag(cmd, &dir)
	return cmd
}

func (p *program) tokenRevoke(dir, id string) error {
	store, err := p.openTokens(dir)
	if err != nil {
		return err
	}
	err = store.Revoke(id)
	if errors.Is(err, exchange.ErrNotFound) {
		return &message{
			Text: text{"没有令牌 " + id, "there is no token " + id},
			Hint: text{"令牌编号见 creditgw token list", "creditgw token list shows their ids"},
		}
	}
	if err != nil {
		return err
	}
	if p.JSON {
		return p.PrintJSON(struct {
			ID    string `json:"id"`
			State string `json:"state"`
		}{id, "revoked"})
	}
	_, err = fmt.Fprintln(p.Out, p.Sayf(text{"令牌 %s 已作废；运行中的节点一秒内生效", "token %s is revoked; a running node knows within a second"}, id))
	return err
}

func (p *program) openTokens(dir string) (*access.Store, error) {
	if _, err := os.Stat(filepath.Join(dir, memberName)); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, usageError(&message{
			Text: text{dir + " 不是节点目录", dir + " is not a node's directory"},
			Hint: text{"先运行 creditgw init --dir " + dir, "run creditgw init --dir " + dir + " first"},
		})
	}
	store, err := access.Open(access.Config{
		Dir: dir, Clock: p.now, Rand: p.rand, Logger: slog.New(slog.NewTextHandler(p.Err, nil)),
	})
	if err != nil {
		return nil, &message{Text: text{"读不了令牌文件", "the token file cannot be read"}, Cause: err}
	}
	return store, nil
}

// badGrant tells a wrong call from a fault of the disk.
func badGrant(err error) error {
	for _, kind := range []struct {
		is         error
		text, hint text
	}{
		{access.ErrRole, text{"没有这个角色", "there is no such role"}, text{"可用：" + roleNames(), "known: " + roleNames()}},
		{access.ErrScope, text{"范围不合适", "the scope does not fit"}, text{
			"--scope unit=统一社会信用代码,authority=…,source=…；报送角色至少一个 unit，其他角色不带范围",
			"--scope unit=USCC,authority=USCC,source=USCC; an agency's role needs a unit, any other takes no scope"}},
		{access.ErrLabel, text{"持有人标注不合适", "the label does not fit"}, text{
			"三员令牌用 --label 写明持有人", "name an administrator's holder with --label"}},
		{access.ErrTerm, text{"有效期不合适", "the lifetime does not fit"}, text{"例如 --expires 8760h", "such as --expires 8760h"}},
		{access.ErrDuties, text{"三员分离：一人不得兼任", "duties are separate"}, text{
			"另发给他人，或先作废原令牌", "give it to somebody else, or revoke the other token first"}},
	} {
		if errors.Is(err, kind.is) {
			return usageError(&message{Text: kind.text, Cause: err, Hint: kind.hint})
		}
	}
	return err
}

func roleNames() string {
	names := make([]string, 0, len(exchange.Roles))
	for _, r := range exchange.Roles {
		names = append(names, string(r))
	}
	return strings.Join(names, " ")
}
