package main

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/xinqiao/creditgw/exchange"
	"github.com/xinqiao/creditgw/exchange/httpapi"
	"github.com/xinqiao/creditgw/schemas"
)

func (p *program) submitCommand() *cobra.Command {
	var file httpapi.File
	var wait, rejects, signature string
	cmd := &cobra.Command{
		Use:     "submit FILE",
		Short:   p.Say(text{"报送文件（csv、xlsx、json）", "send a file (csv, xlsx, json)"}),
		Example: "  creditctl submit penalties.xlsx --wait committed --rejects bad-rows.xlsx",
		Args:    cobra.ExactArgs(1),
		RunE: p.calling(func(cmd *cobra.Command, c *httpapi.Client, args []string) error {
			file.Wait = exchange.Wait(wait)
			if file.Wait != exchange.WaitNone && file.Wait != exchange.WaitCommitted && file.Wait != exchange.WaitWitnessed {
				return usageError(&message{Text: text{"--wait 只能是 committed 或 witnessed", "--wait is committed or witnessed"}})
			}
			if file.DryRun && rejects != "" {
				return usageError(&message{Text: text{"--dry-run 不留存数据，没有可下载的退回表", "--dry-run keeps nothing, so there are no rejects to fetch"},
					Hint: text{"去掉 --rejects，问题逐行列出", "leave out --rejects; the findings are listed"}})
			}
			if signature != "" {
				var err error
				if file.Signature, err = readSignature(signature); err != nil {
					return err
				}
			}
			return p.submit(cmd, c, args[0], file, rejects)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&file.Kind, "kind", exchange.KindPenalty, p.Say(text{"信息类别", "kind of record"}))
	flags.StringVar(&wait, "wait", "", p.Say(text{"等到 committed（已入账）或 witnessed（已见证）", "wait until committed or witnessed"}))
	flags.StringVar(&rejects, "rejects", "", p.Say(text{"把退回的行写入此 xlsx 文件", "write the bad rows to this xlsx file"}))
	flags.BoolVar(&file.DryRun, "dry-run", false, p.Say(text{"只校验，不留存", "judge only, keep nothing"}))
	flags.IntVar(&file.Declared, "declared", 0, p.Say(text{"本单位申报的行数，与收到的不同时提示", "rows that you send; another number is told"}))
	flags.Uint64Var(&file.Sequence, "sequence", 0, p.Say(text{"本单位的报送序号，不连续时提示", "your own number of the file; a gap is told"}))
	flags.StringVar(&signature, "author-signature", "", p.Say(text{"本单位对文件的签名（DER 或其 base64），待签字节见 canonical",
		"file with the agency's own signature (DER or its base64) over what canonical prints"}))
	return cmd
}

func (p *program) submit(cmd *cobra.Command, c *httpapi.Client, name string, file httpapi.File, rejects string) error {
	f, err := openFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > exchange.MaxSubmission {
		return &message{Text: text{"文件超过 256 MiB", "the file is over 256 MiB"}, Hint: text{"请拆分后分批报送", "split it and send the parts"}}
	}
	bar := p.progress(info.Size(), info.Name())
	file.Body, file.Size, file.Media = bar.read(f), info.Size(), mediaOf(name)
	answer, err := c.Submit(cmd.Context(), file)
	bar.end()
	if err != nil {
		return err
	}
	if rejects != "" && answer.Quarantined > 0 {
		if err := saveRejects(cmd, c, answer.ID, rejects); err != nil {
			return err
		}
	}
	if err := p.showSubmission(answer, file.Wait, rejects); err != nil {
		return err
	}
	if answer.Quarantined > 0 {
		return notValid
	}
	return nil
}

// openFile turns what people mistype into a message with the name.
func openFile(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usageError(&message{Text: text{"打不开文件", "can't open the file"}, Cause: err})
	}
	return f, nil
}

// mediaOf names the format by the file's ending. The gateway looks at the
// bytes; this is for who stands in between.
func mediaOf(name string) string {
	switch {
	case strings.HasSuffix(strings.ToLower(name), ".csv"):
		return httpapi.MediaCSV
	case strings.HasSuffix(strings.ToLower(name), ".xlsx"):
		return httpapi.MediaXLSX
	case strings.HasSuffix(strings.ToLower(name), ".json"):
		return httpapi.MediaJSON
	}
	return httpapi.MediaFile
}

// maxSignatureFile bounds a signature file: DER takes 72 bytes at most.
const maxSignatureFile = 1 << 10

// readSignature takes a signature as OpenSSL writes it, or its base64.
func readSignature(name string) ([]byte, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError(&message{Text: text{"读不到签名文件", "can't read the signature file"}, Cause: err})
	}
	const sequence = 0x30 // what DER of a signature begins with
	if len(raw) > 0 && len(raw) <= maxSignatureFile && raw[0] == sequence {
		return raw, nil
	}
	sig, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(raw)), ""))
	if err != nil || len(sig) == 0 || len(raw) > maxSignatureFile {
		return nil, usageError(&message{Text: text{"签名文件不是 DER 或其 base64", "the signature file is neither DER nor its base64"}})
	}
	return sig, nil
}

