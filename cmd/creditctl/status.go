package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: p.Say(text{"节点、主节点、滞后、队列和计数", "nodes, leader, lag, queues and counts"}),
		Args:  cobra.NoArgs,
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, _ []string) error {
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			if p.JSON {
				err = p.PrintJSON(s)
			} else {
				err = p.showStatus(s)
			}
			if err == nil && !s.Ready {
				return notValid
			}
			return err
		}),
	}
}

func (p *program) showStatus(s httpapi.Status) error {
	leader := s.Leader
	if leader == "" {
		leader = p.Say(text{"未知", "unknown"})
	}
	ready := p.Say(text{"就绪", "ready"})
	if !s.Ready {
		ready = p.Say(text{"未就绪：", "not ready: "}) + strings.Join(s.Reasons, ", ")
	}
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	line := func(name text, format string, args ...any) {
		fmt.Fprintf(table, "%s\t"+format+"\n", append([]any{p.Say(name)}, args...)...)
	}
	line(text{"节点", "node"}, "%s (%s) %s", s.Node, s.Region, ready)
	line(text{"主节点", "leader"}, "%s", leader)
	if s.MembershipWaits != "" {
		line(text{"成员变更等待", "membership waits"}, "%s", s.MembershipWaits)
	}
	line(text{"账本", "ledger"}, "%d  %s", s.LedgerSize, s.Root)
	line(text{"已见证", "witnessed"}, "%s", p.witnessLine(s.Witness))
	if len(s.Witness.Alarms) > 0 {
		line(text{"见证告警", "witness alarms"}, "%s", strings.Join(s.Witness.Alarms, ", "))
	}
	for _, r := range s.Witness.Regions {
		line(text{"见证 " + string(r.Region), "cosigned by " + string(r.Region)}, "%d  %s", r.Size, r.At.Format(time.DateTime))
	}
	line(text{"案卷已读", "casebook"}, "%d", s.Followed)
	if c := s.Check; c != nil {
		line(text{"自查", "check"}, "%s  %s  %s", named(p, checkNames, c.State), c.Started.In(exchange.Shanghai).Format(time.DateTime), c.Reason)
		for _, part := range c.Parts {
			for _, damage := range part.Damage {
				line(text{"损坏", "DAMAGED"}, "%s: %s", part.Part, damage)
			}
		}
	}
	line(text{"待入账", "outbox"}, "%d", s.Counts.Outbox)
	line(text{"待回执", "acks pending"}, "%d", s.Counts.PendingAcks)
	if n := s.Counts.Erasing; n > 0 {
		line(text{"待清除", "being erased"}, "%d", n)
	}
	for _, state := range []exchange.State{exchange.StateAccepted, exchange.StateLocal, exchange.StateCommitted, exchange.StateWitnessed, exchange.StateRefused} {
		if n := s.Counts.Records[state]; n > 0 {
			line(text{"记录 " + named(p, stateNames, state), "records " + string(state)}, "%d", n)
		}
	}
	line(text{"外地记录", "opened here"}, "%d", s.Counts.Opened)
	for _, stage := range slices.Sorted(maps.Keys(s.Counts.Reminders)) {
		line(text{"提醒 " + string(stage), "reminders " + string(stage)}, "%d", s.Counts.Reminders[stage])
	}
	for _, peer := range s.Peers {
		if peer.Lag != nil { // only the leader knows
			line(text{"滞后 " + peer.Node, "lag of " + peer.Node}, "%d", *peer.Lag)
		}
	}
	return table.Flush()
}

// witnessLine is the newest witnessed checkpoint in few words.
func (p *program) witnessLine(w httpapi.WitnessStatus) string {
	if w.Size == 0 || w.AgeSeconds == nil {
		return p.Say(text{"尚无", "nothing yet"})
	}
	age := time.Duration(*w.AgeSeconds * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%d  %s", w.Size, p.Say(text{age.String() + " 前", age.String() + " ago"}))
}
