package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) eraseCommand() *cobra.Command {
	var order httpapi.ErasureOrder
	cmd := &cobra.Command{
		Use:   "erase ID --reason repaired|withdrawn|expired [--now]",
		Short: p.Say(text{"停止共享并清除本地区的一条记录，四地一并执行", "take down and erase a record of this region, everywhere"}),
		Args:  cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			id, err := sm.ParseDigest(args[0])
			if err != nil {
				return usageError(&message{Text: text{"ID 应为 64 位十六进制", "ID is 64 hexadecimal digits"}})
			}
			if !order.Reason.Known() {
				return usageError(&message{Text: text{"--reason 只能是 repaired、withdrawn、expired", "--reason is repaired, withdrawn or expired"}})
			}
			v, err := c.Erase(cmd.Context(), id, order)
			if err != nil {
				return err
			}
			if p.JSON {
				return p.PrintJSON(v)
			}
			table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
			p.showErasure(func(name text, value any) { fmt.Fprintf(table, "%s\t%v\n", p.Say(name), value) }, v.ErasureView)
			return table.Flush()
		}),
	}
	cmd.Flags().StringVar((*string)(&order.Reason), "reason", "", p.Say(text{"原因：repaired 信用修复、withdrawn 撤回、expired 期满", "why: repaired, withdrawn or expired"}))
	cmd.Flags().BoolVar(&order.Now, "now", false, p.Say(text{"不等下一轮，立即清除", "erase at once, not with the next round"}))
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// showErasure prints what each region says of a record's end.
func (p *program) showErasure(line func(name text, value any), v exchange.ErasureView) {
	line(text{"清除原因", "erased because"}, named(p, reasonNames, v.Reason))
	line(text{"下令时间", "ordered"}, v.OrderedAt.Format(time.DateTime))
	for _, r := range v.Regions {
		region := string(r.Region)
		line(text{"清除 " + region, "erasure " + region}, p.erasureState(r))
	}
}

// erasureState is a region's word in one line.
func (p *program) erasureState(r exchange.ErasureRegion) string {
	var out string
	switch {
	case r.State == exchange.ErasurePending:
		return p.Say(text{"待执行", "pending"})
	case r.State == exchange.ErasureStopped && r.Held:
		out = p.Sayf(text{"已停止共享和使用 %s", "stopped %s"}, r.StoppedAt.Format(time.DateTime))
	case r.State == exchange.ErasureStopped:
		out = p.Sayf(text{"未持有该信息，密文待清除 %s", "never could read it, ciphertext to be erased %s"}, r.StoppedAt.Format(time.DateTime))
	default:
		out = p.Sayf(text{"已清除 %s，节点 %s，日志自 %d 起", "erased %s on node %s, log from %d on"}, r.ErasedAt.Format(time.DateTime), r.Node, r.LogFirst)
		if r.BackupsUntil != "" {
			out += p.Sayf(text{"，备份 %s 到期", ", backups expire on %s"}, r.BackupsUntil)
		}
	}
	return out
}
