package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/crypto/sm"
	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/schemas"
	"github.com/xinqiao/creditgw/schemas/tabular"
)

func (p *program) canonicalCommand() *cobra.Command {
	var row int
	var kind, genesis, output string
	cmd := &cobra.Command{
		Use:   "canonical FILE",
		Short: p.Say(text{"输出单位签名时待签的字节", "print the bytes that an agency signs"}),
		Long: p.Say(text{
			"带 --row 时输出该行记录的待签字节：签名与 key_id 一起放进 JSON 报文的 author。\n不带 --row 时输出整个文件的待签字节：签名用 submit --author-signature 随文件报送。\n签名算法 SM2，用户标识 1234567812345678，编码 DER。",
			"With --row, prints what to sign of that row's record: signature and key_id go\ninto author of a JSON submission. Without it, prints what to sign of the whole\nfile: the signature goes with it by submit --author-signature.\nThe signature is SM2 with user id 1234567812345678, in DER."}),
		Example: "  creditctl canonical penalties.json --row 1 --genesis genesis.json -o message\n  openssl dgst -sm3 -sign key.pem -sigopt distid:1234567812345678 message > sig",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("row") && row < 1 {
				return usageError(&message{Text: text{"--row 从 1 开始", "--row counts from 1"}})
			}
			ledger, err := p.ledgerID(cmd, genesis)
			if err != nil {
				return err
			}
			c := canonical{ledger: ledger, Row: row}
			if row == 0 {
				err = c.ofFile(args[0])
			} else {
				err = c.ofRow(p, args[0], kind)
			}
			if err != nil {
				return err
			}
			return p.showCanonical(c, output)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&row, "row", 0, p.Say(text{"数据行号，从 1 开始", "data row, from 1"}))
	flags.StringVar(&kind, "kind", exchange.KindPenalty, p.Say(text{"信息类别", "kind of record"}))
	flags.StringVar(&genesis, "genesis", "", p.Say(text{"genesis.json；没有则向网关询问账本标识", "genesis.json; without it the gateway is asked for the ledger id"}))
	flags.StringVarP(&output, "output", "o", "", p.Say(text{"写入文件而不是标准输出", "write to a file, not to stdout"}))
	return cmd
}

// ledgerID reads the ledger id from a verified genesis, or asks the gateway.
func (p *program) ledgerID(cmd *cobra.Command, file string) (sm.Digest, error) {
	if file == "" {
		c, err := p.client()
		if err != nil {
			return sm.Digest{}, err
		}
		head, err := c.Checkpoint(cmd.Context())
		return head.Ledger, err
	}
	g, err := readGenesis(file)
	if err != nil {
		return sm.Digest{}, err
	}
	return g.LedgerID(), nil
}

// canonical is a message to sign and what it is made of.
type canonical struct {
	ledger  sm.Digest
	Row     int               `json:"row,omitempty"`
	Label   sm.Label          `json:"label"`
	Message []byte            `json:"message"`          // base64
	Record  map[string]string `json:"record,omitempty"` // ready for {"record":…,"author":…}
}

// ofFile is the message of a whole file: its SM3 under the label for files.
func (c *canonical) ofFile(name string) error {
	f, err := openFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sm.NewHash()
	if _, err := io.Copy(h, f); err != nil {
		return &message{Text: text{"读文件出错", "can't read the file"}, Cause: err}
	}
	c.Label = sm.LabelFile
	c.Message = sm.Message(c.Label, c.ledger, h.Sum(nil))
	return nil
}

// ofRow is the message of one record. A row whose record would differ from
// what was sent is refused here, as the gateway would refuse its signature.
func (c *canonical) ofRow(p *program, name, kindName string) error {
	kind, ok := schemas.Default().Kind(kindName)
	if !ok {
		return usageError(&message{Text: text{"未知的信息类别", "unknown kind"}})
	}
	row, err := findRow(name, kind.Dictionary(), c.Row)
	if err != nil {
		return err
	}
	cells := cellsOf(row)
	out := kind.NewChecker(schemas.Env{
		Today:     schemas.DateOf(p.now()),
		Sources:   map[string]bool{cells["CF_SJLYDM"]: true},
		Registers: everyone{cells},
	}).Check(row)
	if out.State != schemas.Accepted {
		return &message{Text: text{"该行有问题，网关会退回：\n", "the gateway would refuse this row:\n"}, Cause: p.findingsOf(out.Findings)}
	}
	if !out.Canonical {
		return &message{Text: text{"该行不是规范形式，签名会被拒绝", "the row is not in canonical form; its signature would be refused"},
			Cause: errors.New(normalisations(out.Normalisations)),
			Hint:  text{"请按所列项改正原文件后再签", "correct the file by this list, then sign"}}
	}
	record, err := out.Record.Encode()
	if err != nil {
		return &message{Text: text{"记录无法编码", "the record can't be encoded"}, Cause: err}
	}
	c.Label, c.Record = sm.LabelAuthor, cells
	c.Message = sm.Message(c.Label, c.ledger, record)
	return nil
}

func findRow(name string, dict *schemas.Dictionary, n int) (schemas.Row, error) {
	f, err := openFile(name)
	if err != nil {
		return schemas.Row{}, err
	}
	defer f.Close()
	rows, err := tabular.Open(f, dict, tabular.Limits{})
	if err != nil {
		return schemas.Row{}, err
	}
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return row, &message{Text: text{"文件没有这么多行", "the file has fewer rows"}}
		}
		if err != nil || row.Number == n {
			return row, err
		}
	}
}

// cellsOf names each value as JSON does: by its code, or by its header where
// the national form has no code for it.
func cellsOf(row schemas.Row) map[string]string {
	cells := make(map[string]string, len(row.Cells))
	for _, cell := range row.Cells {
		name := cell.Field
		if name == "" {
			name = cell.Column
		}
		cells[name] = cell.Value
	}
	return cells
}

// everyone is a register in which the row's own authority stands as the row
// names it: which authorities may send is the gateway's to judge.
type everyone struct{ cells map[string]string }

func (e everyone) Firm(string) (schemas.Firm, bool) { return schemas.Firm{}, false }
func (e everyone) Authority(region, uscc string) (schemas.Authority, bool) {
	return schemas.Authority{USCC: uscc, Region: region, Name: e.cells["CF_CFJG"], Aliases: []string{e.cells["CF_SJLY"]}}, true
}

func (p *program) findingsOf(findings []schemas.Finding) error {
	var lines []string
	for _, f := range findings {
		if v := f.In(p.Lang.Code()); !v.Warning {
			lines = append(lines, fmt.Sprintf("  %s %s %s %s", v.Rule, v.Column, v.Message, v.Hint))
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

func normalisations(list []schemas.Normalisation) string {
	var out []string
	for _, n := range list {
		out = append(out, fmt.Sprintf("%s %s %s", n.Code, n.Field, n.Cell))
	}
	return strings.Join(out, ", ")
}

func (p *program) showCanonical(c canonical, output string) error {
	if output != "" {
		if err := os.WriteFile(output, c.Message, 0o644); err != nil {
			return &message{Text: text{"写不了文件", "can't write the file"}, Cause: err}
		}
	}
	if p.JSON {
		return p.PrintJSON(c)
	}
	if output != "" {
		return nil
	}
	_, err := p.Out.Write(c.Message)
	return err
}
