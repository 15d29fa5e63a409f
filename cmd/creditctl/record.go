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
	line(text{"状态", "state"}, named(p, stateNames, r.State))
	if r.Code != "" {
		line(text{"原因", "reason"}, r.Code)
	}
	line(text{"来源地区", "origin"}, r.Origin)
	for _, to := range r.Recipients {
		line(text{"接收地区", "recipient"}, to)
	}
	line(text{"报送时间", "issued"}, r.IssuedAt.Format(time.DateTime))
	if r.Index != nil {
		line(text{"账本序号", "leaf"}, *r.Index)
	}
	if r.Submission != "" {
		line(text{"报送编号", "submission"}, fmt.Sprintf("%s #%d", r.Submission, r.Row))
	}
	for _, d := range r.Deliveries {
		line(text{"送达 " + d.Region, "delivery " + d.Region}, fmt.Sprintf("%s  %s %s", named(p, ackNames, d.State), d.At.Format(time.DateTime), d.Code))
	}
	if r.Erasure != nil {
		p.showErasure(line, *r.Erasure)
	}
	if r.Author != nil {
		line(text{"署名", "author"}, p.authorship(r.Author))
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

// authorship says who vouches for a record, and no more than was verified.
func (p *program) authorship(a *exchange.AuthorView) string {
	switch {
	case a.Kind == exchange.AuthorAgency && a.Verified:
		return p.Sayf(text{"单位 %s 签名，已核验", "signed by agency %s, verified"}, a.Agency)
	case a.Kind == exchange.AuthorAgency:
		return p.Sayf(text{"单位 %s 的签名不成立", "the signature of agency %s does not hold"}, a.Agency)
	case a.File == nil:
		return p.Say(text{"来源地区", "the origin"})
	case a.FileSignature != nil && a.FileSignature.Verified:
		return p.Sayf(text{"来源地区担保：单位 %[1]s 文件的第 %[2]d 行；文件有单位签名，已核验，逐行没有",
			"the origin vouches: row %[2]d of a file of agency %[1]s, which has signed the file, verified, not the row"}, a.Agency, a.Row)
	default:
		return p.Sayf(text{"来源地区担保：单位 %[1]s 文件的第 %[2]d 行", "the origin vouches: row %[2]d of a file of agency %[1]s"}, a.Agency, a.Row)
	}
}
