package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange/httpapi"
)

func (p *program) recordCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "record ID",
		Short: p.Say(text{"一条记录的状态和送达情况", "a record's state and deliveries"}),
		Args:  cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			id, err := sm.ParseDigest(args[0])
			if err != nil {
				return usageError(&message{Text: text{"ID 应为 64 位十六进制", "ID is 64 hexadecimal digits"}})
			}
			r, err := c.Record(cmd.Context(), id)
			if err != nil {
				return err
			}
			if p.JSON {
				return p.PrintJSON(r)
			}
			return p.showRecord(r)
		}),
	}
}

func (p *program) showRecord(r httpapi.Record) error {
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	line := func(name text, value any) { fmt.Fprintf(table, "%s\t%v\n", p.Say(name), value) }
	line(text{"记录", "record"}, r.ID)
	line(text{"类别", "kind"}, r.Kind)
	line(text{"状态", "state"}, p.stateName(r.State))
	if r.Code != "" {
		line(text{"原因", "reason"}, r.Code)
	}
	line(text{"来源地区", "origin"}, r.Origin)
	line(text{"接收地区", "recipients"}, r.Recipients)
	line(text{"报送时间", "issued"}, r.IssuedAt.Format(time.DateTime))
	if r.Index != nil {
		line(text{"账本序号", "leaf"}, *r.Index)
	}
	if r.Submission != "" {
		line(text{"报送编号", "submission"}, fmt.Sprintf("%s #%d", r.Submission, r.Row))
	}
	for _, d := range r.Deliveries {
		line(text{"送达 " + d.Region, "delivery " + d.Region}, fmt.Sprintf("%s  %s %s", d.State, d.At.Format(time.DateTime), d.Code))
	}
	if r.Erasure != nil {
		p.showErasure(line, *r.Erasure)
	}
	if b := r.Body; b != nil {
		line(text{"行政相对人", "subject"}, b.SubjectName)
		line(text{"文号", "decision"}, b.DecisionNo)
		line(text{"处罚机关", "authority"}, b.AuthorityName)
		line(text{"处罚内容", "penalty"}, b.PenaltyContent)
	}
	if d := r.Dishonesty; d != nil {
		whose := text{"处罚机关认定", "the agency's word"}
		if d.Derived {
			whose = text{"按规则推定", "derived by rule"}
		}
		line(text{"失信程度", "dishonesty"}, p.Sayf(text{"%s（%s）", "%s (%s)"}, d.Value, p.Say(whose)))
	}
	return table.Flush()
}
