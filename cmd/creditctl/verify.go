package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/receipt"
	"github.com/xinqiao/creditgw/peers"
	"github.com/xinqiao/creditgw/peers/witness"
	"github.com/xinqiao/creditgw/schemas"
)

func (p *program) verifyCommand() *cobra.Command {
	var genesis, members string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: p.Say(text{"离线核验凭证、表态或证据包，不需要服务器和网络", "verify a receipt, a statement or a bundle of evidence offline, without a server or a network"}),
		Long: p.Say(text{
			"逐项核验并说明证明了什么、没有证明什么。\n创世文件应来自可信的途径：文件只在它之下成立。\n全部成立且不是暂时凭证时退出码为 0，否则为 1。\n证据包是节点目录 evidence/ 下保存的 JSON 文件；由后加入或轮换的密钥签名的，用 --members 给出成员文件。",
			"Checks one thing after the other, and says what is proven and what is not.\nGet the genesis from where you trust: what is checked holds under it only.\nA bundle of evidence is what a node keeps in its directory evidence/;\nthe keys of later members and rotated ones are in a members file (--members).\nExit status 0 when everything holds and the receipt is not provisional, else 1."}),
		Example: "  creditctl verify receipt.json --genesis genesis.json\n  creditctl verify evidence/20260506T015900Z-two-roots-42-140000.json --genesis genesis.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			g, err := readGenesis(genesis)
			if err != nil {
				return err
			}
			raw, err := readBounded(args[0], receipt.MaxSize+1)
			if err != nil {
				return usageError(&message{Text: text{"读不到文件", "can't read the file"}, Cause: err})
			}
			switch {
			case members != "" && !witness.IsEvidence(raw):
				return usageError(&message{Text: text{"--members 只用于证据包；凭证自带所需的变更", "--members is for bundles of evidence; a receipt has the changes that it needs"}})
			case receipt.IsStatement(raw):
				return p.showStatement(receipt.VerifyStatement(raw, g))
			case witness.IsEvidence(raw):
				return p.showEvidence(raw, g, members)
			default:
				return p.showVerdict(receipt.Verify(raw, g))
			}
		},
	}
	cmd.Flags().StringVar(&genesis, "genesis", "", p.Say(text{"创世文件", "the genesis file"}))
	cmd.Flags().StringVar(&members, "members", "", p.Say(text{"成员文件，由 creditctl member proof 取得；只用于证据包", "the members file, by creditctl member proof; for bundles of evidence"}))
	_ = cmd.MarkFlagRequired("genesis") // it fails for an unknown flag only
	return cmd
}

// verdict is for programs what became of a file's checks.
type verdict struct {
	Valid     bool             `json:"valid"`           // every check holds, and nothing is missing
	State     receipt.State    `json:"state,omitempty"` // not of evidence
	Checks    []checkLine      `json:"checks"`
	Proven    []string         `json:"proven"`
	NotProven []string         `json:"not_proven"`
	Entry     *entryLine       `json:"entry,omitempty"`
	Statement *statementLine   `json:"statement,omitempty"`
	Evidence  *evidenceLine    `json:"evidence,omitempty"`
	Record    *schemas.Penalty `json:"record,omitempty"`
}

type checkLine struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
	Cause string `json:"cause,omitempty"`
}

// entryLine is what a receipt that holds says of its entry.
type entryLine struct {
	ID         exchange.EntryID `json:"id"`
	Kind       string           `json:"kind"`
	Origin     peers.Region     `json:"origin"`
	Recipients []peers.Region   `json:"recipients"`
	Claimed    time.Time        `json:"claimed_at"`
	Ledger     sm.Digest        `json:"ledger"`
	Index      *uint64          `json:"index,omitempty"`
	Witnesses  []peers.Region   `json:"witnesses,omitempty"`
	After      *time.Time       `json:"witnessed_after,omitempty"`
	By         *time.Time       `json:"witnessed_by,omitempty"`
}

// statementLine is what a statement that holds says of its subject.
type statementLine struct {
	Region  peers.Region       `json:"region"`
	Subject string             `json:"subject"`
	Bound   uint64             `json:"bound"` // ledger size up to which it speaks
	Records []exchange.EntryID `json:"records"`
}

