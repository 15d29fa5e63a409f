package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) agencyCommand() *cobra.Command {
	return command.Group("agency", p.Say(text{"单位签名公钥", "agencies' signing keys"}),
		p.agencyProve(), p.agencyAdd(), p.agencyList(), p.agencyRetire())
}

func (p *program) agencyAdd() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:     "add CLAIM-FILE",
		Short:   p.Say(text{"登记单位的公钥（用单位交来的声明文件）", "register an agency's key, by the claim that the agency has handed in"}),
		Example: "  creditctl agency add claim.json --wait 30s",
		Args:    cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			claim, err := readClaim(args[0])
			if err != nil {
				return err
			}
			entry, err := c.AddKey(cmd.Context(), claim.USCC, httpapi.NewKey{
				Name: claim.Name, Label: claim.Label, Public: claim.Key.Bytes(), Proof: claim.Proof,
			})
			if err != nil {
				return err
			}
			return p.keyChange(cmd.Context(), c, claim.USCC, entry, wait, func(k httpapi.AgencyKey) bool { return k.Until == 0 })
		}),
	}
	waitFlag(p, cmd, &wait)
	return cmd
}

func (p *program) agencyRetire() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "retire USCC KEY-ID",
		Short: p.Say(text{"停用公钥；此前的签名仍有效", "retire a key; what it signed before stays valid"}),
		Args:  cobra.ExactArgs(2),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			var id sm.KeyID
			if id.UnmarshalText([]byte(args[1])) != nil {
				return usageError(&message{Text: text{"KEY-ID 应为 32 位十六进制", "KEY-ID is 32 hexadecimal digits"},
					Hint: text{"见 creditctl agency list", "see creditctl agency list"}})
			}
			entry, err := c.RetireKey(cmd.Context(), args[0], id)
			if err != nil {
				return err
			}
			return p.keyChange(cmd.Context(), c, args[0], entry, wait, func(k httpapi.AgencyKey) bool { return k.Until != 0 })
		}),
	}
	waitFlag(p, cmd, &wait)
	return cmd
}

func waitFlag(p *program, cmd *cobra.Command, wait *time.Duration) {
	cmd.Flags().DurationVar(wait, "wait", 0, p.Say(text{"等待生效的时长，如 30s", "how long to wait until it is in force, such as 30s"}))
}

func (p *program) agencyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list USCC",
		Short: p.Say(text{"列出单位的公钥", "list an agency's keys"}),
		Args:  cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			keys, err := c.Keys(cmd.Context(), args[0])
			if err != nil || p.JSON {
				return firstError(err, func() error { return p.PrintJSON(keys) })
			}
			table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
			for i := range keys.Items {
				k := &keys.Items[i]
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.KeyID, k.Name, k.Label, p.keyState(k))
			}
			return table.Flush()
		}),
	}
}

func (p *program) keyState(k *httpapi.AgencyKey) string {
	if k.Until == 0 {
		return p.Say(text{"在用", "in force"})
	}
	return p.Sayf(text{"自第 %d 条起停用", "retired at leaf %d"}, k.Until)
}

// firstError is err, or what then returns.
func firstError(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// keyPoll is how often a key is looked for while it is waited for.
const keyPoll = 200 * time.Millisecond

// keyChange waits until the change is in force, if asked to, and shows it.
func (p *program) keyChange(ctx context.Context, c *httpapi.Client, uscc string, entry httpapi.KeyEntry, wait time.Duration, done func(httpapi.AgencyKey) bool) error {
	inForce := false
	for until := p.now().Add(wait); wait > 0 && !inForce; {
		keys, err := c.Keys(ctx, uscc)
		if err != nil {
			return err
		}
		for _, k := range keys.Items {
			inForce = inForce || k.KeyID == entry.KeyID && done(k)
		}
		if inForce {
			break
		}
		if p.now().After(until) {
			return &message{Text: text{"已受理，尚未入账", "accepted, but not on the ledger yet"},
				Hint: text{"稍后用 creditctl agency list 查看", "look again with creditctl agency list"}}
		}
		select {
		case <-time.After(keyPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p.JSON {
		return p.PrintJSON(entry)
	}
	if inForce {
		p.print(text{"已生效：公钥 %s", "in force: key %s"}, entry.KeyID)
	} else {
		p.print(text{"已受理，入账后生效：公钥 %s", "accepted, in force once on the ledger: key %s"}, entry.KeyID)
	}
	return nil
}