// saveRejects writes the workbook whole or not at all.
func saveRejects(cmd *cobra.Command, c *httpapi.Client, id, name string) error {
	out, err := renameio.NewPendingFile(name)
	if err != nil {
		return &message{Text: text{"写不了退回表", "can't write the rejects"}, Cause: err}
	}
	defer func() { _ = out.Cleanup() }() // nothing is left to do after a replace
	if err := c.Rejects(cmd.Context(), id, out); err != nil {
		return err
	}
	if err := out.CloseAtomicallyReplace(); err != nil {
		return &message{Text: text{"写不了退回表", "can't write the rejects"}, Cause: err}
	}
	return nil
}

// urgency puts first what the clerk must mend, then what concerns the file,
// and last what only warns or needs nothing done.
func urgency(f schemas.FindingView) int {
	switch {
	case f.Warning || f.Rule == schemas.Duplicate:
		return 2
	case f.Row == 0:
		return 1
	}
	return 0
}

// shownFindings bounds what is printed for people; the workbook has them all.
const shownFindings = 30

func (p *program) showSubmission(s httpapi.Submission, wait exchange.Wait, rejects string) error {
	if p.JSON {
		return p.PrintJSON(s)
	}
	if s.DryRun {
		p.print(text{"试校验（未留存）", "dry run (nothing was kept)"})
	} else {
		p.print(text{"报送编号 %s", "submission %s"}, s.ID)
	}
	p.print(text{"收到 %d 行：受理 %d，退回 %d，重复 %d", "received %d rows: accepted %d, quarantined %d, duplicate %d"},
		s.Received, s.Accepted, s.Quarantined, s.Duplicate)
	pending := 0
	for _, r := range s.Records {
		if wait.Pending(r.State) {
			pending++
		}
	}
	if pending > 0 {
		p.print(text{"其中 %d 条没有等到“%s”：已受理，会自动继续，不必重报", "%d are not %s yet: they are accepted and go on by themselves"},
			pending, named(p, stateNames, exchange.State(wait)))
	}
	for _, rule := range slices.Sorted(maps.Keys(s.ByRule)) {
		fmt.Fprintf(p.Out, "  %-22s %d\n", rule, s.ByRule[rule])
	}
	table := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	slices.SortStableFunc(s.Findings, func(a, b schemas.FindingView) int { return urgency(a) - urgency(b) })
	for _, f := range s.Findings[:min(shownFindings, len(s.Findings))] {
		place := f.Cell
		if f.Row > 0 {
			place = p.Sayf(text{"第%d行 %s", "row %d %s"}, f.Row, f.Cell)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", strings.TrimSpace(place), f.Rule, f.Message, f.Hint)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if rest := len(s.Findings) - shownFindings; rest > 0 {
		p.print(text{"还有 %d 条，见 --json 或 --rejects", "%d more: see --json or --rejects"}, rest)
	}
	if rejects != "" && s.Quarantined > 0 {
		p.print(text{"退回的行已写入 %s，改好后可直接重新报送", "the bad rows are in %s; mend them there and send it again"}, rejects)
	}
	return nil
}
