package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/exchange/audit"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/peers"
)

func (p *program) auditCommand() *cobra.Command {
	var genesis string
	var from uint64
	cmd := &cobra.Command{
		Use:   "audit",
		Short: p.Say(text{"重新推导整个账本并核验每个签名", "re-derive the whole ledger and verify every signature"}),
		Long: p.Say(text{
			"从网关读取账本，在本机重新计算：每个批次的签名和顺序、每个叶子、成员与密钥目录、\n每个见证检查点的根和联署。除创世文件外什么都不相信。密封的内容不在其中。\n发现不同时指出第一处，退出码为 1。",
			"Reads the ledger from a gateway and computes here: each batch's signature and\norder, each leaf, the directory of members and keys, and at each witnessed\ncheckpoint its root and its cosignatures. It believes the genesis and nothing\nelse. Sealed contents are no part of it. Names the first difference and exits 1."}),
		Example: "  creditctl audit --genesis genesis.json\n  creditctl audit --genesis genesis.json --from 1000000",
		Args:    cobra.NoArgs,
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, _ []string) error {
			g, err := readGenesis(genesis)
			if err != nil {
				return err
			}
			return p.audit(cmd.Context(), c, g, from)
		}),
	}
	cmd.Flags().StringVar(&genesis, "genesis", "", p.Say(text{"创世文件", "the genesis file"}))
	cmd.Flags().Uint64Var(&from, "from", 0, p.Say(text{"从含第 N 条的批次开始", "begin with the batch that has entry N"}))
	_ = cmd.MarkFlagRequired("genesis") // it fails for an unknown flag only
	return cmd
}

// auditReport is what came of an audit.
type auditReport struct {
	Valid bool   `json:"valid"`
	From  uint64 `json:"from"`
	Size  uint64 `json:"size"` // entries before it were verified
	// Witnessed is the size of the last checkpoint: what is behind it only its
	// regions' signatures vouch for.
	Witnessed  uint64           `json:"witnessed"`
	Verified   audit.Counts     `json:"verified"`
	Difference *auditDifference `json:"difference,omitempty"`
}

type auditDifference struct {
	Index uint64 `json:"index"`
	Code  string `json:"code"`
	Text  string `json:"text"`
}

func (p *program) audit(ctx context.Context, c *httpapi.Client, g *peers.Genesis, from uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a, err := startAudit(ctx, c, g, from)
	if err != nil {
		return p.auditFailed(err, auditReport{From: from})
	}
	report := auditReport{From: a.Size(), Witnessed: a.Size()}
	err = p.auditPages(ctx, c, a, &report)
	report.Size, report.Verified = a.Size(), a.Counts()
	if err != nil {
		return p.auditFailed(err, report)
	}
	report.Valid = true
	if p.JSON {
		return p.PrintJSON(report)
	}
	v := report.Verified
	p.print(text{"已核验第 %d 至 %d 条：%d 个批次签名，%d 个治理条目，%d 个见证检查点",
		"verified entries %d to %d: %d batch signatures, %d governance entries, %d witnessed checkpoints"},
		report.From, report.Size, v.Batches, v.Governance, v.Checkpoints)
	if report.Witnessed < report.Size {
		p.print(text{"最后 %d 条尚未见证", "the last %d entries are not witnessed yet"}, report.Size-report.Witnessed)
	}
	return nil
}

// auditFailed tells a difference; any other error is one of the way there.
func (p *program) auditFailed(err error, report auditReport) error {
	var d *audit.Difference
	if !errors.As(err, &d) {
		return err
	}
	report.Difference = &auditDifference{Index: d.Index, Code: d.Code, Text: d.Cause.Error()}
	if p.JSON {
		if err := p.PrintJSON(report); err != nil {
			return err
		}
	} else {
		p.print(text{"第一处不同在第 %d 条 [%s]：%v", "first difference at entry %d [%s]: %v"}, d.Index, d.Code, d.Cause)
		p.print(text{"此前 %d 条成立", "the %d entries before it hold"}, report.Verified.Entries)
	}
	return notValid
}

// auditPages goes through batches and checkpoints in the order of the ledger.
func (p *program) auditPages(ctx context.Context, c *httpapi.Client, a *audit.Auditor, report *auditReport) error {
	pages := fetchBatches(ctx, c, a.Size())
	checkpoints := keptCheckpoints{client: c, from: a.Size()}
	bar := p.counting(text{"已核验条目 ", "entries verified "})
	defer bar.end()
	for page := range pages {
		if page.err != nil {
			return page.err
		}
		bar.reach(a.Size(), page.LedgerSize)
		for i := range page.Items {
			b := auditBatch(&page.Items[i])
			stated, err := checkpoints.upTo(ctx, b.First+uint64(len(b.Headers)))
			if err != nil {
				return err
			}
			if err := a.Batch(&b, stated...); err != nil {
				return err
			}
			if len(stated) > 0 {
				report.Witnessed = stated[len(stated)-1].Size
			}
		}
	}
	return nil
}

func auditBatch(b *httpapi.LedgerBatch) audit.Batch {
	out := audit.Batch{First: b.First, Preamble: b.Preamble, Signature: b.Signature, Headers: b.Headers}
	if len(b.Clear) > 0 {
		out.Clear = map[int][]byte{}
		for _, body := range b.Clear {
			out.Clear[body.Item] = body.Body
		}
	}
	return out
}

// startAudit begins at the first entry, or at the batch that has entry from.
func startAudit(ctx context.Context, c *httpapi.Client, g *peers.Genesis, from uint64) (*audit.Auditor, error) {
	if from == 0 {
		return audit.New(g)
	}
	page, err := c.Batches(ctx, from)
	if err != nil {
		return nil, err
	}
	if len(page.Items) == 0 {
		return nil, &message{Text: text{"账本没有这么多条目", "the ledger has not as many entries"}}
	}
	size := page.Items[0].First
	if size == 0 {
		return audit.New(g)
	}
	s := audit.Start{Size: size}
	before, err := c.Batches(ctx, size-1)
	if err != nil {
		return nil, err
	}
	if len(before.Items) == 0 || len(before.Items[0].Headers) == 0 {
		return nil, errNoBatch
	}
	headers := before.Items[0].Headers
	s.LastHeader = headers[len(headers)-1]
	proof, err := c.Inclusion(ctx, size-1, size)
	if err != nil {
		return nil, err
	}
	s.Inclusion = proof.Path
	if s.Governance, err = governanceBefore(ctx, c, size); err != nil {
		return nil, err
	}
	return audit.Resume(g, s)
}

var errNoBatch = errors.New("the gateway did not show a batch that it has")

func governanceBefore(ctx context.Context, c *httpapi.Client, size uint64) ([]audit.Batch, error) {
	var out []audit.Batch
	for from := uint64(0); from < size; {
		page, err := c.GovernanceBatches(ctx, from)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if page.Items[i].First < size {
				out = append(out, auditBatch(&page.Items[i]))
			}
		}
		next, more, err := following(page.Next, from)
		if err != nil || !more {
			return out, err
		}
		from = next
	}
	return out, nil
}
