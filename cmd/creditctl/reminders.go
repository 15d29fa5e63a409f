package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/cmd/command"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) remindersCommand() *cobra.Command {
	return command.Group("reminders", p.Say(text{"提醒（运证通服务端）", "reminders (the app's server)"}),
		p.remindersPull(), p.remindersAck(), p.remindersBind(), p.remindersUnbind())
}

func (p *program) remindersPull() *cobra.Command {
	var cursor string
	var wait time.Duration
	var limit int
	var open bool
	cmd := &cobra.Command{
		Use:     "pull",
		Short:   p.Say(text{"按游标取提醒；至少一次，按 id 去重", "pull by cursor; at least once, the same id however often"}),
		Example: `  creditctl reminders pull --cursor "$CURSOR" --wait 30s --json`,
		Args:    cobra.NoArgs,
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, _ []string) error {
			if limit < 0 || wait < 0 {
				return usageError(&message{Text: text{"--limit 和 --wait 不能为负", "--limit and --wait can't be negative"}})
			}
			page, err := p.pull(cmd, c, cursor, limit, wait, open)
			if err != nil {
				return err
			}
			return p.showReminders(page, open)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&cursor, "cursor", "", p.Say(text{"上次返回的 next", "next of the pull before"}))
	flags.DurationVar(&wait, "wait", 0, p.Say(text{"没有新提醒时等待的时长，如 30s", "how long to wait for a first one, such as 30s"}))
	flags.IntVar(&limit, "limit", 0, p.Say(text{"最多几条，默认 100", "at most how many, by default 100"}))
	flags.BoolVar(&open, "open", false, p.Say(text{"列出未办结的提醒（游标失效后用）", "list what is open, for when a cursor has expired"}))
	return cmd
}

// pull holds on for as long as asked; the gateway holds one call for 25 s.
func (p *program) pull(cmd *cobra.Command, c *httpapi.Client, cursor string, limit int, wait time.Duration, open bool) (httpapi.Reminders, error) {
	if open {
		return c.OpenReminders(cmd.Context(), cursor, limit)
	}
	for until := p.now().Add(wait); ; {
		left := max(until.Sub(p.now()), 0)
		page, err := c.Reminders(cmd.Context(), cursor, limit, left)
		if err != nil || len(page.Items) > 0 || left <= httpapi.MaxWait {
			return page, err
		}
		cursor = page.Next
	}
}

// showReminders ends with what to call next: after a list of what is open, the
// rest of the list and then the feed from before it.
func (p *program) showReminders(page httpapi.Reminders, open bool) error {
	if p.JSON {
		return p.PrintJSON(page)
	}
	for _, r := range page.Items {
		mark := ""
		if r.Op != exchange.OpNew {
			mark = " [" + string(r.Op) + "]"
		}
		fmt.Fprintf(p.Out, "%d  %s%s\n    %s\n    %s\n", r.Seq, r.Title, mark, r.Text, r.ID)
	}
	if len(page.Items) == 0 {
		p.print(text{"没有新提醒", "nothing new"})
	}
	if open && page.Next != "" {
		p.print(text{"列表未完：--open --cursor %q", "there is more of the list: --open --cursor %q"}, page.Next)
	}
	if open && page.Resume != "" {
		p.print(text{"列完之后从 --cursor %q 取", "after the list go on with --cursor %q"}, page.Resume)
	}
	if !open {
		p.print(text{"下次从 --cursor %q 取", "go on with --cursor %q"}, page.Next)
	}
	return nil
}

func (p *program) remindersAck() *cobra.Command {
	var state, reason string
	cmd := &cobra.Command{
		Use:   "ack ID…",
		Short: p.Say(text{"回报提醒的状态", "say what became of reminders"}),
		Args:  cobra.MinimumNArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			words := []exchange.AckState{exchange.AckDelivered, exchange.AckRead, exchange.AckActed, exchange.AckFailed, exchange.AckUnbound}
			if !slices.Contains(words, exchange.AckState(state)) {
				return usageError(&message{Text: text{"--state 只能是 delivered、read、acted、failed、unbound", "--state is delivered, read, acted, failed or unbound"}})
			}
			acks := make([]httpapi.Ack, len(args))
			for i, id := range args {
				acks[i] = httpapi.Ack{ID: id, State: exchange.AckState(state), Reason: reason}
			}
			done, err := c.Acknowledge(cmd.Context(), acks)
			if err != nil {
				return err
			}
			return p.showAcks(done)
		}),
	}
	cmd.Flags().StringVar(&state, "state", "", "delivered|read|acted|failed|unbound")
	cmd.Flags().StringVar(&reason, "reason", "", p.Say(text{"原因代码", "a code that says why"}))
	_ = cmd.MarkFlagRequired("state") // it fails for an unknown flag only
	return cmd
}

// showAcks exits 1 when an id is none of the gateway's.
func (p *program) showAcks(done httpapi.AckResults) error {
	if p.JSON {
		if err := p.PrintJSON(done); err != nil {
			return err
		}
	}
	unknown := false
	for _, a := range done.Acks {
		unknown = unknown || a.Result == exchange.AckUnknown
		if !p.JSON {
			fmt.Fprintf(p.Out, "%s  %s\n", a.ID, a.Result)
		}
	}
	if unknown {
		return notValid
	}
	return nil
}

// binding is what bind and unbind print for programs.
type binding struct {
	USCC  string `json:"uscc"`
	Bound bool   `json:"bound"`
}

func (p *program) remindersBind() *cobra.Command {
	var proof string
	cmd := &cobra.Command{
		Use:   "bind USCC",
		Short: p.Say(text{"企业在运证通有了用户", "the app has a user for this firm"}),
		Args:  cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			if err := c.Bind(cmd.Context(), args[0], httpapi.Binding{Proof: proof}); err != nil {
				return err
			}
			return p.showBinding(binding{args[0], true})
		}),
	}
	cmd.Flags().StringVar(&proof, "proof", "", p.Say(text{"运证通自己的凭据号，不含个人信息", "the app's own reference, without personal data"}))
	return cmd
}

func (p *program) remindersUnbind() *cobra.Command {
	return &cobra.Command{
		Use:   "unbind USCC",
		Short: p.Say(text{"企业在运证通不再有用户", "the app has no user for this firm any more"}),
		Args:  cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			if err := c.Unbind(cmd.Context(), args[0]); err != nil {
				return err
			}
			return p.showBinding(binding{args[0], false})
		}),
	}
}

func (p *program) showBinding(b binding) error {
	if p.JSON {
		return p.PrintJSON(b)
	}
	if b.Bound {
		p.print(text{"%s 已绑定", "%s is bound"}, b.USCC)
	} else {
		p.print(text{"%s 已解除绑定", "%s is not bound"}, b.USCC)
	}
	return nil
}