func (p *program) showVerdict(v receipt.Verdict, err error) error {
	return p.show(&v, err, func(out *verdict) {
		out.Record = v.Penalty
		out.Proven, out.NotProven = p.sentences(v.Proven()), p.sentences(v.NotProven())
	})
}

func (p *program) showStatement(v receipt.StatementVerdict, err error) error {
	return p.show(&v.Verdict, err, func(out *verdict) {
		out.Statement = &statementLine{Region: v.Header.Origin, Subject: v.Subject, Bound: v.Bound, Records: v.Records}
		if out.Statement.Records == nil {
			out.Statement.Records = []exchange.EntryID{}
		}
		out.Proven, out.NotProven = p.sentences(v.Proven()), p.sentences(v.NotProven())
	})
}

// show tells a verdict; shown adds what holds.
func (p *program) show(v *receipt.Verdict, err error, shown func(*verdict)) error {
	var failure *receipt.Failure
	if err != nil && !errors.As(err, &failure) {
		return err
	}
	out := verdict{Valid: failure == nil && v.Final(), State: v.State, Checks: p.checkLines(v.Checks, failure), Proven: []string{}, NotProven: []string{}}
	if failure == nil {
		out.Entry = entryOf(v)
		shown(&out)
	}
	return p.conclude(&out)
}

// conclude tells a verdict and ends with its exit code.
func (p *program) conclude(v *verdict) error {
	if err := p.tellVerdict(v); err != nil {
		return err
	}
	if !v.Valid {
		return notValid
	}
	return nil
}

func (p *program) checkLines(checks []receipt.Check, failure *receipt.Failure) []checkLine {
	out := []checkLine{}
	for _, c := range checks {
		out = append(out, checkLine{Check: c.Code, OK: true, Text: c.Text.In(p.Lang.Code())})
	}
	if failure != nil {
		line := checkLine{Check: failure.Code, Text: failure.Text.In(p.Lang.Code())}
		if failure.Cause != nil {
			line.Cause = failure.Cause.Error()
		}
		out = append(out, line)
	}
	return out
}

func (p *program) sentences(texts []schemas.Text) []string {
	out := make([]string, len(texts))
	for i := range texts {
		out[i] = texts[i].In(p.Lang.Code())
	}
	return out
}

func entryOf(v *receipt.Verdict) *entryLine {
	at := func(seconds int64) *time.Time {
		if seconds == 0 {
			return nil
		}
		t := exchange.Moment(seconds)
		return &t
	}
	h := &v.Header
	e := &entryLine{
		ID: h.ID, Kind: h.Kind, Origin: h.Origin, Recipients: h.Recipients, Claimed: *at(h.IssuedAt), Ledger: v.Ledger,
		Witnesses: v.Witnesses, After: at(v.After), By: at(v.By),
	}
	if v.State == receipt.Witnessed {
		e.Index = &v.Index
	}
	return e
}

func (p *program) tellVerdict(v *verdict) error {
	if p.JSON {
		return p.PrintJSON(v)
	}
	for _, c := range v.Checks {
		mark := text{"成立", "holds "}
		if !c.OK {
			mark = text{"不成立", "FAILS "}
		}
		p.print(text{"%s  %-11s %s", "%s  %-11s %s"}, p.Say(mark), c.Check, c.Text)
		if c.Cause != "" {
			p.print(text{"        %s", "        %s"}, c.Cause)
		}
	}
	if len(v.Proven) > 0 {
		p.print(text{"\n证明了：", "\nproven:"})
		p.list(v.Proven)
		p.print(text{"没有证明：", "not proven:"})
		p.list(v.NotProven)
	}
	switch {
	case v.Valid:
		p.print(text{"\n有效", "\nvalid"})
	case len(v.Proven) > 0:
		p.print(text{"\n暂时：尚不能作数", "\nprovisional: not enough yet"})
	default:
		p.print(text{"\n无效", "\nNOT valid"})
	}
	return nil
}

func (p *program) list(sentences []string) {
	for _, s := range sentences {
		p.print(text{"  - %s", "  - %s"}, s)
	}
}
